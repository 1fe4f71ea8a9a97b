"""The batches of the pretext training: images, their shifts, and a few labelled images."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from compare_gan.datasets import random
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.layout import Layout
from compare_gan.datasets.lazy import tf, without_autograph
from compare_gan.datasets.sources import Source, with_fixed_threads
from compare_gan.datasets.views import select
from compare_gan.types import Tensor

# Streams of random numbers of one seed.
_IMAGES, _LABELLED, _SHIFTS = range(3)


@dataclasses.dataclass(frozen=True)
class PretextBatches:
    """Batches that follow from a seed and the step; `as_dataset` and `as_arrays` are equal.

    Each is a dict with `images` [n, H, W, C], `shifts` int32 [n, 2] in [0, 2 · max_shift] and, if
    there are labelled images, `labels` int32 [m] of the last m images.

    Attributes:
      dataset: Images and given labels to learn from.
      seed: Seed of everything random.
      batch_size: Number of images, over all replicas, besides the labelled ones.
      labeled_batch_size: Number of labelled images, over all replicas; 0 = none.
      max_shift: Greatest number of pixels by which images are shifted.
    """

    dataset: Dataset
    seed: int
    batch_size: int
    labeled_batch_size: int
    max_shift: int

    def as_arrays(self, layout: Layout) -> Iterator[dict[str, np.ndarray]]:
        """Endless batches of NumPy arrays, one for each turn of `layout`."""
        examples = [
            source.training_arrays(own, (self.seed, stream), labels)
            for source, own, stream, labels in self._parts(layout)
        ]
        for step, replica in layout.iterate_turns():
            seed = random.fold_in((self.seed, _SHIFTS), step)
            # Drawn for the whole batch, so that they do not depend on the number of replicas.
            shifts = random.integers([self._size, 2], seed, 0, 2 * self.max_shift + 1)
            images, labels = zip(*map(next, examples), strict=True)
            batch = {
                "images": np.concatenate(images),
                "shifts": np.concatenate(self._own_rows(shifts, layout, replica)),
            }
            if len(labels) > 1:
                batch["labels"] = labels[1]
            yield batch

    def as_dataset(self, layout: Layout) -> tf.data.Dataset:
        """The same batches as TensorFlow's input pipeline."""
        seed = tf.constant([self.seed, _SHIFTS], tf.int64)

        @without_autograph
        def draw(step: tf.Tensor, replica: tf.Tensor) -> tf.Tensor:
            key = tf.random.experimental.stateless_fold_in(seed, step)
            shifts = tf.random.stateless_uniform(
                [self._size, 2], key, 0, 2 * self.max_shift + 1, tf.int32
            )
            return tf.concat(self._own_rows(shifts, layout, replica), axis=0)

        @without_autograph
        def assemble(
            examples: tuple[tuple[tf.Tensor, tf.Tensor], ...], shifts: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            images, labels = zip(*examples, strict=True)
            # Some sources leave the number of images open.
            count = self._size // layout.num_replicas
            shape = [count, *self.dataset.source.image_shape]
            batch = {
                "images": tf.ensure_shape(tf.concat(images, axis=0), shape),
                "shifts": tf.ensure_shape(shifts, [count, 2]),
            }
            if len(labels) > 1:
                batch["labels"] = tf.ensure_shape(labels[1], [count - layout.rows])
            return batch

        examples = tuple(
            source.training(own, (self.seed, stream), labels)
            for source, own, stream, labels in self._parts(layout)
        )
        shifts = layout.turns().map(draw, tf.data.AUTOTUNE)
        batches = tf.data.Dataset.zip(tf.data.Dataset.zip(examples), shifts)
        return with_fixed_threads(batches.map(assemble).prefetch(2))

    @property
    def _size(self) -> int:
        return self.batch_size + self.labeled_batch_size

    def _parts(self, layout: Layout) -> list[tuple[Source, Layout, int, np.ndarray]]:
        """Source, layout, random stream and labels of all images, and of the labelled ones."""
        source, labels = self.dataset.source, to_hard_labels(self.dataset.given_labels)
        parts = [(source, layout, _IMAGES, labels)]
        if self.labeled_batch_size:
            given_mask = labels >= 0
            few = dataclasses.replace(layout, batch_size=self.labeled_batch_size)
            parts.append((select(source, given_mask), few, _LABELLED, labels[given_mask]))
        return parts

    def _own_rows(self, shifts: Tensor, layout: Layout, replica: Tensor) -> list[Tensor]:
        """The shifts of a replica's images, and of its labelled images."""
        rows, replicas = layout.rows, layout.num_replicas
        few, first = self.labeled_batch_size // replicas, self.batch_size
        return [
            shifts[replica * rows : (replica + 1) * rows],
            shifts[first + replica * few : first + (replica + 1) * few],
        ]
