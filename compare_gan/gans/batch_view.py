"""A batch as the terms of a loss see it: some real examples replaced, images augmented, judged."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan.augmentations import Augmentation
from compare_gan.gans import networks
from compare_gan.gans.examples import Half, Scores, of_images
from compare_gan.gans.noise import Noise
from compare_gan.types import NoiseSource, Tensor

TrainingBatch = dict[str, Tensor]


class Stream:
    """The streams of a batch's draws, see `Noise`."""

    PENALTIES, REAL, FAKE, REPLACED, GENERATOR, LATENTS = range(6)


@dataclasses.dataclass(frozen=True)
class BatchView:
    """A batch in one step of training, with the functions that the terms of a loss are made of.

    Attributes:
      batch: See `ModularGAN`.
      step: Number of finished generator steps.
      y: Labels of the real images, float [b, num_classes]; None if unconditional.
      fake_y: Labels of the generated images, likewise.
      generator: Generator.
      discriminate: Function from images and labels to scores, in training mode.
      augmentations: Augmentations, in their order.
    """

    batch: TrainingBatch
    step: Any
    y: Tensor | None
    fake_y: Tensor | None
    generator: keras.Model
    discriminate: Callable[[Tensor, Tensor | None], Scores]
    augmentations: Sequence[Augmentation]

    def generated(self) -> Tensor:
        """The images of the batch's latents, in training mode, with their gradient."""
        return self._generate(self.batch["z"])

    def augmented(self, images: Tensor, stream: int) -> Tensor:
        """Images as the discriminator sees them; equal draws for equal batches and streams."""
        if not self.augmentations:
            return images
        noise = Noise(self.batch["seed"], stream)
        images = ops.cast(images, self.batch["images"].dtype)
        for augmentation in self.augmentations:
            images = augmentation(images, noise.uniform, noise.normal, self.step)
        return images

    def scorer(
        self, y: Tensor | None, stream: int, with_pixels: bool = False
    ) -> Callable[[Tensor], Tensor]:
        """The function from images to their logits, with labels and a half's augmentation."""

        def score(images: Tensor) -> Tensor:
            logits = self.discriminate(self.augmented(images, stream), y).logits
            return logits if with_pixels else of_images(logits)

        return score

    def available(self) -> dict[str, Any]:
        """The values that penalties of both networks may request; see `penalties.AVAILABLE`."""
        noise = Noise(self.batch["seed"], Stream.PENALTIES)
        return {
            "discriminator_of_fakes": self.scorer(self.fake_y, Stream.FAKE),
            "generator": self._generate,
            "styles": lambda z, y: networks.styles(self.generator, z, y),
            "synthesize": lambda given, y: networks.synthesize(
                self.generator, given, y, self._draws()
            ),
            "x": self.batch["images"],
            "y": self.y,
            "fake_y": self.fake_y,
            "z": self.batch["z"],
            "uniform": noise.uniform,
            "normal": noise.normal,
            "step": self.step,
        }

    def judged(
        self,
        own: int,
        real: Half,
        fake: Half,
        gradients: Sequence[Tensor | None] = (None, None),
    ) -> dict[str, Any]:
        """The values for penalties of one network, with the logits of both halves.

        Args:
          own: Stream of the half that the network's penalties judge: `REAL` or `FAKE`.
          real: Real images after the forward of the discriminator.
          fake: Generated images after it.
          gradients: Gradients of their logits with respect to the images; None if unknown.
        """
        y = self.y if own == Stream.REAL else self.fake_y
        return {
            **self.available(),
            "discriminator": self.scorer(y, own),
            "logits_with_pixels": self.scorer(y, own, with_pixels=True),
            "real_logits": of_images(real.logits),
            "fake_logits": of_images(fake.logits),
            "real_logits_with_pixels": real.logits,
            "fake_logits_with_pixels": fake.logits,
            "real_gradients": gradients[0],
            "fake_gradients": gradients[1],
        }

    def _generate(self, z: Tensor) -> Tensor:
        return networks.generate(self.generator, z, self.fake_y, self._draws())

    def _draws(self) -> NoiseSource:  # Each call of the generator in a step gets the same.
        return Noise(self.batch["seed"], Stream.GENERATOR)


def with_replaced(
    batch: TrainingBatch, augmentations: Sequence[Augmentation], fake_images: Tensor, step: Any
) -> tuple[TrainingBatch, TrainingBatch]:
    """A batch with the real examples that augmentations put in place of its own.

    Args:
      batch: Batch.
      augmentations: Augmentations, in their order.
      fake_images: Generated images, through which no gradient flows.
      step: Number of finished generator steps.

    Returns:
      The batch, and the same with the labels that tasks learn from: whether a generated image shows
      the class that it was made for is not known, so it has no label there.
    """

    def replaced(fake_labels: Tensor | None) -> TrainingBatch:
        noise = Noise(batch["seed"], Stream.REPLACED)
        real = batch["images"], batch.get("labels")
        for augmentation in augmentations:
            real = augmentation.replace_real(real, (fake_images, fake_labels), noise.uniform, step)
        images, labels = real
        return {**batch, "images": images, **({} if labels is None else {"labels": labels})}

    fake_labels = batch.get("fake_labels")
    shown = replaced(fake_labels)
    if fake_labels is None or not augmentations:
        return shown, shown
    return shown, replaced(ops.zeros_like(fake_labels))
