"""Penalties on steep slopes of the discriminator between real and generated images."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.backend import gathered, gradient
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor


@registry.register("penalty", "wgan_lp", paper="https://arxiv.org/abs/1709.08894")
class WGANLP(Penalty):
    """One-sided gradient penalty: only slopes above 1 count (Petzka et al., 2017).

    Like `wgangp_penalty`, at one point on the segment from each real to its fake image, but slopes
    below 1 are allowed. Slopes are with respect to images in [0, 1]: a slope of 1 here is one of
    1/2 for images in [-1, 1].

    Paper: https://arxiv.org/abs/1709.08894.

    Args:
      weight: Weight of the term, a number or a schedule; 5 in the paper's toy problems, 10 for
        images.
      interval: Number of discriminator updates between two evaluations.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import WGANLP
      >>> x, uniform = np.zeros((2, 2, 2, 1), "float32"), lambda shape: np.full(shape, 0.5)
      >>> [  # Of slopes of 3 and of 1/2.
      ...     float(WGANLP().discriminator_term(lambda x: x[:, 0, 0] * slope, x, x + 1, uniform))
      ...     for slope in (3.0, 0.5)
      ... ]
      [4.0, 0.0]
    """

    name = "wgan_lp"

    def __init__(self, weight: Scheduled = 10.0, interval: int = 1):
        super().__init__(weight, interval)

    def discriminator_term(
        self,
        discriminator: Callable[[Tensor], Tensor],
        x: Tensor,
        x_fake: Tensor,
        uniform: Callable[..., Any],
    ) -> Tensor:
        """Mean squared excess over 1 of the norm of D's gradient, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1].
          x: Float [b, H, W, C] in [0, 1], real images.
          x_fake: Float [b, H, W, C] in [0, 1], generated images.
          uniform: Function from a shape to float draws in [0, 1).
        """
        squared = squared_slopes(discriminator, x, x_fake, uniform)
        # Before the root, which has no derivative at 0.
        return ops.mean(ops.square(ops.sqrt(ops.maximum(squared, 1.0)) - 1.0))


@registry.register("penalty", "max_gp", paper="https://arxiv.org/abs/1902.05687")
class MaxGP(Penalty):
    """The largest squared slope between real and generated images (Zhou et al., LGAN, 2019).

    The maximum over the whole batch, one point on the segment from each real to its fake image.
    Squared slopes are with respect to images in [0, 1] and four times those with respect to images
    in [-1, 1]: divide a published weight by 4.

    Paper: https://arxiv.org/abs/1902.05687.

    Args:
      weight: Weight of the term, a number or a schedule. The paper searches among 0.01, 0.1, 1 and
        10 for each data set.
      interval: Number of discriminator updates between two evaluations; 1 on several replicas.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import MaxGP
      >>> x, uniform = np.zeros((2, 2, 2, 1), "float32"), lambda shape: np.full(shape, 0.5)
      >>> float(MaxGP().discriminator_term(lambda x: x[:, 0, 0] * 3, x, x + 1, uniform))
      9.0
    """

    name = "max_gp"

    def __init__(self, weight: Scheduled = 0.25, interval: int = 1):
        super().__init__(weight, interval)

    def discriminator_term(
        self,
        discriminator: Callable[[Tensor], Tensor],
        x: Tensor,
        x_fake: Tensor,
        uniform: Callable[..., Any],
    ) -> Tensor:
        """Largest squared norm of D's gradient, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1].
          x: Float [b, H, W, C] in [0, 1], real images.
          x_fake: Float [b, H, W, C] in [0, 1], generated images.
          uniform: Function from a shape to float draws in [0, 1).
        """
        return ops.max(gathered(squared_slopes(discriminator, x, x_fake, uniform)))


def between(x: Tensor, x_fake: Tensor, uniform: Callable[..., Any]) -> Tensor:
    """One point on the segment from each real image to its fake one, uniformly, [b, H, W, C]."""
    x, x_fake = ops.convert_to_tensor(x), ops.convert_to_tensor(x_fake)
    alpha = ops.cast(uniform((x.shape[0], 1, 1, 1)), x.dtype)
    return x + alpha * (x_fake - x)


def squared_slopes(
    discriminator: Callable[[Tensor], Tensor],
    x: Tensor,
    x_fake: Tensor,
    uniform: Callable[..., Any],
) -> Tensor:
    """Squared norms of D's gradient between the images, float32 [b]."""
    slopes = gradient(discriminator, between(x, x_fake, uniform))
    return ops.sum(ops.square(ops.cast(slopes, "float32")), axis=(1, 2, 3))
