"""Sources of images in memory; see `decoding` for files and `streams` for streams of records.

Every source yields tensors for pipelines of tf.data, which need TensorFlow. Those that read any
example by its index yield the same examples as arrays, without it.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from compare_gan.datasets import random
from compare_gan.datasets.layout import Layout
from compare_gan.datasets.lazy import tf, without_autograph
from compare_gan.startup import available_cores, import_tensorflow

# Images, and the label of each.
Examples = tuple[np.ndarray, np.ndarray]

# Images read from files are held in memory if a data set takes at most this many bytes.
MEMORY_LIMIT = 2**30

_Value = TypeVar("_Value")

# Evaluation takes examples in one fixed order, given by this seed.
_EVAL_ORDER = (2, 0, 19)

# TensorFlow's public function has 4 rounds, which leave the permutations of successive epochs
# measurably alike (correlation 1.3/sqrt(size) instead of 1/sqrt(size)).
_SHUFFLE_ROUNDS = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Source(abc.ABC):
    """The images and labels of a data set, by split.

    Attributes:
      image_shape: (H, W, C).
      splits: Number of examples of each split; training uses `train`.
      eval_split: The split that is the reference for evaluation.
      num_classes: Number of classes; None if there are none.
      class_names: Their names, or None.
      example_keys: Function from a split to the keys of its examples in label files; None = their
        index.
      background: Name of the colour that images with an alpha channel are composited over; None if
        there are none.
    """

    image_shape: tuple[int, int, int]
    splits: Mapping[str, int]
    eval_split: str = "train"
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None
    example_keys: Callable[[str], Sequence[str]] | None = dataclasses.field(
        default=None, repr=False
    )
    background: str | None = None

    def keys(self, split: str) -> list[str]:
        """The key of each example in label files: its file name or, without one, its index."""
        if self.example_keys is None:
            return [str(i) for i in range(self.splits[split])]
        return list(self.example_keys(split))

    @abc.abstractmethod
    def labels(self, split: str) -> np.ndarray:
        """The labels: hard, int32 [n], -1 for no label, or soft, float32 [n, num_classes]."""

    def counted_labels(self, split: str, count: int) -> np.ndarray:
        """The labels that show how frequent classes are: those of the whole split.

        Where all of them would take a pass over all records, those of the first `count` suffice.
        """
        return self.labels(split)

    @abc.abstractmethod
    def training(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> tf.data.Dataset:
        """The shuffled examples of `train`, epoch after epoch, one element per turn of `layout`.

        Args:
          layout: The examples to yield.
          seed: Seed of the order and of random crops.
          labels: The labels to yield, in the form of `labels("train")`; None = the source's own.

        Returns:
          Pairs of images [n, H, W, C] and n labels, n = layout.sub_batches · layout.rows.
        """

    def training_arrays(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> Iterator[Examples]:
        """As `training`, but yields arrays.

        Raises:
          UserError: The source needs TensorFlow, which is not installed.
        """
        import_tensorflow("Reading this data set with tf.data")
        return with_fixed_threads(self.training(layout, seed, labels)).as_numpy_iterator()

    @contextlib.contextmanager
    def broken_files_named(self) -> Iterator[None]:
        """Training inside, if an image cannot be decoded, ends with the name of its file.

        Raises:
          UserError: A file cannot be decoded, which TensorFlow reports without its name.
        """
        yield

    @abc.abstractmethod
    def evaluation(
        self, split: str, batch_size: int, count: int, labels: np.ndarray | None
    ) -> Iterator[Examples]:
        """The first `count` examples of a split in one fixed order.

        Args:
          split: A key of `splits`.
          batch_size: Size of every batch but the last.
          count: Number of examples, at most splits[split].
          labels: The labels to yield, int32 [splits[split]]; None = the source's own.

        Yields:
          Pairs of images [<= batch_size, H, W, C] and labels int32 [<= batch_size].
        """


class RandomAccessSource(Source):
    """A source that reads any example by its index, so that no order has to be replayed."""

    @abc.abstractmethod
    def read(self, split: str, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        """Images [size, H, W, C] for vectors of `size` indices."""

    @abc.abstractmethod
    def gather(self, split: str, indices: np.ndarray) -> np.ndarray:
        """The images [n, H, W, C] of n indices."""

    def training(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> tf.data.Dataset:
        labels = on_host(self.labels("train") if labels is None else labels)

        @without_autograph
        def choose(step: tf.Tensor, replica: tf.Tensor) -> tf.Tensor:
            examples = layout.examples(step, replica)
            return shuffled_tensor(examples, self.splits["train"], seed)

        indices = layout.turns().map(choose)
        images = self.read("train", indices, layout.sub_batches * layout.rows)
        return tf.data.Dataset.zip(
            images, indices.map(without_autograph(lambda i: tf.gather(labels, i)))
        )

    def training_arrays(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> Iterator[Examples]:
        labels = self.labels("train") if labels is None else labels
        for step, replica in layout.iterate_turns():
            examples = layout.examples(step, replica)
            indices = shuffled_indices(examples, self.splits["train"], seed)
            yield self.gather("train", indices), labels[indices]

    def evaluation(
        self, split: str, batch_size: int, count: int, labels: np.ndarray | None
    ) -> Iterator[Examples]:
        labels = self.labels(split) if labels is None else labels
        for indices in self.evaluation_order(split, batch_size, count):
            yield self.gather(split, indices), labels[indices]

    def evaluation_order(self, split: str, batch_size: int, count: int) -> Iterator[np.ndarray]:
        """The indices of the batches of `evaluation`, int64 [<= batch_size]."""
        for start in range(0, count, batch_size):
            positions = np.arange(start, min(start + batch_size, count))
            yield random.index_shuffle(positions, _EVAL_ORDER, self.splits[split], _SHUFFLE_ROUNDS)


def shuffled_indices(examples: np.ndarray, size: int, seed: tuple[int, int]) -> np.ndarray:
    """Indices of a run's examples in the data: a permutation for each epoch.

    Args:
      examples: Numbers of examples as in `Layout`, int64 [n].
      size: Number of examples in an epoch.
      seed: Seed of the permutations.

    Returns:
      int64 [n] in [0, size).

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.sources import shuffled_indices
      >>> indices = shuffled_indices(np.arange(6), size=3, seed=(0, 0))
      >>> sorted(indices[:3]) == sorted(indices[3:]) == [0, 1, 2]
      True
    """
    epochs, positions = np.divmod(examples, size)
    indices = np.empty_like(positions)
    for epoch in np.unique(epochs):
        own = epochs == epoch
        indices[own] = random.index_shuffle(positions[own], (*seed, epoch), size, _SHUFFLE_ROUNDS)
    return indices


def shuffled_tensor(examples: tf.Tensor, size: int, seed: tuple[int, int]) -> tf.Tensor:
    """The numbers of `shuffled_indices` as a tensor."""
    epoch = examples // size
    head = tf.broadcast_to(tf.constant(seed, tf.int64), [examples.shape[0], 2])
    # The public function takes one seed for all positions.
    return tf.raw_ops.RandomIndexShuffle(
        index=examples % size,
        seed=tf.concat([head, epoch[:, None]], axis=1),
        max_index=tf.constant(size - 1, tf.int64),
        rounds=_SHUFFLE_ROUNDS,
    )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ArraySource(RandomAccessSource):
    """Images held in memory, gathered by index.

    Attributes:
      images: Function for each split that returns its images, uint8 or float in [0, 1],
        [n, H, W, C]; called when they are first needed.
      true_labels: Labels of each split, int32 [n], -1 for no label.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import ArraySource, Dataset
      >>> images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 2, -1])
      >>> source = ArraySource.from_arrays({"train": (images, labels)})
      >>> dataset = Dataset("mine", source)
      >>> dataset.image_shape, dataset.num_classes
      ((8, 8, 3), 3)
    """

    images: Mapping[str, Callable[[], np.ndarray]] = dataclasses.field(repr=False)
    true_labels: Mapping[str, np.ndarray] = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        _ = self._arrays  # Made before threads share it.

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, tuple[np.ndarray, np.ndarray | None]],
        *,
        eval_split: str = "train",
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> ArraySource:
        """A source of arrays.

        Args:
          arrays: Images [n, H, W, C], uint8 or float in [0, 1], and labels int [n] (-1 for no
            label) or None, for each split. There must be a split `train`.
          eval_split: The split that is the reference for evaluation.
          num_classes: Number of classes; one more than the greatest label if None.
          class_names: Names of the classes.

        Example:
          >>> import numpy as np
          >>> from compare_gan.datasets import ArraySource, Dataset
          >>> images, labels = np.zeros([3, 8, 8, 3], np.uint8), np.array([0, 1, -1])
          >>> source = ArraySource.from_arrays({"train": (images, labels)})
          >>> Dataset("mine", source).num_classes
          2
        """
        images, labels = arrays["train"]
        if num_classes is None and labels is not None:
            num_classes = int(labels.max()) + 1
        sizes = {split: len(images) for split, (images, _) in arrays.items()}
        return cls(
            image_shape=tuple(images.shape[1:]),
            splits=sizes,
            eval_split=eval_split,
            num_classes=num_classes,
            class_names=None if class_names is None else tuple(map(str, class_names)),
            images={split: functools.partial(_identity, own) for split, (own, _) in arrays.items()},
            true_labels={
                split: no_labels(sizes[split]) if labels is None else labels.astype(np.int32)
                for split, (_, labels) in arrays.items()
            },
        )

    def labels(self, split: str) -> np.ndarray:
        return self.true_labels[split]

    def read(self, split: str, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        images = self._tensors[split]
        return indices.map(without_autograph(lambda i: tf.gather(images, i)))

    def gather(self, split: str, indices: np.ndarray) -> np.ndarray:
        return np.take(self._arrays[split], indices, axis=0)

    @functools.cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        return Lazy(lambda split: self.images[split]())

    @functools.cached_property
    def _tensors(self) -> Mapping[str, tf.Tensor]:
        def make(split: str) -> tf.Tensor:
            tensor = on_host(self._arrays[split])
            self._arrays[split] = np.asarray(tensor)  # The same memory, instead of a copy.
            return tensor

        return Lazy(make)


def _identity(images: np.ndarray) -> np.ndarray:
    return images


class Lazy(dict[str, _Value]):
    """A dict that computes a value at its first look-up, once for all threads."""

    def __init__(self, compute: Callable[[str], _Value]):
        super().__init__()
        self._compute = compute
        self._lock = threading.Lock()

    def __missing__(self, key: str) -> _Value:
        with self._lock:
            if key not in self:
                self[key] = self._compute(key)
            return self[key]


def on_host(array: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of the host, where input pipelines run."""
    # Outside any function that is being traced, because several pipelines share the tensor.
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(array)


def with_fixed_threads(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, produced by one thread per core; for every dataset that is iterated over.

    Without threads of its own a pipeline shares those in which operations wait, and the command
    line has only two of them. TensorFlow's autotuning is off: its thread sleeps for ever longer
    periods, up to a minute, and freeing an iterator waits for it, which would delay the end of each
    stage of a run.
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = available_cores()
    options.autotune.enabled = False
    return dataset.with_options(options)


def reference_split(source: Source, whole: str | None) -> str:
    """The reference for evaluation of a part of a source; `whole`: see `views.select`."""
    return source.eval_split if whole is None or source.eval_split != "train" else whole


def no_labels(count: int) -> np.ndarray:
    """Labels of examples without a label: -1, int32 [count]."""
    return np.full([count], -1, np.int32)
