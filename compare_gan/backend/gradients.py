"""Gradients on every backend."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan.types import Tensor


def gradient(fn: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Returns the gradient of `sum(fn(x))` with respect to `x`, which is differentiable itself.

    Args:
      fn: Function from a tensor like `x` to a tensor of any shape.
      x: Float tensor.

    Returns:
      Tensor with the shape of `x`; zeros if `fn` ignores `x`. If `fn` treats examples independently
      (a discriminator without batch norm), row i is the gradient of the output for example i.

    Raises:
      NotImplementedError: The Keras backend is not TensorFlow, JAX or PyTorch.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> x = ops.array([1.0, 2.0])
      >>> ops.convert_to_numpy(backend.gradient(lambda x: x**3, x)).tolist()
      [3.0, 12.0]
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = fn(x)
        return tape.gradient(y, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    if name == "jax":
        import jax

        return jax.grad(lambda v: ops.sum(fn(v)))(x)
    if name == "torch":
        import torch

        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_(True)
            y = fn(x).sum()
            if not y.requires_grad:
                return torch.zeros_like(x)
            return torch.autograd.grad(
                y, x, create_graph=True, allow_unused=True, materialize_grads=True
            )[0]
    raise NotImplementedError(f"No gradient for the Keras backend '{name}'.")


def directional_derivative(fn: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor) -> Tensor:
    """Returns the derivative of `fn` at `x` in a direction, computed in forward mode.

    Args:
      fn: Function from a tensor like `x` to a tensor of any shape. JAX discards what it assigns to
        variables.
      x: Float tensor.
      direction: Tensor with the shape of `x`.

    Returns:
      Tensor with the shape of `fn(x)`: the sum over the entries of `x` of the derivative with
      respect to the entry, multiplied by the entry of `direction`; zeros if `fn` ignores `x`.

    Raises:
      NotImplementedError: The Keras backend is not TensorFlow, JAX or PyTorch.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> x, direction = ops.array([1.0, 2.0]), ops.array([1.0, 10.0])
      >>> derivative = backend.directional_derivative(lambda x: x**3, x, direction)
      >>> ops.convert_to_numpy(derivative).tolist()
      [3.0, 120.0]
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        with tf.autodiff.ForwardAccumulator(x, direction) as accumulator:
            y = fn(x)
        return accumulator.jvp(y, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    if name == "jax":
        import jax

        return jax.jvp(without_assignments(fn), (x,), (direction,))[1]
    if name == "torch":
        import torch

        return torch.func.jvp(fn, (x,), (direction,))[1]
    raise NotImplementedError(f"No derivative for the Keras backend '{name}'.")


def without_assignments(fn: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Returns the same function, but what it assigns to Keras variables stays inside.

    JAX allows nothing else in a function that is differentiated.

    Args:
      fn: Function from a tensor to a tensor.

    Example:
      >>> import keras
      >>> from compare_gan import backend
      >>> calls = keras.Variable(0.0)
      >>> def double(x):
      ...     calls.assign(calls.value + 1.0)
      ...     return 2.0 * x
      >>> float(backend.without_assignments(double)(keras.ops.array(3.0))), float(calls)
      (6.0, 0.0)
    """

    def isolated(x: Tensor) -> Any:
        with keras.StatelessScope() as scope:
            if scope.original_scope is not None:
                scope.state_mapping.update(scope.original_scope.state_mapping)
            return fn(x)

    return isolated


def value_and_gradients(
    fn: Callable[..., Tensor], tensors: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Returns `fn(*tensors)` and its gradient with respect to each tensor.

    Args:
      fn: Function from tensors like `tensors` to a scalar.
      tensors: Float tensors.

    Raises:
      NotImplementedError: The Keras backend is not TensorFlow, JAX or PyTorch.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> value, gradients = backend.value_and_gradients(
      ...     lambda x, y: x * y**2, [ops.array(2.0), ops.array(3.0)]
      ... )
      >>> float(value), [float(gradient) for gradient in gradients]
      (18.0, [9.0, 12.0])
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            value = fn(*tensors)
        return value, tape.gradient(value, list(tensors))
    if name == "jax":
        import jax

        positions = tuple(range(len(tensors)))
        value, gradients = jax.value_and_grad(fn, positions)(*tensors)
        return value, list(gradients)
    if name == "torch":
        import torch

        with torch.enable_grad():
            inputs = [tensor.detach().requires_grad_(True) for tensor in tensors]
            value = fn(*inputs)
            return value.detach(), list(torch.autograd.grad(value, inputs))
    raise NotImplementedError(f"No gradient for the Keras backend '{name}'.")
