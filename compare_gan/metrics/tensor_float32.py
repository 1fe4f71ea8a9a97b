"""Float32 that is float32, also where GPUs would round it."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def without_tensor_float_32() -> Iterator[None]:
    """Matrix products and convolutions inside round float32 to no fewer bits; a decorator, too.

    On NVIDIA's GPUs since Ampere TensorFlow lets them round their inputs to 10 bits of mantissa
    (TensorFloat-32). Training bears that; scores would hang on the device, and differences of
    images whose latents are 1e-4 apart would be those of the rounding.
    """
    config = tf.config.experimental
    before = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        config.enable_tensor_float_32_execution(before)
