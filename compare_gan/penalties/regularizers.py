"""Penalties without settings: functions that ask by parameter name for what they need."""

from collections.abc import Callable, Sequence

import keras
from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean, gradient
from compare_gan.penalties.slopes import between
from compare_gan.types import Tensor

# Under the root of the gradient's squared norm: the root has no derivative at zero.
_SLOPE_EPSILON = 1e-4


@registry.register("penalty", "no_penalty")
def no_penalty() -> Tensor:
    """No penalty: zero.

    Returns:
      A float32 scalar.

    Example:
      >>> from compare_gan.penalties import no_penalty
      >>> float(no_penalty())
      0.0
    """
    return ops.zeros(())


@registry.register("penalty", "wgangp_penalty", paper="https://arxiv.org/abs/1704.00028")
def wgangp_penalty(
    discriminator: Callable[[Tensor], Tensor],
    x: Tensor,
    x_fake: Tensor,
    uniform: Callable[..., Tensor] = keras.random.uniform,
) -> Tensor:
    """Gradient penalty of WGAN-GP, between real and fake (Gulrajani et al., 2017).

    Draws one point on the segment from each real to its fake image, and penalises the squared
    distance of D's gradient norm there from 1.

    Args:
      discriminator: Function from images to logits [b, 1]: in training mode, with labels.
      x: Float [b, H, W, C] in [0, 1], real images.
      x_fake: Float [b, H, W, C] in [0, 1], generated images.
      uniform: Function from a shape to float draws in [0, 1).

    Returns:
      A scalar in [0, inf).

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import wgangp_penalty
      >>> x = np.zeros((2, 2, 2, 1), "float32")
      >>> value = wgangp_penalty(lambda x: x[:, 0, 0] * 3, x, x + 1)  # A slope of 3 everywhere.
      >>> round(float(value), 3)
      4.0
    """
    return _unit_slope_penalty(discriminator, between(x, x_fake, uniform))


@registry.register("penalty", "dragan_penalty", paper="https://arxiv.org/abs/1705.07215")
def dragan_penalty(
    discriminator: Callable[[Tensor], Tensor],
    x: Tensor,
    uniform: Callable[..., Tensor] = keras.random.uniform,
) -> Tensor:
    """Gradient penalty of DRAGAN, around the real images (Kodali et al., 2017).

    Adds to each pixel uniform noise in ±½ standard deviation (one scalar, over the whole batch),
    clips to [0, 1] and penalises the squared distance of D's gradient norm there from 1.

    Args:
      discriminator: Function from images to logits [b, 1]: in training mode, with labels.
      x: Float [b, H, W, C] in [0, 1], real images.
      uniform: Function from a shape to float draws in [0, 1).

    Returns:
      A scalar in [0, inf).

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import dragan_penalty
      >>> x = np.zeros((2, 2, 2, 1), "float32")
      >>> round(float(dragan_penalty(lambda x: x[:, 0, 0] * 3, x)), 3)
      4.0
    """
    x = ops.convert_to_tensor(x)
    noise = ops.cast(uniform(tuple(x.shape)), x.dtype) - 0.5
    # The whole batch is that of all replicas: one standard deviation for all of them.
    mean, mean_square = cross_replica_mean([ops.mean(x), ops.mean(ops.square(x))])
    std = ops.sqrt(ops.maximum(mean_square - ops.square(mean), 0.0))
    return _unit_slope_penalty(discriminator, ops.clip(x + std * noise, 0.0, 1.0))


@registry.register("penalty", "l2_penalty")
def l2_penalty(kernels: Sequence[Tensor]) -> Tensor:
    """Weight decay: the mean over D's kernels of half their squared norm.

    Args:
      kernels: The discriminator's kernels, without biases, as its layers scale them.

    Returns:
      A scalar in [0, inf).

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import l2_penalty
      >>> float(l2_penalty([np.float32([3.0, 4.0]), np.float32([1.0])]))
      6.5
    """
    return sum(0.5 * ops.sum(ops.square(kernel)) for kernel in kernels) / len(kernels)


def _unit_slope_penalty(discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Mean squared distance from 1 of the norm of D's gradient at each of `x`."""
    squared = ops.sum(ops.square(ops.cast(gradient(discriminator, x), "float32")), axis=(1, 2, 3))
    return ops.mean(ops.square(ops.sqrt(_SLOPE_EPSILON + squared) - 1.0))
