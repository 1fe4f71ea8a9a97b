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
    """

    @functools.wraps(call)
    def wrapped(*args: Any, **kwargs: Any) -> Tensor:
        name = keras.backend.backend()
        if not _active.get() or name not in _IMPLEMENTATIONS:
            return call(*args, **kwargs)
        leaves = keras.tree.flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if _is_float(leaf)]
        assigned: list[keras.Variable] = []

        def pure(*tensors: Tensor) -> list[Tensor]:
            """The result, and the new values of the variables that are assigned."""
            inner = list(leaves)
            for place, tensor in zip(places, tensors, strict=True):
                inner[place] = tensor
            inner_args, inner_kwargs = keras.tree.pack_sequence_as((args, kwargs), inner)
            token = _active.set(False)
            try:
                with Scope() as scope:
                    result = call(*inner_args, **inner_kwargs)
            finally:
                _active.reset(token)
            assigned[:] = scope.assigned
            values = [ops.convert_to_tensor(scope.get_current_value(v)) for v in assigned]
            return [result, *map(ops.stop_gradient, values)]

        result, *values = _IMPLEMENTATIONS[name](pure, [leaves[place] for place in places])
        for variable, value in zip(assigned, values, strict=True):
            variable.assign(ops.stop_gradient(value))
        return result

    return wrapped


def _is_float(leaf: Any) -> bool:
    return ops.is_tensor(leaf) and keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(leaf.dtype)
    )


def _with_jax(function: Callable[..., list[Any]], inputs: list[Any]) -> list[Any]:
    import jax

    return jax.checkpoint(function)(*inputs)


def _with_tensorflow(function: Callable[..., list[Any]], inputs: list[Any]) -> list[Any]:
    """As `tf.recompute_grad`, which cannot be differentiated twice, as penalties do."""
    import tensorflow as tf

    @tf.custom_gradient
    def recomputed(*tensors: Any) -> tuple[list[Any], Callable[..., Any]]:
        def gradients(*upstream: Any, variables: Any = ()) -> Any:
            # Zero, but only once the gradient is known: without it TensorFlow's and XLA's
            # optimizers would find that the results exist already.
            [first] = tf.reshape(tf.cast(upstream[0], tf.float32), [-1])[:1][None]
            late = tf.where(tf.equal(first, first), 0.0, float("nan"))[0]
            with tf.GradientTape() as tape:
                again = [tensor + tf.cast(late, tensor.dtype) for tensor in tensors]
                tape.watch(again)
                result = function(*again)[0]
            sources = [again, list(variables)]
            zero = tf.UnconnectedGradients.ZERO
            found = tape.gradient(result, sources, upstream[0], unconnected_gradients=zero)
            return (found[0], found[1]) if variables else found[0]

        return function(*tensors), gradients

    return recomputed(*inputs)


_IMPLEMENTATIONS = {"jax": _with_jax, "tensorflow": _with_tensorflow}
