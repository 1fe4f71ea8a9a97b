"""Images of a sampler."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from compare_gan.evaluation.image_sets.sets import ImageSet
from compare_gan.metrics.base import ImageBatch
from compare_gan.metrics.extractors import Extractor
from compare_gan.sampling import Sampler
from compare_gan.sampling.refinements import describe_latents

# Values of `Provenance.labels`.
IN_TURN: str = "in turn"
AS_IN_THE_DATA: str = "as in the data"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GeneratedImages(ImageSet):
    """Images that a sampler draws, of the classes that it chooses; drawn again each time.

    Attributes:
      sampler: The sampler, prepared (see `Sampler.prepare`).
      batch_norm: Source of the moments that its network normalizes with, in words.
      weights: Kind of its weights: `ema`, `raw`, or a description (`ema of length 0.1`).
      discriminator: Discriminator of the same GAN, for metrics that look at it.
      devices: Devices that draw the images, see `backend.on_device`.
    """

    sampler: Sampler
    batch_norm: str
    weights: str
    discriminator: Any = None
    devices: Sequence[Any] = (None,)
    # Seed and provenance identify them.
    hashed: ClassVar[bool] = False

    @classmethod
    def of(
        cls, sampler: Sampler, count: int, seeds: Sequence[int], **attributes: Any
    ) -> list["GeneratedImages"]:
        """Prepares a sampler and makes one set of images for each seed.

        Example:
          >>> from compare_gan.evaluation.image_sets import GeneratedImages
          >>> from compare_gan.sampling import Sampler
          >>> def network(inputs, training):
          ...     return inputs[0][:, None, None, :] ** 2
          >>> sampler = Sampler(network, z_dim=3, image_shape=(1, 1, 3))
          >>> first, second = GeneratedImages.of(sampler, 5, seeds=[0, 1], weights="raw")
          >>> [len(batch.images) for batch in second.batches(batch_size=2)]
          [2, 2, 1]

        Args:
          sampler: The sampler.
          count: Number of images in each set.
          seeds: Seeds of the latents.
          **attributes: Further attributes of the sets.
        """
        batch_norm = sampler.prepare()
        return [
            cls(
                name="generated images",
                count=count,
                shape=sampler.image_shape,
                has_labels=sampler.num_classes is not None,
                class_names=None if sampler.class_names is None else tuple(sampler.class_names),
                seed=seed,
                sampler=sampler,
                batch_norm=batch_norm,
                **attributes,
            )
            for seed in seeds
        ]

    @property
    def num_classes(self) -> int:
        """Number of classes of the generator; 1 for an unconditional one."""
        return self.sampler.num_classes or 1

    def take(self, num: int, seed: int) -> "GeneratedImages":
        """A set of `num` images from its own seed; `seed` has no effect."""
        return dataclasses.replace(self, count=num)

    def batches(self, batch_size: int) -> Iterator[ImageBatch]:
        """See `ImageSet.batches`.

        Raises:
          DivergenceError: An image is not finite.
        """
        return self._drawn(np.arange(self.count), batch_size)

    def share(self, batch_size: int, width: int, index: int, count: int) -> Iterator[ImageBatch]:
        """The batches of one of several processes, which take turns.

        Args:
          batch_size: Images in a batch.
          width: Batches of a process in its turn.
          index: Number of this process.
          count: Number of processes.

        Yields:
          Full batches, as many in each process: images repeat where the set has ended.
        """
        turn = width * batch_size
        turns = -(-self.count // (turn * count))
        rows = np.arange(turns * turn * count).reshape(turns, count, turn)[:, index].ravel()
        return self._drawn(rows % self.count, batch_size)

    def _drawn(self, rows: np.ndarray, batch_size: int) -> Iterator[ImageBatch]:
        labels = self.sampler.draw_labels(self.count)
        labels = None if labels is None else labels[rows]
        z = self.sampler.draw_latents(self.count, self.seed or 0, labels, rows)
        start = 0
        for images in self.sampler.generate_batches(z, labels, batch_size, self.devices):
            stop = start + len(images)
            yield ImageBatch(images, None if labels is None else labels[start:stop])
            start = stop

    def networks(self, extractor: Extractor) -> dict[str, Any]:
        """The sampler, with the extractor's features, and the discriminator."""
        features = extractor.features_of if extractor.takes_floats else None
        sampler = dataclasses.replace(self.sampler, features=features, seed=self.seed or 0)
        return {"generator": sampler, "discriminator": self.discriminator}

    def origin(self) -> Mapping[str, Any]:
        """See `ImageSet.origin`."""
        sampler = self.sampler
        labels = IN_TURN if sampler.class_counts is None else AS_IN_THE_DATA
        return {
            "weights": self.weights,
            "batch_norm": self.batch_norm,
            "labels": "none" if sampler.num_classes is None else labels,
            "latents": describe_latents(sampler.distribution, sampler.refinement),
            "truncation": float(sampler.truncation),
        }
