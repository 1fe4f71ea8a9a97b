"""Resampling by a factor of two with the binomial filter [1, 3, 3, 1], in both directions.

It passes lower frequencies only, so that feature maps do not alias: StyleGAN2 and R3GAN use it in
place of nearest neighbours and means (https://arxiv.org/abs/1912.04958). Outside of the image there
are zeros.
"""

from compare_gan import backend
from compare_gan.types import Tensor


def upsample_binomial(x: Tensor) -> Tensor:
    """Doubles height and width: each new pixel is 3/4 of the nearest one and 1/4 of the next.

    Args:
      x: Float tensor [batch, h, w, c].

    Returns:
      [batch, 2h, 2w, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import upsample_binomial
      >>> y = upsample_binomial(ops.array([[[[4.0], [8.0]]]]))
      >>> ops.convert_to_numpy(y)[0, 0, :, 0].tolist()
      [2.25, 3.75, 5.25, 4.5]
    """
    return backend.binomial_filter_transpose(x, scale=4 / 64)


def downsample_binomial(x: Tensor) -> Tensor:
    """Halves height and width: each new pixel is a mean of 4 x 4, weighted by [1, 3, 3, 1] / 8.

    Args:
      x: Float tensor [batch, h, w, c], where h and w are even.

    Returns:
      [batch, h / 2, w / 2, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import downsample_binomial
      >>> y = downsample_binomial(ops.ones((1, 4, 4, 1)))
      >>> ops.convert_to_numpy(y)[0, :, :, 0].tolist()
      [[0.765625, 0.765625], [0.765625, 0.765625]]
    """
    return backend.binomial_filter(x, padding=1, strides=2, scale=1 / 64)
