"""Activation functions with the gradients that penalties on gradients need.

The second derivative of a piecewise linear function is zero. TensorFlow propagates these zeros back
through all layers below, so that a penalty on gradients takes twice as many convolutions for its
own gradient as it needs. The functions here do not. Results and gradients equal those of
TensorFlow's operations, in all orders.
"""

from collections.abc import Callable

import keras
from keras import ops

from compare_gan.types import Tensor


def relu(x: Tensor) -> Tensor:
    """ReLU, max(x, 0), whose second derivative costs nothing.

    Args:
      x: Float tensor of any shape.

    Returns:
      Tensor with the shape and dtype of `x`.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> [float(value) for value in backend.relu(ops.array([-2.0, 3.0]))]
      [0.0, 3.0]
    """
    if not _in_tensorflow(x):
        return ops.relu(x)
    import tensorflow as tf

    return _piecewise_linear(
        x,
        tf.nn.relu,
        lambda upstream, signs: tf.raw_ops.ReluGrad(gradients=upstream, features=signs),
    )


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """Leaky ReLU, max(x, slope·x), whose second derivative costs nothing.

    Args:
      x: Float tensor of any shape.
      slope: Slope for negative values, in [0, 1].

    Returns:
      Tensor with the shape and dtype of `x`.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> [round(float(value), 1) for value in backend.leaky_relu(ops.array([-2.0, 3.0]), 0.2)]
      [-0.4, 3.0]
    """
    if not _in_tensorflow(x):
        return ops.leaky_relu(x, negative_slope=slope)
    import tensorflow as tf

    return _piecewise_linear(
        x,
        lambda x: tf.nn.leaky_relu(x, slope),
        lambda upstream, signs: tf.raw_ops.LeakyReluGrad(
            gradients=upstream, features=signs, alpha=slope
        ),
    )


def _in_tensorflow(x: Tensor) -> bool:
    return keras.backend.backend() == "tensorflow" and not isinstance(x, keras.KerasTensor)


def _piecewise_linear(
    x: Tensor,
    function: Callable[[Tensor], Tensor],
    gradient: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """A function whose gradient depends on the signs of `x`, constants to further derivatives.

    Args:
      x: Float tensor of any shape.
      function: The function, whose results have the signs of their inputs or are 0.
      gradient: Function from the gradient with respect to the results, and the results, to that
        with respect to `x`.
    """
    import tensorflow as tf

    @tf.custom_gradient
    def activate(x: Tensor) -> Tensor:
        y = function(x)
        # Signs come from results, so that inputs are not needed: TensorFlow computes a convolution,
        # its bias and this function as one operation.
        return y, lambda upstream: gradient(upstream, tf.stop_gradient(y))

    return activate(x)
