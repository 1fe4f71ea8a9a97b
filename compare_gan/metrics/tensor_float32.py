"""Full float32 precision on GPUs that would otherwise round to TensorFloat-32."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def without_tensor_float_32() -> Iterator[None]:
    """Context manager, or decorator, that turns off TensorFloat-32, in all threads.

    On NVIDIA GPUs since Ampere, TensorFlow and JAX let matrix products and convolutions round their
    inputs to 10 bits of mantissa (TensorFloat-32), and JAX lets those of TPUs round to bfloat16.
    Training tolerates that. Scores would depend on the device, and the difference of two images
    whose latents are 1e-4 apart would be mostly rounding.

    Example:
      >>> from compare_gan.metrics.tensor_float32 import without_tensor_float_32
      >>> with without_tensor_float_32():
      ...     pass  # Compute scores.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        config = tf.config.experimental
        before = config.tensor_float_32_execution_enabled()
        config.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            config.enable_tensor_float_32_execution(before)
    elif keras.backend.backend() == "jax":
        import jax

        # JAX's context manager would hold for one thread, but extractors run in others.
        setting = "jax_default_matmul_precision"
        before = getattr(jax.config, setting)
        jax.config.update(setting, "highest")
        try:
            yield
        finally:
            jax.config.update(setting, before)
    else:
        yield
