"""Gradients on every backend."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan.backend.scopes import Scope
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
    [slopes], _ = gradients_with_outputs(lambda x: (fn(x), None), [x])
    return slopes


def gradients_with_outputs(
    fn: Callable[..., tuple[Any, Any]], tensors: Sequence[Tensor]
) -> tuple[list[Tensor], Any]:
    """Returns gradients like those of `gradient`, and more results of the same function.

    Args:
      fn: Function from tensors like `tensors` to a pair: the tensors whose sum is differentiated
        (one, or nested lists of them), and results that are returned as they are. It may assign
        variables.
      tensors: Float tensors.

    Returns:
      The gradient of the sum with respect to each of `tensors`, and the second result of `fn`. All
      are differentiable.

    Raises:
      NotImplementedError: The Keras backend is not TensorFlow, JAX or PyTorch.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> [slope], y = backend.gradients_with_outputs(lambda x: (x**3, 2 * x), [ops.array(2.0)])
      >>> float(slope), float(y)
      (12.0, 4.0)
    """
    name = keras.backend.backend()
    tensors = [ops.convert_to_tensor(tensor) for tensor in tensors]
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            y, outputs = fn(*tensors)
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(y, tensors, unconnected_gradients=zero), outputs
    if name == "jax":
        return _with_jax(fn, tensors)
    if name == "torch":
        import torch

        with torch.enable_grad():
            inputs = [x if x.requires_grad else x.detach().requires_grad_(True) for x in tensors]
            y, outputs = fn(*inputs)
            total = _sum(y)
            if not total.requires_grad:
                return [torch.zeros_like(x) for x in inputs], outputs
            slopes = torch.autograd.grad(
                total, inputs, create_graph=True, allow_unused=True, materialize_grads=True
            )
            return list(slopes), outputs
    raise NotImplementedError(f"No gradient for the Keras backend '{name}'.")


def _with_jax(
    fn: Callable[..., tuple[Any, Any]], tensors: Sequence[Tensor]
) -> tuple[list[Tensor], Any]:
    """`gradients_with_outputs`; values that `fn` assigns leave the function as further results."""
    import jax

    assigned: list[keras.Variable] = []

    def total(values: list[Tensor]) -> tuple[Tensor, Any]:
        with Scope() as scope:
            y, outputs = fn(*values)
        assigned[:] = scope.assigned
        return _sum(y), (outputs, [scope.get_current_value(v) for v in assigned])

    slopes, (outputs, updates) = jax.grad(total, has_aux=True)(list(tensors))
    for variable, value in zip(assigned, updates, strict=True):
        variable.assign(value)
    return slopes, outputs


def _sum(tensors: Any) -> Tensor:
    return sum(ops.sum(tensor) for tensor in keras.tree.flatten(tensors))


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


def without_assignments(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the same function, but what it assigns to Keras variables stays inside.

    Args:
      fn: Function of tensors.

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

    def isolated(*args: Tensor) -> Any:
        with Scope():
            return fn(*args)

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
