"""The filter [1, 3, 3, 1] in both directions, in the fastest form on each backend.

TensorFlow has fast depthwise convolutions; in its graphs the gradient of a slice costs more than
the whole filter. Under JAX they are slow on CPUs, and XLA makes one loop of sums of shifted images.
"""

import keras
import numpy as np
from keras import ops

from compare_gan.types import Tensor

_WEIGHTS = np.outer([1, 3, 3, 1], [1, 3, 3, 1])


def binomial_filter(x: Tensor, padding: int, strides: int = 1, scale: float = 1.0) -> Tensor:
    """Sums of 4 x 4 pixels of each channel, weighted by the filter, after padding with zeros.

    Args:
      x: Float tensor [batch, h, w, c]; with strides 2, h and w are even.
      padding: Number of rows and columns of zeros on each side; 1 with strides 2.
      strides: 1, or 2 for the sums at every second pixel.
      scale: Factor of the result.

    Returns:
      [batch, h + 2 · padding - 3, w + 2 · padding - 3, c]; with strides 2 [batch, h / 2, w / 2, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> y = backend.binomial_filter(ops.ones((1, 4, 4, 1)), padding=0, scale=1 / 64)
      >>> ops.convert_to_numpy(y).tolist()
      [[[[1.0]]]]
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        pads = [[0, 0], [padding] * 2, [padding] * 2, [0, 0]]
        kernel = tf.constant(_depthwise_kernel(x, scale), x.dtype)
        return tf.nn.depthwise_conv2d(x, kernel, [1, strides, strides, 1], pads)
    return _filtered(x * scale, padding) if strides == 1 else _halved(x * scale)


def binomial_filter_transpose(x: Tensor, scale: float = 1.0) -> Tensor:
    """The transpose of `binomial_filter` with strides 2 and padding 1, which doubles the size.

    Args:
      x: Float tensor [batch, h, w, c].
      scale: Factor of the result.

    Returns:
      [batch, 2h, 2w, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> y = backend.binomial_filter_transpose(ops.ones((1, 2, 2, 1)))
      >>> ops.convert_to_numpy(y)[0, 1, :, 0].tolist()
      [12.0, 16.0, 16.0, 12.0]
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        b, h, w, c = x.shape
        size = [tf.shape(x)[0] if b is None else b, 2 * h, 2 * w, c]
        kernel = tf.constant(_depthwise_kernel(x, scale), x.dtype)
        pads = [[0, 0], [1, 1], [1, 1], [0, 0]]
        return tf.nn.depthwise_conv2d_backprop_input(size, kernel, x, [1, 2, 2, 1], pads)
    return _doubled(x * scale)


def _depthwise_kernel(x: Tensor, scale: float) -> np.ndarray:
    """The filter for each channel, [4, 4, c, 1]."""
    return np.repeat(scale * _WEIGHTS[:, :, None, None], x.shape[-1], axis=2)


def _doubled(x: Tensor) -> Tensor:
    """A new row sums three times the nearest row and once the next."""
    _, h, w, c = x.shape
    padded = ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    pairs = ops.stack([padded[:, :-2] + 3 * x, 3 * x + padded[:, 2:]], axis=2)
    x = ops.reshape(pairs, (-1, 2 * h, w, c))
    padded = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    pairs = ops.stack([padded[:, :, :-2] + 3 * x, 3 * x + padded[:, :, 2:]], axis=3)
    return ops.reshape(pairs, (-1, 2 * h, 2 * w, c))


def _filtered(x: Tensor, padding: int) -> Tensor:
    """Sums of neighbours, three times: [1, 1] * [1, 1] * [1, 1] = [1, 3, 3, 1]."""
    x = ops.pad(x, ((0, 0), (padding, padding), (0, 0), (0, 0)))
    for _ in range(3):
        x = x[:, :-1] + x[:, 1:]
    x = ops.pad(x, ((0, 0), (0, 0), (padding, padding), (0, 0)))
    for _ in range(3):
        x = x[:, :, :-1] + x[:, :, 1:]
    return x


def _halved(x: Tensor) -> Tensor:
    """A new row sums two neighbouring pairs of rows, with the weights 1, 3 and 3, 1."""
    _, h, w, c = x.shape
    x = ops.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    x = ops.reshape(x, (-1, h // 2 + 1, 2, w, c))
    x = x[:, :-1, 0] + x[:, 1:, 1] + 3 * (x[:, :-1, 1] + x[:, 1:, 0])
    x = ops.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    x = ops.reshape(x, (-1, h // 2, w // 2 + 1, 2, c))
    return x[:, :, :-1, 0] + x[:, :, 1:, 1] + 3 * (x[:, :, :-1, 1] + x[:, :, 1:, 0])
