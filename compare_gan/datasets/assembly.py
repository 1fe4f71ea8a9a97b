"""The batches of training, put together of examples and draws: as tensors, and as arrays."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from compare_gan.datasets import random
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.latents import LatentDistribution
from compare_gan.datasets.layout import Layout
from compare_gan.datasets.lazy import tf, without_autograph
from compare_gan.datasets.sources import on_host, with_fixed_threads
from compare_gan.errors import UserError

_FLIP_KEY = 3  # After those of latents, seeds and labels of fakes.
_FLIPPED = "flipped"  # Entry of the draws that marks the images to mirror.


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingBatches:
    """The batches of a training run; see `batches.train_batches`.

    Attributes:
      dataset: The data set.
      layout: The examples of each batch.
      z_dim: Dimension of the latent.
      latents: Distribution of the latents.
      seed: The run's seed.
      fit_label_distribution: Whether labels of fakes are drawn with the frequencies of the shown
        labels.

    Raises:
      UserError: There is no label to fit.
    """

    dataset: Dataset
    layout: Layout
    z_dim: int
    latents: LatentDistribution
    seed: int
    fit_label_distribution: bool

    def __post_init__(self) -> None:
        _ = self._labels  # Reports labels that are still pending.
        if self._shown_classes is not None and not len(self._shown_classes):
            raise UserError(
                f"fit_label_distribution is True, but no training image of '{self.dataset.name}' "
                "has a label."
            )

    def as_dataset(self) -> tf.data.Dataset:
        """An endless dataset of dicts."""
        drawn = self.layout.turns().map(without_autograph(self._draw_tensors), tf.data.AUTOTUNE)
        examples = self.dataset.source.training(self.layout, self._order_seed, self._labels)
        batches = tf.data.Dataset.zip(drawn, examples).map(
            without_autograph(self._assemble_tensors)
        )
        return with_fixed_threads(batches.prefetch(2))

    def as_arrays(self) -> Iterator[dict[str, np.ndarray]]:
        """The same dicts, of arrays."""
        source = self.dataset.source
        examples = source.training_arrays(self.layout, self._order_seed, self._labels)
        return (
            self._assemble_arrays(self._draw_arrays(step, replica), *own)
            for (step, replica), own in zip(self.layout.iterate_turns(), examples, strict=False)
        )

    def _draw_tensors(self, step: tf.Tensor, replica: tf.Tensor) -> dict[str, tf.Tensor]:
        layout, classes = self.layout, self.dataset.num_classes
        keys = tf.random.split(tf.stack([tf.constant(self.seed, tf.int64), step]), self._num_keys)
        draws = {
            "z": layout.own_rows(self.latents.draw([*self._lead, self.z_dim], keys[0]), replica),
            "seed": tf.random.stateless_uniform(
                [layout.sub_batches, 2], keys[1], None, None, tf.int32
            ),
        }
        if self.dataset.flip:
            chances = tf.random.stateless_uniform(self._lead, keys[_FLIP_KEY])
            draws[_FLIPPED] = layout.own_rows(chances, replica) < 0.5
        if classes:
            limit = classes if self._shown_tensor is None else tf.size(self._shown_tensor)
            fake = tf.random.stateless_uniform(self._lead, keys[2], 0, limit, tf.int32)
            fake = fake if self._shown_tensor is None else tf.gather(self._shown_tensor, fake)
            draws["fake_labels"] = tf.one_hot(layout.own_rows(fake, replica), classes)
        return draws

    def _draw_arrays(self, step: int, replica: int) -> dict[str, np.ndarray]:
        layout, classes = self.layout, self.dataset.num_classes
        keys = random.split(np.array([self.seed, step]), self._num_keys)
        z = np.asarray(self.latents.draw([*self._lead, self.z_dim], keys[0]))
        draws = {
            "z": layout.own_rows(z, replica),
            "seed": random.full_integers([layout.sub_batches, 2], keys[1]),
        }
        if self.dataset.flip:
            chances = random.uniform(self._lead, keys[_FLIP_KEY])
            draws[_FLIPPED] = layout.own_rows(chances, replica) < 0.5
        if classes:
            shown = self._shown_classes
            limit = classes if shown is None else len(shown)
            fake = random.integers(self._lead, keys[2], 0, limit)
            fake = fake if shown is None else shown[fake]
            draws["fake_labels"] = _one_hot(layout.own_rows(fake, replica), classes)
        return draws

    def _assemble_tensors(
        self, drawn: dict[str, tf.Tensor], examples: tuple[tf.Tensor, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        (images, labels), classes = examples, self.dataset.num_classes
        lead = [self.layout.sub_batches, self.layout.rows]
        if self.dataset.flip:
            flipped = tf.reshape(drawn.pop(_FLIPPED), [-1, 1, 1, 1])
            images = tf.where(flipped, images[:, :, ::-1], images)
        if self.dataset.pad_to:
            images = tf.pad(images, self.dataset.padding)
        batch = drawn | {"images": tf.reshape(images, [*lead, *self.dataset.image_shape])}
        if classes:
            labels = labels if labels.dtype.is_floating else tf.one_hot(labels, classes)
            batch["labels"] = tf.reshape(labels, [*lead, classes])
        return batch

    def _assemble_arrays(
        self, drawn: dict[str, np.ndarray], images: np.ndarray, labels: np.ndarray
    ) -> dict[str, np.ndarray]:
        classes = self.dataset.num_classes
        lead = [self.layout.sub_batches, self.layout.rows]
        if self.dataset.flip:
            flipped = drawn.pop(_FLIPPED).reshape(-1, 1, 1, 1)
            images = np.where(flipped, images[:, :, ::-1], images)
        images = self.dataset.pad(images)
        batch = drawn | {"images": images.reshape(*lead, *self.dataset.image_shape)}
        if classes:
            labels = labels if labels.dtype.kind == "f" else _one_hot(labels, classes)
            batch["labels"] = labels.reshape(*lead, classes)
        return batch

    @property
    def _num_keys(self) -> int:
        """Number of seeds of a step; the first ones are the same however many there are."""
        return _FLIP_KEY + int(self.dataset.flip)

    @property
    def _lead(self) -> list[int]:
        """The leading axes of draws for all replicas."""
        return [self.layout.sub_batches, self.layout.batch_size]

    @property
    def _order_seed(self) -> tuple[int, int]:
        return self.seed, self.dataset.seed

    @functools.cached_property
    def _labels(self) -> np.ndarray | None:
        """The labels that training sees; None = the source's own, which need not be read."""
        data = self.dataset
        replaced = data.given_mask is not None or data.inferred is not None
        needed = replaced or self.fit_label_distribution
        return data.shown_labels if data.num_classes and needed else None

    @functools.cached_property
    def _shown_classes(self) -> np.ndarray | None:
        """The class of each example with a shown label, int32 [n]; None = fakes are uniform."""
        if not self.fit_label_distribution or not self.dataset.num_classes:
            return None
        labels = to_hard_labels(self.dataset.shown_labels)
        return labels[labels >= 0]

    @functools.cached_property
    def _shown_tensor(self) -> tf.Tensor | None:
        return None if self._shown_classes is None else on_host(self._shown_classes)


def _one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """One-hot labels float32 [..., classes]; a row of zeros for -1."""
    rows = np.eye(classes + 1, classes, dtype=np.float32)  # The last is all zeros.
    return rows[labels]
