"""Adam's update of one variable: on TensorFlow one operation in place of some twenty."""

from typing import Any, NamedTuple

import keras
from keras import ops

from compare_gan.types import Tensor


class AdamFactors(NamedTuple):
    """What the updates of all variables of one dtype have in common; see `of`.

    Attributes:
      learning_rate: The learning rate.
      beta_1: Decay β₁ of the first moment.
      beta_2: Decay β₂ of the second moment.
      power_1: β₁ᵗ, t the number of the update.
      power_2: β₂ᵗ.

    Example:
      >>> from compare_gan import backend
      >>> factors = backend.AdamFactors.of(2, 0.1, 0.5, 0.9, "float32")
      >>> [round(float(factor), 2) for factor in factors]
      [0.1, 0.5, 0.9, 0.25, 0.81]
    """

    learning_rate: Tensor
    beta_1: Tensor
    beta_2: Tensor
    power_1: Tensor
    power_2: Tensor

    @classmethod
    def of(
        cls, step: Tensor, learning_rate: Tensor, beta_1: Tensor, beta_2: Tensor, dtype: Any
    ) -> "AdamFactors":
        """The factors of one update.

        Args:
          step: Number t of the update, from 1 on.
          learning_rate: The learning rate.
          beta_1: Decay of the first moment.
          beta_2: Decay of the second moment.
          dtype: The dtype of the variables.
        """
        beta_1, beta_2, learning_rate, step = (
            ops.cast(value, dtype) for value in (beta_1, beta_2, learning_rate, step)
        )
        return cls(learning_rate, beta_1, beta_2, beta_1**step, beta_2**step)


def apply_adam(
    variable: Any,
    momentum: keras.Variable,
    velocity: keras.Variable,
    gradient: Tensor,
    factors: AdamFactors,
    epsilon: float,
) -> None:
    """Updates a variable and its two moments: α = lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ), x −= α m / (√v + ε).

    Args:
      variable: The variable; within an optimizer of TensorFlow its `tf.Variable`.
      momentum: The first moment, of the variable's shape.
      velocity: The second moment, of the variable's shape.
      gradient: The gradient, of the variable's shape.
      factors: Learning rate, decays and their powers, of the variable's dtype.
      epsilon: Added to the root of the second moment.

    Example:
      >>> import keras
      >>> from compare_gan import backend
      >>> x, m, v = (keras.Variable([value]) for value in (1.0, 0.0, 0.0))
      >>> factors = backend.AdamFactors.of(1, 0.1, 0.9, 0.999, "float32")
      >>> backend.apply_adam(x.value, m, v, keras.ops.array([3.0]), factors, epsilon=0.0)
      >>> round(float(x.numpy()[0]), 5)
      0.9
    """
    dtype = variable.dtype
    learning_rate, beta_1, beta_2, *powers = factors
    gradient = ops.cast(gradient, dtype)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.value.handle,
            v=velocity.value.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(epsilon, dtype),
            grad=gradient,
        )
        return
    momentum.assign(momentum + (gradient - momentum) * (1 - beta_1))
    velocity.assign(velocity + (ops.square(gradient) - velocity) * (1 - beta_2))
    rate = learning_rate * ops.sqrt(1 - powers[1]) / (1 - powers[0])
    variable.assign(variable - rate * momentum / (ops.sqrt(velocity) + epsilon))
