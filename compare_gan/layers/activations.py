"""Activation functions with the slopes that GANs use; see `backend.activations`."""

from compare_gan import backend
from compare_gan.types import Tensor


def relu(x: Tensor) -> Tensor:
    """ReLU: max(x, 0).

    Args:
      x: Float tensor of any shape.

    Returns:
      Tensor with the shape and dtype of `x`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import relu
      >>> [float(value) for value in relu(ops.array([-2.0, 3.0]))]
      [0.0, 3.0]
    """
    return backend.relu(x)


def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> Tensor:
    """Leaky ReLU: max(x, slope·x).

    Args:
      x: Float tensor of any shape.
      negative_slope: Slope for negative values, in [0, 1].

    Returns:
      Tensor with the shape and dtype of `x`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import leaky_relu
      >>> [round(float(value), 1) for value in leaky_relu(ops.array([-2.0, 3.0]))]
      [-0.4, 3.0]
    """
    return backend.leaky_relu(x, negative_slope)
