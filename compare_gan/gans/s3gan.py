"""S3GAN: a conditional GAN from few labels, with rotation prediction and inferred labels."""

from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.errors import UserError, unknown_name
from compare_gan.gans.batch_view import TrainingBatch
from compare_gan.gans.modular_gan import ModularGAN
from compare_gan.gans.tasks import (
    NUM_ROTATIONS,
    AuxiliaryTask,
    ClassPredictionTask,
    RotationTask,
    check_square,
    label_available,
)
from compare_gan.layers import Dense
from compare_gan.schedules import Scheduled, check_range
from compare_gan.types import Tensor

_SELF_SUPERVISION = ("rotation", "none")


@registry.register("gan", "S3GAN", paper="https://arxiv.org/abs/1903.02271")
class S3GAN(ModularGAN):
    """Semi- and self-supervised GAN: good conditional samples from few labels (Lucic et al., 2019).

    Three parts, each optional: rotation prediction on the discriminator's features; a class
    predictor on them, trained with it on the labelled real images; the projection of the features
    on the embedding of the label or, for an image without one, of the predicted label.

    Paper: https://arxiv.org/abs/1903.02271.

    Args:
      image_shape: Shape of images, (H, W, C).
      num_classes: Number of classes of the data; None if it has none.
      architecture: See ModularGAN.
      self_supervision: `rotation` or `none`.
      rotated_batch_fraction: Batch size divided by the number of images for the rotation loss:
        originals and copies of them rotated by 90, 180 and 270 degrees, in equal numbers. For a
        fraction of 2, 8 of 64 images are rotated. Four times it must divide each replica's batch
        size.
        Required with `rotation`.
      weight_rotation_loss_d: Weight of the rotation loss in the discriminator's loss.
      weight_rotation_loss_g: Weight of the rotation loss in the generator's loss.
      project_y: Add the projection on the label's embedding to the logits. It takes the place of
        the architecture's own projection, which is switched off.
      use_predictor: Predict the label of images without one.
      use_soft_pred: Predict class probabilities instead of the likeliest class.
      weight_class_loss: Weight of the predictor's cross-entropy in the discriminator's loss.
      use_soft_labels: Take soft labels as they are; False = their likeliest class.
      **modular_gan_options: All options of ModularGAN.

    Raises:
      UserError: Options contradict each other, or a keyword is not known.

    Example:
      >>> from compare_gan.gans import S3GAN
      >>> gan = S3GAN(
      ...     (8, 8, 1), 10, "dummy_arch", rotated_batch_fraction=2,
      ...     conditional=True, project_y=True, use_predictor=True,
      ... )
      >>> list(gan.heads)
      ['rotation', 'class_prediction', 'projection']
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None,
        architecture: Any = None,
        *,
        self_supervision: str = "rotation",
        rotated_batch_fraction: int | None = None,
        weight_rotation_loss_d: Scheduled = 1.0,
        weight_rotation_loss_g: Scheduled = 0.2,
        project_y: bool = False,
        use_predictor: bool = False,
        use_soft_pred: bool = False,
        weight_class_loss: Scheduled = 1.0,
        use_soft_labels: bool = False,
        **modular_gan_options: Any,
    ):
        self.self_supervision = self_supervision
        self.rotated_batch_fraction = rotated_batch_fraction
        self.weight_rotation_loss_d = weight_rotation_loss_d
        self.weight_rotation_loss_g = weight_rotation_loss_g
        self.project_y = project_y
        self.use_predictor = use_predictor
        self.use_soft_pred = use_soft_pred
        self.weight_class_loss = weight_class_loss
        self.use_soft_labels = use_soft_labels
        super().__init__(image_shape, num_classes, architecture, **modular_gan_options)

    def check_options(self) -> None:
        super().check_options()
        for option in ("weight_rotation_loss_d", "weight_rotation_loss_g", "weight_class_loss"):
            check_range(f"S3GAN.{option}", getattr(self, option))
        if self.self_supervision not in _SELF_SUPERVISION:
            raise unknown_name("S3GAN.self_supervision", self.self_supervision, _SELF_SUPERVISION)
        if self.self_supervision == "rotation":
            fraction = self.rotated_batch_fraction
            if not isinstance(fraction, int) or fraction < 1:
                raise UserError(
                    "S3GAN.rotated_batch_fraction must be a positive integer with "
                    f"self_supervision = 'rotation', received {fraction!r}."
                )
            check_square(self.image_shape)
        for option, needed in (
            ("project_y", "conditional"),
            ("use_predictor", "project_y"),
            ("use_soft_pred", "use_predictor"),
            ("use_soft_labels", "conditional"),
        ):
            if getattr(self, option) and not getattr(self, needed):
                raise UserError(f"S3GAN.{option} = True needs S3GAN.{needed} = True.")

    def check_batch_size(self, batch_size_per_replica: int) -> None:
        super().check_batch_size(batch_size_per_replica)
        if self.self_supervision == "none":
            return
        fraction = self.rotated_batch_fraction or 1  # See `check_options`.
        if batch_size_per_replica % (NUM_ROTATIONS * fraction):
            raise UserError(
                f"S3GAN.rotated_batch_fraction is {fraction}: the batch size of a replica, "
                f"{batch_size_per_replica}, must be a multiple of {NUM_ROTATIONS * fraction}."
            )

    def make_tasks(self) -> list[AuxiliaryTask]:
        tasks: list[AuxiliaryTask] = []
        if self.self_supervision == "rotation":
            tasks.append(
                RotationTask(
                    self._num_rotated, self.weight_rotation_loss_d, self.weight_rotation_loss_g
                )
            )
        if self.use_predictor:
            tasks.append(ClassPredictionTask(self.num_classes, self.weight_class_loss))
        return tasks

    def make_heads(self, num_features: int, spectral_norm: bool) -> dict[str, keras.layers.Layer]:
        heads = super().make_heads(num_features, spectral_norm)
        if self.project_y:
            heads["projection"] = Dense(
                num_features,
                use_bias=False,
                spectral_norm=spectral_norm,
                kernel_initializer="glorot_normal",
                name="discriminator_projection",
            )
            heads["projection"].build((None, self.num_classes))
        return heads

    def discriminator_options(self) -> dict[str, Any]:
        return {"project_y": False} if self.project_y else {}

    def labels(self, batch: TrainingBatch) -> Tensor | None:
        y = super().labels(batch)
        if y is None or self.use_soft_labels:
            return y
        hard = ops.one_hot(ops.argmax(y, axis=1), self.num_classes, dtype=y.dtype)
        return hard * label_available(y)

    def conditioned_logits(
        self, logits: Tensor, features: Tensor, y: Tensor | None, predictions: dict[str, Tensor]
    ) -> Tensor:
        if not self.project_y:
            return logits
        # Gradients reach the predictor through its cross-entropy only.
        y = ops.stop_gradient(self._complete(y, predictions))
        embedding = ops.cast(self.heads["projection"](y, training=True), features.dtype)
        return logits + ops.sum(embedding * features, axis=1, keepdims=True)

    def _num_rotated(self, batch_size: int) -> int:
        assert self.rotated_batch_fraction is not None  # See `check_options`.
        return batch_size // self.rotated_batch_fraction // NUM_ROTATIONS

    def _complete(self, y: Tensor, predictions: dict[str, Tensor]) -> Tensor:
        """`y` with the predicted labels in the rows that hold none; without predictor zeros.

        Zeros add no projection: for an image of unknown class, D judges only whether it is real.
        """
        available = label_available(y)
        if not self.use_predictor:
            return available * y
        logits = predictions[ClassPredictionTask.name]
        if self.use_soft_pred:
            predicted = ops.softmax(logits)
        else:
            predicted = ops.one_hot(ops.argmax(logits, axis=1), self.num_classes)
        return available * y + (1.0 - available) * ops.cast(predicted, y.dtype)
