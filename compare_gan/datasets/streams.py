"""Data sets too large for memory, read as a stream of encoded images."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from compare_gan.datasets.sources import Source, on_host, shuffled_indices, with_fixed_threads
from compare_gan.datasets.transforms import Transform
from compare_gan.startup import available_cores

# Records that are shuffled among each other; two such blocks are held, still encoded. A prime, so
# that blocks begin elsewhere in each epoch.
_BLOCK = 5003


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class StreamSource(Source):
    """Records read in a fixed order, again and again, and shuffled block by block.

    The order follows from the seed alone: any number of replicas sees the same examples (each
    pipeline reads all records and decodes its own), and a resumed run goes on where it was, for
    which the records of the begun epoch are read once more, not decoded.

    Attributes:
      records: From split to its records in a fixed order, pairs of an encoded image and a label
        (int32, -1 for none).
      train_transform: Makes a training image of a decoded one.
      eval_transform: Makes an evaluation image of a decoded one.
    """

    records: Callable[[str], tf.data.Dataset]
    train_transform: Transform
    eval_transform: Transform

    def labels(self, split):
        return self._labels[split]

    def only(self, chosen: Mapping[str, np.ndarray]) -> "StreamSource":
        """The stream without those records of some splits that `chosen` (bool [n]) leaves out."""

        def records(split: str) -> tf.data.Dataset:
            if split not in chosen:
                return self.records(split)
            keep = on_host(chosen[split])
            kept = self.records(split).enumerate().filter(lambda index, record: keep[index])
            return kept.map(lambda index, record: record)

        def keys(split: str) -> list[str]:
            every = self.keys(split)
            return list(np.array(every)[chosen[split]]) if split in chosen else every

        splits = {name: int(chosen[name].sum()) for name in chosen}
        return dataclasses.replace(
            self, records=records, splits={**self.splits, **splits}, example_keys=keys
        )

    @functools.cached_property
    def _labels(self) -> dict[str, np.ndarray]:
        """Takes one reading of all records: used only where labels must be known beforehand."""
        return {
            split: labels_of_records(self.records(split), n) for split, n in self.splits.items()
        }

    def training(self, layout, seed, labels):
        order = self._shuffled_records(layout.first_example, seed)
        numbers = tf.data.Dataset.range(layout.first_example, tf.int64.max)
        examples = tf.data.Dataset.zip(numbers, order)
        if len(layout.replica_ids) < layout.num_replicas:
            examples = examples.filter(lambda number, record: layout.is_own(number))
        shown = None if labels is None else on_host(labels)

        def prepare(number, record):
            index, encoded, label = record
            crop_seed = tf.random.experimental.stateless_fold_in(
                tf.constant(seed, tf.int64), number
            )
            image = self._decode(encoded, self.train_transform, crop_seed)
            return image, label if shown is None else shown[index]

        return layout.group(examples.map(prepare, available_cores()))

    def _shuffled_records(self, first: int, seed) -> tf.data.Dataset:
        """Endless triples (index, encoded image, label) from example number `first` on."""
        # Not Dataset.shuffle: it depends on TensorFlow's global seed too, and inside of flat_map
        # it shuffles every epoch alike.
        size = self.splits["train"]
        width = min(_BLOCK, size)
        number = first // width
        records = self.records("train").enumerate().repeat().skip(number * width % size)
        blocks = records.batch(width, drop_remainder=True).enumerate(number)

        def permute(number, block):
            places = tf.range(width, dtype=tf.int64)
            order = shuffled_indices(number * width + places, width, seed)
            index, (encoded, label) = block
            return tuple(tf.gather(entry, order) for entry in (index, encoded, label))

        return blocks.map(permute).prefetch(1).unbatch().skip(first % width)

    def evaluation(self, split, batch_size, count, labels):
        shown = None if labels is None else on_host(labels)

        def prepare(index, record):
            encoded, label = record
            image = self._decode(encoded, self.eval_transform, tf.zeros([2], tf.int64))
            return image, label if shown is None else shown[index]

        records = self.records(split).take(count).enumerate()
        return records.map(prepare, available_cores()).batch(batch_size)

    def _decode(self, encoded: tf.Tensor, transform: Transform, seed: tf.Tensor) -> tf.Tensor:
        channels = self.image_shape[-1]
        image = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
        return tf.ensure_shape(transform(image, seed), self.image_shape)


def labels_of_records(records: tf.data.Dataset, count: int) -> np.ndarray:
    """The labels of all records, int32 [count]."""
    labels = records.map(lambda encoded, label: label)
    return np.fromiter(with_fixed_threads(labels).as_numpy_iterator(), np.int32, count)
