"""Gradients on every backend."""

from collections.abc import Callable, Sequence

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
