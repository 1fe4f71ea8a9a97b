"""Building of layers and models without the compilation of single operations.

JAX compiles every operation outside of `jit` for each shape: a network that is built by a call, and
whose weights Keras's initializers draw, takes a minute that way and a second here.
"""

import contextvars
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from compare_gan.types import TensorShape

# Whether a first call is under way.
_calling: contextvars.ContextVar[bool] = contextvars.ContextVar("calling", default=False)


def first_call(
    fn: Callable[[Any], Any], *shapes: TensorShape | None, dtype: str = "float32"
) -> Any:
    """Calls a model or a function so that all its variables exist; JAX does not compute it.

    Does nothing inside of another first call, which will make the variables anyway: a network that
    `fn` calls for the first time is built by a first call of its own.

    Args:
      fn: Function of a tuple of tensors.
      *shapes: Shape of each, without unknown sizes; None for None in place of a tensor.
      dtype: Type of all tensors.

    Returns:
      The value of `fn` for zeros; under JAX only its structure, with shapes and types. None inside
      of another first call.

    Example:
      >>> import keras
      >>> from compare_gan import backend
      >>> layer = keras.layers.Dense(4)
      >>> output = backend.first_call(lambda inputs: layer(inputs[0]), (2, 3))
      >>> tuple(output.shape), tuple(layer.kernel.shape)
      ((2, 4), (3, 4))
    """
    if _calling.get():
        return None
    token = _calling.set(True)
    try:
        return _call(fn, shapes, dtype)
    finally:
        _calling.reset(token)


def _call(fn: Callable[[Any], Any], shapes: Sequence[TensorShape | None], dtype: str) -> Any:
    if keras.backend.backend() != "jax":
        return fn(tuple(s and ops.zeros(s, dtype) for s in shapes))
    import jax

    inputs = tuple(s and jax.ShapeDtypeStruct(s, dtype) for s in shapes)
    # Keras gives the variables that are created in the scope their values when it ends.
    with keras.StatelessScope():
        return jax.eval_shape(fn, inputs)


def initializer(given: Any) -> Any:
    """An initializer of a layer's weight that compiles nothing.

    Args:
      given: Keras initializer, its name, or any function of shape and dtype.

    Returns:
      Under JAX, for Keras's initializers with an integer as seed, one that computes the values
      with NumPy: for equal seeds those on TensorFlow, up to rounding. In any other case the
      initializer itself.

    Example:
      >>> import keras
      >>> from compare_gan import backend
      >>> backend.initializer("zeros")((2,)).shape
      TensorShape([2])
    """
    found = keras.initializers.get(given)
    if keras.backend.backend() != "jax":
        return found
    import jax

    from compare_gan.backend import initial_values

    compute = initial_values.in_numpy(found)
    if compute is None:
        return found

    @functools.cache  # While JAX traces `first_call`, each use of the weight asks for its value.
    def value(shape: TensorShape, dtype: str | None = None) -> Any:
        with jax.ensure_compile_time_eval():
            return jax.device_put(compute(tuple(shape)).astype(dtype or "float32"))

    return value
