"""Resampling by a factor of two with the binomial filter [1, 3, 3, 1], in both directions.

It passes lower frequencies only, so that feature maps do not alias: StyleGAN2 and R3GAN use it in
place of nearest neighbours and means (https://arxiv.org/abs/1912.04958). Outside of the image there
are zeros. Each direction is computed separately, as sums of shifted copies.
"""

from keras import ops

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
    _, h, w, c = x.shape
    padded = ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    near, before, after = 0.75 * x, 0.25 * padded[:, :-2], 0.25 * padded[:, 2:]
    x = ops.reshape(ops.stack([before + near, near + after], axis=2), (-1, 2 * h, w, c))
    padded = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    near, before, after = 0.75 * x, 0.25 * padded[:, :, :-2], 0.25 * padded[:, :, 2:]
    return ops.reshape(ops.stack([before + near, near + after], axis=3), (-1, 2 * h, 2 * w, c))


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
    _, h, w, c = x.shape
    # A new row sums two neighbouring pairs of rows, with the weights 1, 3 and 3, 1.
    x = ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    x = ops.reshape(x, (-1, h // 2 + 1, 2, w, c))
    x = 0.125 * (x[:, :-1, 0] + x[:, 1:, 1]) + 0.375 * (x[:, :-1, 1] + x[:, 1:, 0])
    x = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    x = ops.reshape(x, (-1, h // 2, w // 2 + 1, 2, c))
    return 0.125 * (x[:, :, :-1, 0] + x[:, :, 1:, 1]) + 0.375 * (x[:, :, :-1, 1] + x[:, :, 1:, 0])
