"""Special functions that `keras.ops` lacks."""

import keras

from compare_gan.types import Tensor


def lgamma(x: Tensor) -> Tensor:
    """Returns the logarithm of the absolute value of the gamma function, elementwise.

    Args:
      x: Float tensor.

    Raises:
      NotImplementedError: The Keras backend is not TensorFlow, JAX or PyTorch.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> round(float(backend.lgamma(ops.array(4.0))), 4)  # log(3!)
      1.7918
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        return tf.math.lgamma(x)
    if name == "jax":
        import jax

        return jax.scipy.special.gammaln(x)
    if name == "torch":
        import torch

        return torch.lgamma(x)
    raise NotImplementedError(f"No gamma function for the Keras backend '{name}'.")
