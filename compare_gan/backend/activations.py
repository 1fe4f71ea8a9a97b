"""Activation functions with the gradients that penalties on gradients need."""

import keras
from keras import ops

from compare_gan.types import Tensor


def leaky_relu(x: Tensor, slope: float) -> Tensor:
    """Leaky ReLU, max(x, slope·x), whose second derivative costs nothing.

    It is zero. TensorFlow propagates these zeros back through all layers below, so that a penalty
    on gradients takes twice as many convolutions for its own gradient as it needs. Results and
    gradients equal those of TensorFlow's operation, in all orders.

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
    if keras.backend.backend() != "tensorflow" or isinstance(x, keras.KerasTensor):
        return ops.leaky_relu(x, negative_slope=slope)
    import tensorflow as tf

    @tf.custom_gradient
    def activate(x: Tensor) -> Tensor:
        y = tf.nn.leaky_relu(x, slope)

        def gradient(upstream: Tensor) -> Tensor:
            # Results have the signs of inputs, which are then not needed: TensorFlow computes a
            # convolution, its bias and this function as one operation.
            signs = tf.stop_gradient(y)
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=signs, alpha=slope)

        return y, gradient

    return activate(x)
