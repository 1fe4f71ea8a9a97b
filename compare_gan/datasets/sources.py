"""Where images come from: in memory, decoded one by one, or (see `streams`) as a stream."""

import abc
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from compare_gan.datasets.layout import Layout
from compare_gan.errors import UserError
from compare_gan.startup import available_cores

# Images that are not arrays to begin with are kept in memory up to this many bytes a data set.
MEMORY_LIMIT = 2**30

# Evaluation takes examples in one fixed order: that of this seed.
_EVAL_ORDER = (2, 0, 19)


@dataclasses.dataclass(frozen=True, eq=False)
class Source(abc.ABC):
    """The images and labels of a data set, by split.

    Attributes:
      image_shape: (H, W, C).
      splits: Number of examples of each split; training uses `train`.
      eval_split: The split that is the reference for evaluation.
      num_classes: Number of classes; None if there are none.
      class_names: Their names, or None.
      example_keys: From split to what the examples are called in label files; None = their index.
    """

    image_shape: tuple[int, int, int]
    splits: Mapping[str, int]
    eval_split: str = "train"
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None
    example_keys: Callable[[str], Sequence[str]] | None = None

    def keys(self, split: str) -> list[str]:
        """What each example is called in label files: its file name or, without one, its index."""
        if self.example_keys is None:
            return [str(i) for i in range(self.splits[split])]
        return list(self.example_keys(split))

    @abc.abstractmethod
    def labels(self, split: str) -> np.ndarray:
        """The labels: int32 [n], -1 where there is none, or soft, float32 [n, num_classes]."""

    @abc.abstractmethod
    def training(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> tf.data.Dataset:
        """The shuffled examples of `train`, epoch after epoch, one element a turn of `layout`.

        Args:
          layout: Which examples to yield.
          seed: What the order and random crops follow from.
          labels: The labels to yield, as of `labels("train")`; None = the source's own.

        Returns:
          Pairs of images [n, H, W, C] and n labels, n = layout.sub_batches · layout.rows.
        """

    @abc.abstractmethod
    def evaluation(
        self, split: str, batch_size: int, count: int, labels: np.ndarray | None
    ) -> tf.data.Dataset:
        """The first `count` examples of a split in one fixed order.

        Args:
          split: A key of `splits`.
          batch_size: Of every batch but the last.
          count: How many examples, at most splits[split].
          labels: int32 [splits[split]], the labels to yield; None = the source's own.

        Returns:
          Pairs of images [<= batch_size, H, W, C] and labels int32 [<= batch_size].
        """


class RandomAccessSource(Source):
    """A source that can give any example by its index, so that no order has to be replayed."""

    @abc.abstractmethod
    def read(self, split: str, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        """From vectors of `size` indices (the last may be shorter) to images [size, H, W, C]."""

    def training(self, layout, seed, labels):
        indices = layout.turns().map(
            lambda step, replica: shuffled_indices(
                layout.examples(step, replica), self.splits["train"], seed
            )
        )
        return self._with_labels("train", indices, layout.sub_batches * layout.rows, labels)

    def evaluation(self, split, batch_size, count, labels):
        order = _permute(tf.range(count, dtype=tf.int64), self.splits[split], _EVAL_ORDER)
        indices = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return self._with_labels(split, indices, batch_size, labels)

    def _with_labels(self, split, indices, size, labels) -> tf.data.Dataset:
        labels = on_host(self.labels(split) if labels is None else labels)
        images = self.read(split, indices, size)
        return tf.data.Dataset.zip(images, indices.map(lambda i: tf.gather(labels, i)))


def shuffled_indices(examples: tf.Tensor, size: int, seed: tuple[int, int]) -> tf.Tensor:
    """Where in the data the examples of a run are found: a permutation for each epoch.

    Args:
      examples: int64 [n], numbers of examples as in `Layout`.
      size: Number of examples in an epoch.
      seed: What the permutations follow from.

    Returns:
      int64 [n] in [0, size).
    """
    epoch = examples // size
    head = tf.broadcast_to(tf.constant(seed, tf.int64), [examples.shape[0], 2])
    return _permute(examples % size, size, tf.concat([head, epoch[:, None]], axis=1))


def _permute(places: tf.Tensor, size: int, seed) -> tf.Tensor:
    """Where each place goes in the permutation of `size` that the seed ([3] or [n, 3]) gives."""
    # The public function wants one seed for all. 4 rounds, its choice, leave the permutations of
    # successive epochs measurably alike (correlation 1.3/sqrt(size) instead of 1/sqrt(size)).
    return tf.raw_ops.RandomIndexShuffle(
        index=places,
        seed=tf.constant(seed, tf.int64) if isinstance(seed, tuple) else seed,
        max_index=tf.constant(size - 1, tf.int64),
        rounds=16,
    )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ArraySource(RandomAccessSource):
    """Images held in memory, gathered by index.

    Attributes:
      images: From split to a function that gives them, uint8 or float in [0, 1] [n, H, W, C];
        called when they are first needed.
      true_labels: From split to int32 [n], -1 for no label.
    """

    images: Mapping[str, Callable[[], np.ndarray]]
    true_labels: Mapping[str, np.ndarray]

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, tuple[np.ndarray, np.ndarray | None]],
        *,
        eval_split: str = "train",
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> "ArraySource":
        """A source of arrays.

        Args:
          arrays: From split to images [n, H, W, C], uint8 or float in [0, 1], and labels int [n]
            (-1 for no label) or None. There must be a split `train`.
          eval_split: The split that is the reference for evaluation.
          num_classes: Number of classes; one more than the greatest label if None.
          class_names: Their names.
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
            images={split: lambda images=pair[0]: images for split, pair in arrays.items()},
            true_labels={
                split: no_labels(sizes[split]) if labels is None else labels.astype(np.int32)
                for split, (_, labels) in arrays.items()
            },
        )

    def labels(self, split):
        return self.true_labels[split]

    def read(self, split, indices, size):
        images = self._tensors[split]
        return indices.map(lambda i: tf.gather(images, i))

    @functools.cached_property
    def _tensors(self) -> Mapping[str, tf.Tensor]:
        return _Lazy(lambda split: on_host(self.images[split]()))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DecodingSource(RandomAccessSource):
    """Images made one by one when they are needed.

    Attributes:
      load: From (split, index as an int64 tensor) to an image, uint8 [H, W, C]; TensorFlow
        operations only.
      true_labels: From split to int32 [n], -1 for no label.
    """

    load: Callable[[str, tf.Tensor], tf.Tensor]
    true_labels: Mapping[str, np.ndarray]

    def labels(self, split):
        return self.true_labels[split]

    def read(self, split, indices, size):
        images = indices.unbatch().map(lambda i: self.load(split, i), available_cores())
        return images.batch(size)


def in_memory_or_decoding(
    decode: Callable[[tf.Tensor], tf.Tensor], keys: Mapping[str, Sequence[str]], **about
) -> Source:
    """A source of images that a key (such as a path) stands for.

    They are kept in memory where all take at most `MEMORY_LIMIT` bytes, else decoded when needed.

    Args:
      decode: From a key, a string tensor, to an image, uint8 [H, W, C].
      keys: From split to the keys of its examples.
      **about: The other attributes of the source, `true_labels` among them.
    """
    tensors = _Lazy(lambda split: on_host(np.array(keys[split])))
    if sum(about["splits"].values()) * np.prod(about["image_shape"]) > MEMORY_LIMIT:
        return DecodingSource(load=lambda split, i: decode(tensors[split][i]), **about)

    def read_all(split: str) -> np.ndarray:
        images = np.empty([len(keys[split]), *about["image_shape"]], np.uint8)
        decoded = tf.data.Dataset.from_tensor_slices(tensors[split])
        decoded = with_fixed_threads(decoded.map(decode, available_cores()))
        done = 0
        try:
            for image in decoded.as_numpy_iterator():
                images[done] = image
                done += 1
        except tf.errors.OpError as error:
            # Elements come in order: the one that failed follows those that came.
            raise UserError(f"'{keys[split][done]}' cannot be decoded: {error.message}") from error
        return images

    images = {split: functools.partial(read_all, split) for split in keys}
    return ArraySource(images=images, **about)


class _Lazy(dict):
    """A dict that computes a value when it is first asked for it."""

    def __init__(self, compute: Callable):
        super().__init__()
        self._compute = compute

    def __missing__(self, key):
        self[key] = self._compute(key)
        return self[key]


def on_host(array: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of the host, where input pipelines run."""
    # Outside of any function being traced: the tensor serves several pipelines.
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(array)


def with_fixed_threads(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same elements, made by a thread for each core: what is iterated over goes through here.

    Without threads of its own a pipeline shares those that operations wait in, of which the command
    line has two. TensorFlow's search for better numbers is left out: it sleeps ever longer, up to a
    minute, and often sleeps on when the iterator is to be freed, which waits for it, so that each
    stage of a run would end so much later.
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = available_cores()
    options.autotune.enabled = False
    return dataset.with_options(options)


def no_labels(count: int) -> np.ndarray:
    """Labels of examples that have none."""
    return np.full([count], -1, np.int32)
