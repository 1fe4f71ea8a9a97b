"""Class prediction: which class does a real image show?"""

from typing import Any

import keras

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.gans.tasks.base import AuxiliaryTask, Head, Seen
from compare_gan.gans.tasks.labelled import (
    agreements,
    check_conditional,
    cross_entropies,
    labelled_means,
)
from compare_gan.gans.terms import LossTerms
from compare_gan.schedules import Scheduled, check_range, value_at


@registry.register("task", "class_prediction", paper="https://arxiv.org/abs/1903.02271")
class ClassPredictionTask(AuxiliaryTask):
    """Predicts the class from the discriminator's features (Lucic et al., S3GAN, 2019).

    It learns from the labelled real images only: whether a generated image shows the class that it
    was made for is not known.

    Paper: https://arxiv.org/abs/1903.02271.

    Args:
      num_classes: Number of classes; None = that of the GAN.
      weight_d: Weight of the cross-entropy in the discriminator's loss, a number or a schedule.

    Raises:
      UserError: The weight is negative.

    Example:
      >>> from compare_gan.gans.tasks import ClassPredictionTask
      >>> ClassPredictionTask(10).make_head(spectral_norm=False).units
      10
    """

    name = "class_prediction"
    learns_from_labels = True

    def __init__(self, num_classes: int | None = None, weight_d: Scheduled = 1.0):
        check_range("class_prediction.weight_d", weight_d)
        self.num_classes = num_classes
        self.weight_d = weight_d

    def check(self, image_shape: tuple[int, int, int], num_classes: int | None) -> None:
        check_conditional(self.name, num_classes)
        if self.num_classes not in (None, num_classes):
            raise UserError(
                f"class_prediction.num_classes is {self.num_classes}, but the data has "
                f"{num_classes} classes: leave it out."
            )

    def make_head(self, spectral_norm: bool, num_classes: int | None = None) -> keras.layers.Layer:
        units = self.num_classes or num_classes
        assert units is not None  # See `check`.
        return Head(units, "predictor_linear", spectral_norm, name="discriminator_predictor")

    def discriminator_terms(self, real: Seen, fake: Seen, step: Any = 0) -> LossTerms:
        logits, labels = real.outputs, real.labels
        assert labels is not None  # See `check`.
        loss, accuracy = labelled_means(
            labels, cross_entropies(logits, labels), agreements(logits, labels)
        )
        weight = value_at(self.weight_d, step)
        return LossTerms(weight * loss, {"class_loss": loss}, {"class_accuracy": accuracy})
