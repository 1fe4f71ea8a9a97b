"""Class conditioning by classifiers on the discriminator's features: AC-GAN, TAC-GAN, ADC-GAN."""

from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.gans.tasks.base import Head, Seen
from compare_gan.gans.tasks.labelled import (
    ConditioningTask,
    agreements,
    cross_entropies,
    labelled_means,
)
from compare_gan.gans.terms import LossTerms
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor


@registry.register("task", "ac_gan", paper="https://arxiv.org/abs/1610.09585")
class ACGANTask(ConditioningTask):
    """Classifies real and generated images; the generator helps (AC-GAN, Odena et al., 2017).

    The discriminator learns to classify real and generated images, and the generator makes images
    that are classified as the class it was given. It prefers images far from the borders between
    classes, which costs variety: `tac_gan` and `adc_gan` are remedies.

    Programs that combine AC-GAN with BigGAN let the classifier learn from real images only:
    `weight_d_fake = 0`.

    Paper: https://arxiv.org/abs/1610.09585 (all weights 1).

    Args:
      weight_d: Weight of the cross-entropy of real images in the discriminator's loss, a number or
        a schedule.
      weight_d_fake: Weight of that of generated images there, likewise.
      weight_g: Weight of the cross-entropy of generated images in the generator's loss, likewise.

    Raises:
      UserError: A weight is negative.

    Example:
      >>> from compare_gan.gans.tasks import ACGANTask
      >>> ACGANTask(weight_g=0.1).make_head(spectral_norm=False, num_classes=10).units
      10
    """

    name = "ac_gan"

    def __init__(
        self,
        weight_d: Scheduled = 1.0,
        weight_d_fake: Scheduled = 1.0,
        weight_g: Scheduled = 1.0,
    ):
        super().__init__(weight_d, weight_g)
        check_range("ac_gan.weight_d_fake", weight_d_fake)
        self.weight_d_fake = weight_d_fake

    def make_head(self, spectral_norm: bool, num_classes: int | None = None) -> keras.layers.Layer:
        assert num_classes is not None  # See `check`.
        return Head(num_classes, "classes", spectral_norm, name="discriminator_ac_gan")

    def discriminator_terms(self, real: Seen, fake: Seen, step: Any = 0) -> LossTerms:
        loss_real, accuracy = _classified(real.outputs, real.labels)
        loss_fake, _ = _classified(fake.outputs, fake.labels)
        total = value_at(self.weight_d, step) * loss_real
        total = total + value_at(self.weight_d_fake, step) * loss_fake
        return LossTerms(
            total,
            {"ac_gan_real": loss_real, "ac_gan_fake": loss_fake},
            {"ac_gan_accuracy_real": accuracy},
        )

    def generator_terms(self, fake: Seen, step: Any = 0) -> LossTerms:
        loss, accuracy = _classified(fake.outputs, fake.labels)
        return LossTerms(
            value_at(self.weight_g, step) * loss,
            {"ac_gan_generator": loss},
            {"ac_gan_accuracy_fake": accuracy},
        )


@registry.register("task", "tac_gan", paper="https://arxiv.org/abs/1907.02690")
class TACGANTask(ConditioningTask):
    """AC-GAN with a twin classifier, which the generator deceives (TAC-GAN, Gong et al., 2019).

    One classifier learns from real images, its twin from generated ones. The generator minimises
    the cross-entropy of the first and maximises that of the twin, which undoes AC-GAN's preference
    for images that are easily classified.

    Paper: https://arxiv.org/abs/1907.02690 (all weights 1).

    Args:
      weight_d: Weight of both cross-entropies in the discriminator's loss, a number or a schedule.
      weight_g: Weight of their difference in the generator's loss, likewise.

    Raises:
      UserError: A weight is negative.

    Example:
      >>> from keras import ops
      >>> from compare_gan.gans.tasks import TACGANTask
      >>> head = TACGANTask().make_head(spectral_norm=False, num_classes=10)
      >>> tuple(head(ops.ones((2, 8))).shape)  # Those of both classifiers.
      (2, 20)
    """

    name = "tac_gan"

    def make_head(self, spectral_norm: bool, num_classes: int | None = None) -> keras.layers.Layer:
        assert num_classes is not None  # See `check`.
        return TwinHead(num_classes, spectral_norm, name="discriminator_tac_gan")

    def discriminator_terms(self, real: Seen, fake: Seen, step: Any = 0) -> LossTerms:
        loss, accuracy = _classified(_halves(real.outputs)[0], real.labels)
        twin_loss, twin_accuracy = _classified(_halves(fake.outputs)[1], fake.labels)
        return LossTerms(
            value_at(self.weight_d, step) * (loss + twin_loss),
            {"tac_gan_real": loss, "tac_gan_twin": twin_loss},
            {"tac_gan_accuracy_real": accuracy, "tac_gan_accuracy_twin": twin_accuracy},
        )

    def generator_terms(self, fake: Seen, step: Any = 0) -> LossTerms:
        own, twin = _halves(fake.outputs)
        loss, accuracy = _classified(own, fake.labels)
        twin_loss, _ = _classified(twin, fake.labels)
        return LossTerms(
            value_at(self.weight_g, step) * (loss - twin_loss),
            {"tac_gan_generator": loss, "tac_gan_twin_generator": twin_loss},
            {"tac_gan_accuracy_fake": accuracy},
        )


@registry.register("task", "adc_gan", paper="https://arxiv.org/abs/2107.10060")
class ADCGANTask(ConditioningTask):
    """Classifies images by class and as real or generated at once (ADC-GAN, Hou et al., 2022).

    The classifier has twice as many classes: real images and generated images of each. The
    generator minimises the cross-entropy for the real images of its class minus that for the
    generated ones, which is lowest where it draws from the distribution of the class.

    Paper: https://arxiv.org/abs/2107.10060 (all weights 1).

    Args:
      weight_d: Weight of the cross-entropies of real and of generated images in the
        discriminator's loss, a number or a schedule.
      weight_g: Weight of the difference in the generator's loss, likewise.

    Raises:
      UserError: A weight is negative.

    Example:
      >>> from compare_gan.gans.tasks import ADCGANTask
      >>> ADCGANTask().make_head(spectral_norm=False, num_classes=10).units
      20
    """

    name = "adc_gan"

    def make_head(self, spectral_norm: bool, num_classes: int | None = None) -> keras.layers.Layer:
        assert num_classes is not None  # See `check`.
        return Head(2 * num_classes, "classes", spectral_norm, name="discriminator_adc_gan")

    def discriminator_terms(self, real: Seen, fake: Seen, step: Any = 0) -> LossTerms:
        loss_real, accuracy_real = _classified(real.outputs, real.labels, _REAL)
        loss_fake, accuracy_fake = _classified(fake.outputs, fake.labels, _GENERATED)
        return LossTerms(
            value_at(self.weight_d, step) * (loss_real + loss_fake),
            {"adc_gan_real": loss_real, "adc_gan_fake": loss_fake},
            {"adc_gan_accuracy_real": accuracy_real, "adc_gan_accuracy_fake": accuracy_fake},
        )

    def generator_terms(self, fake: Seen, step: Any = 0) -> LossTerms:
        as_real, _ = _classified(fake.outputs, fake.labels, _REAL)
        as_generated, _ = _classified(fake.outputs, fake.labels, _GENERATED)
        difference = as_real - as_generated
        return LossTerms(
            value_at(self.weight_g, step) * difference, {"adc_gan_generator": difference}
        )


@keras.saving.register_keras_serializable("compare_gan")
class TwinHead(keras.layers.Layer):
    """Two dense layers on the same features, joined: [n, f] -> [n, 2 · units], float32.

    Args:
      units: Number of outputs of each.
      spectral_norm: Whether each kernel is spectrally normalized.
      name: Name of the scope.
    """

    def __init__(self, units: int, spectral_norm: bool = False, name: str | None = None):
        super().__init__(name=name)
        self.units, self.spectral_norm = units, spectral_norm
        self.heads = [Head(units, "classes", spectral_norm, which) for which in ("own", "twin")]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        for head in self.heads:
            head.build(input_shape)

    def call(self, features: Tensor, training: bool | None = None) -> Tensor:
        return ops.concatenate([head(features, training=training) for head in self.heads], axis=1)

    def get_config(self) -> dict[str, Any]:
        return {"units": self.units, "spectral_norm": self.spectral_norm, "name": self.name}


# The two classes that ADC-GAN makes of each.
_REAL, _GENERATED = range(2)


def _classified(
    logits: Tensor, labels: Tensor | None, kind: int | None = None
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy and accuracy over the labelled images.

    Args:
      logits: Float [b, num_classes], or [b, 2 * num_classes] with a kind.
      labels: Float [b, num_classes].
      kind: Which of the two logits of the class is the right one.
    """
    assert labels is not None  # See `check`.
    target = labels
    if kind is not None:
        chosen = [labels if each == kind else ops.zeros_like(labels) for each in range(2)]
        target = ops.reshape(ops.stack(chosen, axis=2), (-1, 2 * labels.shape[1]))
    loss, accuracy = labelled_means(
        labels, cross_entropies(logits, target), agreements(logits, target)
    )
    return loss, accuracy


def _halves(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """The outputs of a classifier and its twin."""
    units = outputs.shape[1] // 2
    return outputs[:, :units], outputs[:, units:]
