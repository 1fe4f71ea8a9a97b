"""Resizing of images that `keras.ops` lacks."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from compare_gan.types import Tensor


def tf1_bilinear(images: Tensor, size: Sequence[int]) -> Tensor:
    """Resizes as TensorFlow 1 did: bilinear, without half-pixel centres and antialiasing.

    Args:
      images: Images [n, H, W, C] of any type.
      size: New size (height, width).

    Returns:
      The resized images, float32 [n, height, width, C].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> images = ops.reshape(ops.arange(4.0), (1, 1, 4, 1))
      >>> ops.convert_to_numpy(backend.tf1_bilinear(images, (1, 2))).ravel().tolist()
      [0.0, 2.0]
    """
    height, width = size
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.compat.v1.image.resize_bilinear(tf.cast(images, tf.float32), (height, width))
    # In the order of TensorFlow's operation, so that the results are rounded in the same way.
    return _resized(_resized(ops.cast(images, "float32"), 2, width), 1, height)


def _resized(images: Tensor, axis: int, size: int) -> Tensor:
    old = images.shape[axis]
    positions = np.arange(size, dtype=np.float32) * (np.float32(old) / np.float32(size))
    before = np.floor(positions).astype(np.int32)
    after = np.minimum(before + 1, old - 1)
    weight = np.expand_dims(positions - before, [n for n in range(4) if n != axis])
    low, high = ops.take(images, before, axis), ops.take(images, after, axis)
    return low + (high - low) * ops.convert_to_tensor(weight.astype(np.float32))
