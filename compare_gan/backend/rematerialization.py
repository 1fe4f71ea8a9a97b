"""Blocks that the backward pass computes anew, instead of storing their intermediate results."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from compare_gan.backend.scopes import Scope
from compare_gan.types import Tensor

_active: contextvars.ContextVar[bool] = contextvars.ContextVar("rematerialization", default=False)


@contextlib.contextmanager
def rematerialization() -> Iterator[None]:
    """Context in which calls of `rematerializable` functions store their inputs only.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> square = backend.rematerializable(lambda x: x * x)
      >>> with backend.rematerialization():
      ...     float(backend.gradient(square, ops.array(3.0)))
      6.0
    """
    token = _active.set(True)
    try:
        yield
    finally:
        _active.reset(token)


def rematerializable(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorator of a function that returns a tensor: see `rematerialization`.

    The function may read and assign variables; it may be differentiated twice. Of two such
    functions inside each other, the outer one counts. PyTorch stores everything.

    Args:
      call: Function of anything, among it float tensors [b, …].

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> @backend.rematerializable
      ... def square(x):
      ...     return x * x
      >>> float(square(ops.array(3.0)))
      9.0
    """

    @functools.wraps(call)
    def wrapped(*args: Any, **kwargs: Any) -> Tensor:
        name = keras.backend.backend()
        if not _active.get() or name not in _IMPLEMENTATIONS:
            return call(*args, **kwargs)
        leaves = keras.tree.flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if _is_float(leaf)]
        layers = [leaf for leaf in leaves if isinstance(leaf, keras.Layer)]
        variables = [variable for layer in layers for variable in layer.variables]
        assigned: list[keras.Variable] = []

        def pure(tensors: list[Tensor], values: list[Tensor]) -> list[Tensor]:
            """The result, and the new values of the variables that are assigned."""
            inner = list(leaves)
            for place, tensor in zip(places, tensors, strict=True):
                inner[place] = tensor
            inner_args, inner_kwargs = keras.tree.pack_sequence_as((args, kwargs), inner)
            token = _active.set(False)
            try:
                with Scope(zip(variables, values, strict=True)) as scope:
                    result = call(*inner_args, **inner_kwargs)
            finally:
                _active.reset(token)
            assigned[:] = scope.assigned
            new = [ops.convert_to_tensor(scope.get_current_value(v)) for v in assigned]
            return [result, *map(ops.stop_gradient, new)]

        inputs = [leaves[place] for place in places]
        result, *values = _IMPLEMENTATIONS[name](pure, inputs, _values(variables))
        for variable, value in zip(assigned, values, strict=True):
            variable.assign(ops.stop_gradient(value))
        return result

    return wrapped


def _is_float(leaf: Any) -> bool:
    return ops.is_tensor(leaf) and keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(leaf.dtype)
    )


def _values(variables: list[keras.Variable]) -> list[Tensor]:
    """The values of variables in their own dtype; a layer in half precision casts them later."""
    with Scope() as scope:  # It knows the values of the scope around it.
        known = dict(scope.state_mapping)
    return [ops.convert_to_tensor(known.get(id(v), v._value)) for v in variables]


def _with_jax(
    function: Callable[..., list[Any]], inputs: list[Any], values: list[Any]
) -> list[Any]:
    import jax

    return jax.checkpoint(function)(inputs, values)


def _with_tensorflow(
    function: Callable[..., list[Any]], inputs: list[Any], values: list[Any]
) -> list[Any]:
    """As `tf.recompute_grad`, which cannot be differentiated twice, as penalties do."""
    import tensorflow as tf

    count = len(inputs)

    @tf.custom_gradient
    def recomputed(*tensors: Any) -> tuple[list[Any], Callable[..., Any]]:
        def gradients(*upstream: Any) -> Any:
            # Zero, but only once the gradient is known: without it TensorFlow's and XLA's
            # optimizers would find that the results exist already.
            first = tf.cast(tf.reshape(upstream[0], [-1])[0], tf.float32)
            late = tf.where(tf.equal(first, first), 0.0, float("nan"))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                again = [tensor + tf.cast(late, tensor.dtype) for tensor in tensors[:count]]
                again += [tf.identity(tensor) for tensor in tensors[count:]]
                tape.watch([tensor for tensor in again if tensor.dtype.is_floating])
                result = function(again[:count], again[count:])[0]
            zero = tf.UnconnectedGradients.ZERO
            return tape.gradient(result, again, upstream[0], unconnected_gradients=zero)

        return function(list(tensors[:count]), list(tensors[count:])), gradients

    # In eager mode a variable would be passed by reference and read again after its next
    # assignment.
    return recomputed(*inputs, *map(tf.convert_to_tensor, values))


_IMPLEMENTATIONS = {"jax": _with_jax, "tensorflow": _with_tensorflow}
