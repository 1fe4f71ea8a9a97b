"""Consistency of images: the discriminator should judge alike what looks alike."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor

Discriminator = Callable[[Tensor], Tensor]
Draw = Callable[..., Any]


@registry.register("penalty", "cr", paper="https://arxiv.org/abs/1910.12027")
class CR(Penalty):
    """Squared change of D's logits by a flip and shift of real images (Zhang et al., CR-GAN, 2019).

    Half of the images are flipped, and all are shifted by up to an eighth of each side, the
    uncovered border mirrored. Gradients flow through both logits.

    Paper: https://arxiv.org/abs/1910.12027.

    Args:
      weight: Weight of the term, a number or a schedule.
      interval: Number of discriminator updates between two evaluations.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import CR
      >>> x = np.float32([[[[0.0], [1.0]]] * 2])
      >>> def critic(x):  # The logit is the first pixel, which a flip makes 1.
      ...     return x[:, 0, 0]
      >>> float(CR().discriminator_term(critic, x, critic(x), lambda shape: np.full(shape, 0.4)))
      1.0
    """

    name = "cr"
    compares_forwards = True

    def __init__(self, weight: Scheduled = 10.0, interval: int = 1):
        super().__init__(weight, interval)

    def discriminator_term(
        self, discriminator: Discriminator, x: Tensor, real_logits: Tensor, uniform: Draw
    ) -> Tensor:
        """Mean squared change of logits, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1].
          x: Float [b, H, W, C], real images.
          real_logits: Float [b, 1], their logits.
          uniform: Function from a shape, batch first, to draws in [0, 1).
        """
        return change_when_shifted(discriminator, x, real_logits, uniform)


@registry.register("penalty", "bcr", paper="https://arxiv.org/abs/2002.04724")
class BCR(Penalty):
    """Balanced consistency: `CR` on real and on generated images (Zhao et al., 2020).

    Paper: https://arxiv.org/abs/2002.04724.

    Args:
      weight: Weight of both terms, a number or a schedule.
      interval: Number of discriminator updates between two evaluations.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import BCR
      >>> x = np.float32([[[[0.0], [1.0]]] * 2])
      >>> def critic(x):
      ...     return x[:, 0, 0]
      >>> float(BCR().discriminator_term(
      ...     critic, critic, x, 3 * x, critic(x), critic(x), lambda shape: np.full(shape, 0.4)
      ... ))
      10.0
    """

    name = "bcr"
    compares_forwards = True

    def __init__(self, weight: Scheduled = 10.0, interval: int = 1):
        super().__init__(weight, interval)

    def discriminator_term(
        self,
        discriminator: Discriminator,
        discriminator_of_fakes: Discriminator,
        x: Tensor,
        x_fake: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
        uniform: Draw,
    ) -> Tensor:
        """The sum of the mean squared changes of both kinds' logits, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1], with the labels of real images.
          discriminator_of_fakes: The same with those of generated images.
          x: Float [b, H, W, C], real images.
          x_fake: Float [b, H, W, C], generated images.
          real_logits: Float [b, 1], logits of `x`.
          fake_logits: Float [b, 1], logits of `x_fake`.
          uniform: Function from a shape, batch first, to draws in [0, 1).
        """
        return change_when_shifted(discriminator, x, real_logits, uniform) + change_when_shifted(
            discriminator_of_fakes, x_fake, fake_logits, uniform
        )


def flipped_and_shifted(images: Tensor, uniform: Draw) -> Tensor:
    """Images half of which are flipped, then all shifted by up to an eighth of each side, mirrored.

    Args:
      images: Float [b, H, W, C].
      uniform: Function from a shape, batch first, to draws in [0, 1): one for each image for the
        flip, then for the shifts of rows and of columns.
    """
    images = ops.convert_to_tensor(images)
    b, height, width, _ = images.shape
    flip, rows, columns = (ops.convert_to_tensor(uniform((b, 1))) for _ in range(3))
    rows, columns = _mirrored_positions(rows, height), _mirrored_positions(columns, width)
    columns = ops.where(flip < 0.5, width - 1 - columns, columns)
    # Products with 0/1 matrices pick rows and columns: their gradient is faster than a gather's.
    picked_rows, picked_columns = (
        ops.one_hot(position, size, dtype=images.dtype)
        for position, size in ((rows, height), (columns, width))
    )
    images = ops.einsum("bij,bjwc->biwc", picked_rows, images)
    return ops.einsum("bij,bhjc->bhic", picked_columns, images)


def _mirrored_positions(draws: Tensor, size: int) -> Tensor:
    """For each row of a shifted image the row that it shows, int32 [b, size]; draws are [b, 1]."""
    most = size // 8
    shift = ops.cast(ops.floor(draws * (2 * most + 1)), "int32") - most
    position = ops.abs(ops.arange(size, dtype="int32")[None, :] + shift)
    return ops.where(position < size, position, 2 * (size - 1) - position)


def change_when_shifted(
    discriminator: Discriminator, images: Tensor, logits: Tensor, uniform: Draw
) -> Tensor:
    """Mean squared change of logits by a flip and shift of the images."""
    return distance(logits, discriminator(flipped_and_shifted(images, uniform)))


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference, a float32 scalar."""
    return ops.mean(ops.square(ops.cast(one, "float32") - ops.cast(other, "float32")))
