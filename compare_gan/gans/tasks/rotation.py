"""Rotation prediction: by which multiple of 90 degrees was an image turned?"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.backend import num_parts, num_shares
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.gans.tasks.base import AuxiliaryTask, Head, Seen
from compare_gan.gans.terms import LossTerms
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor

NUM_ROTATIONS = 4


def rotate_90(images: Tensor, times: int) -> Tensor:
    """Turns images counter-clockwise by multiples of 90 degrees, moving pixels only.

    Args:
      images: [b, H, W, C], any dtype; H = W unless `times` is even.
      times: Number of quarter turns.

    Returns:
      `numpy.rot90(images, times, axes=(1, 2))`, exactly.

    Example:
      >>> import numpy as np
      >>> from compare_gan.gans.tasks import rotate_90
      >>> np.array(rotate_90(np.float32([1, 2, 3, 4]).reshape(1, 2, 2, 1), 1))[0, :, :, 0].tolist()
      [[2.0, 4.0], [1.0, 3.0]]
    """
    times %= NUM_ROTATIONS
    if times == 2:
        return ops.flip(images, axis=(1, 2))
    if times:
        images = ops.transpose(images, (0, 2, 1, 3))
        return ops.flip(images, axis=1 if times == 1 else 2)
    return images


@registry.register("task", "rotation", paper="https://arxiv.org/abs/1803.07728")
class RotationTask(AuxiliaryTask):
    """Predicts the rotation of turned images (Gidaris et al., 2018; Chen et al., SSGAN, 2019).

    n images of a half are shown a second, third and fourth time, turned by 90, 180 and 270 degrees,
    with the labels of their originals. The discriminator learns from the real ones, the generator
    from its own.

    Papers: https://arxiv.org/abs/1803.07728, https://arxiv.org/abs/1811.11212.

    Args:
      num_rotated: Number of images of the global batch to turn, or a function from the number of
        images in a replica's half to the number n of those to turn, at least 1.
      weight_d: Weight of the cross-entropy on real images in the discriminator's loss, a number or
        a schedule.
      weight_g: Weight of the cross-entropy on generated images in the generator's loss, likewise.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> import numpy as np
      >>> from compare_gan.gans.tasks import RotationTask
      >>> images, labels = RotationTask(2).extra_examples(np.zeros((8, 4, 4, 1)), None)
      >>> images.shape[0]  # Two images, each turned by 90, 180 and 270 degrees.
      6
    """

    name = "rotation"

    def __init__(
        self,
        num_rotated: Callable[[int], int] | int = 16,
        weight_d: Scheduled = 1.0,
        weight_g: Scheduled = 0.2,
    ):
        if not callable(num_rotated):
            check_positive_integer("rotation.num_rotated", num_rotated)
        check_range("rotation.weight_d", weight_d)
        check_range("rotation.weight_g", weight_g)
        self._num_rotated = num_rotated
        self.weight_d = weight_d
        self.weight_g = weight_g

    def num_rotated(self, batch_size: int) -> int:
        """The number of images to turn in a replica's half of `batch_size` images."""
        if callable(self._num_rotated):
            return self._num_rotated(batch_size)
        return self._num_rotated // num_shares()

    def check(self, image_shape: tuple[int, int, int], num_classes: int | None) -> None:
        check_square(image_shape)

    def check_batch_size(self, batch_size_per_replica: int) -> None:
        if callable(self._num_rotated):
            return
        if self._num_rotated % num_shares():
            among = "replicas" if num_parts() == 1 else "replicas times that of microbatches"
            raise UserError(
                f"rotation.num_rotated is {self._num_rotated}: it must be a multiple of the "
                f"number of {among}, {num_shares()}."
            )
        if self._num_rotated > batch_size_per_replica * num_shares():
            raise UserError(
                f"rotation.num_rotated is {self._num_rotated}: more than the batch size, "
                f"{batch_size_per_replica * num_shares()}."
            )

    def make_head(self, spectral_norm: bool) -> keras.layers.Layer:
        return Head(NUM_ROTATIONS, "score_classify", spectral_norm, name="discriminator_rotation")

    def extra_examples(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        rows = _rows_to_turn(images.shape[0], self.num_rotated(images.shape[0]))
        turned = [rotate_90(images[rows], times) for times in range(1, NUM_ROTATIONS)]
        if labels is not None:
            labels = ops.tile(labels[rows], (NUM_ROTATIONS - 1, 1))
        return ops.concatenate(turned), labels

    def discriminator_terms(self, real: Seen, fake: Seen, step: Any = 0) -> LossTerms:
        loss, accuracy = _cross_entropy_and_accuracy(real)
        weight = value_at(self.weight_d, step)
        return LossTerms(
            weight * loss, {"rotation_loss_real": loss}, {"rotation_accuracy_real": accuracy}
        )

    def generator_terms(self, fake: Seen, step: Any = 0) -> LossTerms:
        loss, accuracy = _cross_entropy_and_accuracy(fake)
        weight = value_at(self.weight_g, step)
        return LossTerms(
            weight * loss, {"rotation_loss_fake": loss}, {"rotation_accuracy_fake": accuracy}
        )


def _rows_to_turn(batch_size: int, n: int) -> slice:
    """Evenly spaced rows, the last among them.

    Where n divides the batch size, one replica and several that share the batch turn the same
    images. (The 2019 library turned the last n of each replica's.)
    """
    stride = batch_size // n
    return slice(batch_size - 1 - (n - 1) * stride, None, stride)


def _cross_entropy_and_accuracy(seen: Seen) -> tuple[Tensor, Tensor]:
    assert seen.extra_outputs is not None
    n = seen.extra_outputs.shape[0] // (NUM_ROTATIONS - 1)
    upright = seen.outputs[_rows_to_turn(seen.outputs.shape[0], n)]
    logits = ops.concatenate([upright, seen.extra_outputs])
    rotation = ops.repeat(ops.arange(NUM_ROTATIONS, dtype="int32"), n)
    target = ops.one_hot(rotation, NUM_ROTATIONS, dtype=logits.dtype)
    loss = -ops.mean(ops.sum(target * ops.log_softmax(logits), axis=1))
    correct = ops.equal(ops.cast(ops.argmax(logits, axis=1), "int32"), rotation)
    return loss, ops.mean(ops.cast(correct, logits.dtype))


def check_square(image_shape: tuple[int, int, int]) -> None:
    """Raises UserError unless images of this shape can be turned by 90 degrees and keep it.

    Example:
      >>> from compare_gan.gans.tasks import check_square
      >>> check_square((32, 32, 3))
    """
    height, width = image_shape[:2]
    if height != width:
        raise UserError(
            f"Rotation self-supervision needs square images, received {height}x{width}: set "
            "self_supervision = 'none' or use square images."
        )
