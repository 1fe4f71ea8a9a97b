"""Max pooling in the fastest form that each backend can differentiate."""

import keras
from keras import ops

from compare_gan.backend.replicas import on_cpu
from compare_gan.types import Tensor


def max_pool(x: Tensor) -> Tensor:
    """Halves height and width by the maximum of each 2 x 2 window; odd sides are rounded down.

    Where pixels of a window are equal, the gradient goes to the first of them (by row, then by
    column) on every backend.

    Args:
      x: [batch, h, w, c].

    Returns:
      [batch, ⌊h/2⌋, ⌊w/2⌋, c].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> x = ops.reshape(ops.arange(8, dtype="float32"), (1, 2, 4, 1))
      >>> ops.convert_to_numpy(backend.max_pool(x))[0, :, :, 0].tolist()
      [[5.0, 7.0]]
    """
    if on_cpu() and not _deterministic():
        return ops.max_pool(x, 2, strides=2, padding="valid")
    # XLA has no deterministic gradient of TensorFlow's max pooling; JAX's is a slow scatter.
    _, h, w, c = x.shape
    h, w = h // 2, w // 2
    x = x[:, : 2 * h, : 2 * w]
    x = _larger(*ops.unstack(ops.reshape(x, (-1, 2, c)), 2, axis=1))
    x = _larger(*ops.unstack(ops.reshape(x, (-1, 2, w * c)), 2, axis=1))
    return ops.reshape(x, (-1, h, w, c))


def _larger(first: Tensor, second: Tensor) -> Tensor:
    # The gradient of a maximum is split between equal values, but not on TensorFlow.
    return ops.where(second > first, second, first)


def _deterministic() -> bool:
    """Whether TensorFlow, which is the Keras backend, uses op determinism."""
    assert keras.backend.backend() == "tensorflow"
    from tensorflow.python.framework import config  # There is no public function.

    return config.is_op_determinism_enabled()
