"""Class prediction: which class does a real image show?"""

from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean
from compare_gan.errors import UserError
from compare_gan.gans.tasks.base import AuxiliaryTask, Head, Seen
from compare_gan.gans.terms import LossTerms
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor


def label_available(labels: Tensor) -> Tensor:
    """Finds the rows that hold a label: those that sum to more than one half.

    Args:
      labels: Float [b, num_classes]; one-hot, soft, or a row of zeros for no label.

    Returns:
      [b, 1] of zeros and ones, in the dtype of `labels`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.gans.tasks import label_available
      >>> np.array(label_available(np.float32([[0, 1], [0, 0]]))).tolist()
      [[1.0], [0.0]]
    """
    return ops.cast(ops.sum(labels, axis=1, keepdims=True) > 0.5, labels.dtype)


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
        if num_classes is None:
            raise UserError("The task 'class_prediction' needs a conditional GAN.")
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
        available = label_available(labels)[:, 0]
        cross_entropy = -ops.sum(labels * ops.log_softmax(logits), axis=1)
        correct = ops.cast(
            ops.equal(ops.argmax(logits, axis=1), ops.argmax(labels, axis=1)), labels.dtype
        )
        # Replicas may have different numbers of labels. The mean of their losses is the mean over
        # all labelled images if each divides by the average number. None gives 0 / epsilon.
        [count] = cross_replica_mean([ops.sum(available)])
        count = ops.maximum(count, 1e-6)
        loss = ops.sum(available * cross_entropy) / count
        accuracy = ops.sum(available * correct) / count
        weight = value_at(self.weight_d, step)
        return LossTerms(weight * loss, {"class_loss": loss}, {"class_accuracy": accuracy})
