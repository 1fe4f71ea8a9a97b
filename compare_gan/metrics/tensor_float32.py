"""Full float32 precision on GPUs that would otherwise round to TensorFloat-32."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def without_tensor_float_32() -> Iterator[None]:
    """Context manager, or decorator, that turns off TensorFloat-32.

    On NVIDIA GPUs since Ampere, TensorFlow lets matrix products and convolutions round their inputs
    to 10 bits of mantissa (TensorFloat-32). Training tolerates that. Scores would depend on the
    device, and the difference of two images whose latents are 1e-4 apart would be mostly rounding.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.metrics.tensor_float32 import without_tensor_float_32
      >>> with without_tensor_float_32():
      ...     tf.config.experimental.tensor_float_32_execution_enabled()
      False
    """
    config = tf.config.experimental
    before = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        config.enable_tensor_float_32_execution(before)
