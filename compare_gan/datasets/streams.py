"""Data sets too large for memory, read as a stream of encoded images."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from compare_gan.datasets.colours import WHITE
from compare_gan.datasets.layout import Layout
from compare_gan.datasets.lazy import tf
from compare_gan.datasets.sources import (
    Examples,
    Source,
    on_host,
    reference_split,
    shuffled_tensor,
    with_fixed_threads,
)
from compare_gan.datasets.transforms import Transform
from compare_gan.startup import available_cores
from compare_gan.types import Tensor

# Number of records that are shuffled together; two such blocks are held in memory, encoded. It is a
# prime, so that blocks begin at different records in each epoch.
_BLOCK = 5003

# The place of PNG's kind of colour, which is 4 or 6 with an alpha channel.
_KIND_OF_PNG = 25

_Tensors = tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class StreamSource(Source):
    """Records read in a fixed order, epoch after epoch, and shuffled block by block.

    The order depends only on the seed: any number of replicas sees the same examples (each pipeline
    reads all records and decodes its own), and a resumed run continues with the next example, for
    which the records of the current epoch are read again, without decoding.

    Attributes:
      records: Function from a split to its records in a fixed order: pairs of an encoded image and
        a label (int32, -1 for none).
      train_transform: Transform from a decoded image to a training image.
      eval_transform: Transform from a decoded image to an evaluation image.
    """

    records: Callable[[str], tf.data.Dataset] = dataclasses.field(repr=False)
    train_transform: Transform = dataclasses.field(repr=False)
    eval_transform: Transform = dataclasses.field(repr=False)

    def labels(self, split: str) -> np.ndarray:
        return self._labels[split]

    def counted_labels(self, split: str, count: int) -> np.ndarray:
        if count not in self._counted[split]:
            self._counted[split][count] = labels_of_records(self.records(split).take(count), count)
        return self._counted[split][count]

    @functools.cached_property
    def _counted(self) -> dict[str, dict[int, np.ndarray]]:
        return {split: {} for split in self.splits}

    def only(self, chosen: Mapping[str, np.ndarray], whole: str | None = None) -> StreamSource:
        """The stream with only those records of some splits that `chosen` (bool [n]) marks.

        Args:
          chosen: The records to keep, by split.
          whole: See `views.select`.
        """

        def records(split: str) -> tf.data.Dataset:
            if split == whole:
                return self.records("train")
            if split not in chosen:
                return self.records(split)
            keep = on_host(chosen[split])
            kept = self.records(split).enumerate().filter(lambda index, record: keep[index])
            return kept.map(lambda index, record: record)

        def keys(split: str) -> list[str]:
            every = self.keys("train" if split == whole else split)
            return list(np.array(every)[chosen[split]]) if split in chosen else every

        splits = {name: int(chosen[name].sum()) for name in chosen}
        if whole is not None:
            splits[whole] = self.splits["train"]
        return dataclasses.replace(
            self,
            records=records,
            splits={**self.splits, **splits},
            eval_split=reference_split(self, whole),
            example_keys=keys,
        )

    @functools.cached_property
    def _labels(self) -> dict[str, np.ndarray]:
        """Takes one pass over all records; used only if all labels must be known in advance."""
        return {
            split: labels_of_records(self.records(split), n) for split, n in self.splits.items()
        }

    def training(
        self, layout: Layout, seed: tuple[int, int], labels: np.ndarray | None
    ) -> tf.data.Dataset:
        order = self._shuffled_records(layout.first_example, seed)
        numbers = tf.data.Dataset.range(layout.first_example, tf.int64.max)
        examples = tf.data.Dataset.zip(numbers, order)
        if len(layout.replica_ids) < layout.num_replicas:
            examples = examples.filter(lambda number, record: layout.is_own(number))
        shown = None if labels is None else on_host(labels)

        def prepare(number: tf.Tensor, record: _Tensors) -> _Tensors:
            index, encoded, label = record
            crop_seed = tf.random.experimental.stateless_fold_in(
                tf.constant(seed, tf.int64), number
            )
            image = self._decode(encoded, self.train_transform, crop_seed)
            return image, label if shown is None else shown[index]

        return layout.group(examples.map(prepare, available_cores()))

    def _shuffled_records(self, first: int, seed: tuple[int, int]) -> tf.data.Dataset:
        """Endless triples (index, encoded image, label) from example number `first` on."""
        # Not Dataset.shuffle: it also depends on TensorFlow's global seed, and inside flat_map it
        # shuffles every epoch in the same way.
        size = self.splits["train"]
        width = min(_BLOCK, size)
        number = first // width
        records = self.records("train").enumerate().repeat().skip(number * width % size)
        blocks = records.batch(width, drop_remainder=True).enumerate(number)

        def permute(number: tf.Tensor, block: tuple[tf.Tensor, _Tensors]) -> _Tensors:
            positions = tf.range(width, dtype=tf.int64)
            order = shuffled_tensor(number * width + positions, width, seed)
            index, (encoded, label) = block
            return tuple(tf.gather(entry, order) for entry in (index, encoded, label))

        return blocks.map(permute).prefetch(1).unbatch().skip(first % width)

    def evaluation(
        self, split: str, batch_size: int, count: int, labels: np.ndarray | None
    ) -> Iterator[Examples]:
        shown = None if labels is None else on_host(labels)

        def prepare(index: tf.Tensor, record: _Tensors) -> _Tensors:
            encoded, label = record
            image = self._decode(encoded, self.eval_transform, tf.zeros([2], tf.int64))
            return image, label if shown is None else shown[index]

        records = self.records(split).take(count).enumerate()
        batches = records.map(prepare, available_cores()).batch(batch_size).prefetch(2)
        return with_fixed_threads(batches).as_numpy_iterator()

    def _decode(self, encoded: tf.Tensor, transform: Transform, seed: tf.Tensor) -> tf.Tensor:
        channels = self.image_shape[-1]
        image = decode_tensor(encoded, channels)
        return tf.ensure_shape(transform(image, seed), self.image_shape)


def decode_tensor(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Decodes a PNG or JPEG image by TensorFlow.

    The pixels are those of `decoding.decode` over white, except that

    - only alpha channels are composited, and only to 3 channels: transparent colours and palettes,
      and every transparency where gray is asked for, are ignored;
    - EXIF's orientation is not applied: published data sets are used as they are stored.

    Args:
      encoded: The content of a file.
      channels: 1 (gray) or 3 (colour).

    Returns:
      uint8 [H, W, channels].

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.datasets.streams import decode_tensor
      >>> image = tf.constant([[[255, 0, 0, 0], [255, 0, 0, 255]]], tf.uint8)
      >>> decode_tensor(tf.io.encode_png(image), channels=3).numpy().tolist()
      [[[255, 255, 255], [255, 0, 0]]]
    """

    def decode_transparent() -> tf.Tensor:
        image = tf.cast(tf.io.decode_png(encoded, 4), tf.int32)
        colours, alpha = image[..., :-1], image[..., -1:]
        mixed = colours * alpha + tf.constant(WHITE) * (255 - alpha)
        return tf.cast((mixed + 127) // 255, tf.uint8)

    def decode_opaque() -> tf.Tensor:
        return tf.io.decode_image(encoded, channels, expand_animations=False)

    def decode_other() -> tf.Tensor:
        # No data set of gray images is known to have an alpha channel.
        if channels == 1:
            return decode_opaque()
        kind = tf.strings.substr(encoded, 0, 1) + tf.strings.substr(encoded, _KIND_OF_PNG, 1)
        transparent = tf.reduce_any(kind == tf.constant([b"\x89\x04", b"\x89\x06"]))
        return tf.cond(transparent, decode_transparent, decode_opaque)

    return tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE"),
        decode_other,
    )


def labels_of_records(records: tf.data.Dataset, count: int) -> np.ndarray:
    """The labels of all records, int32 [count]."""
    labels = records.map(lambda encoded, label: label)
    return np.fromiter(with_fixed_threads(labels).as_numpy_iterator(), np.int32, count)
