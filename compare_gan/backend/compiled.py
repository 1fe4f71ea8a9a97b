"""Compiled functions of arrays and Keras variables, on every backend."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras

from compare_gan.backend.placement import current_device


def compiled(
    function: Callable[..., Any],
    variables: Sequence[keras.Variable] = (),
    *,
    any_batch: bool = False,
) -> Callable[..., Any]:
    """Compiles a function for work outside of training: sampling, features, scores.

    It is traced once for each combination of shapes and dtypes of its arguments, and for each
    device. It runs on one device (see `on_device`), and not under `engine`'s loop, which compiles
    whole training steps.

    Args:
      function: Function of tensors, positional, that returns tensors: nested tuples, lists and
        dicts of them, or None among them. Only operations of `keras.ops` and of the current
        backend.
      variables: The Keras variables that the function reads or assigns. JAX takes the values of
        variables that are not listed for constants, and refuses to assign them.
      any_batch: Trace once for all sizes of the first axis, which all arguments must have. Only
        TensorFlow can do that; JAX traces once for each size.

    Returns:
      The compiled function. It accepts NumPy arrays too, and returns tensors of the backend.

    Example:
      >>> import keras, numpy as np
      >>> from compare_gan import backend
      >>> total = keras.Variable(0.0)
      >>> def add(x):
      ...     total.assign_add(keras.ops.sum(x))
      ...     return 2.0 * x
      >>> add = backend.compiled(add, [total])
      >>> keras.ops.convert_to_numpy(add(np.ones(3, np.float32))).tolist(), float(total)
      ([2.0, 2.0, 2.0], 3.0)
    """
    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        if any_batch:
            return _compiled_for_any_batch(function)
        traced = tf.function(function, autograph=False, reduce_retracing=False)
        # NumPy arrays would be constants, with one trace for each value.
        return lambda *args: traced(*tf.nest.map_structure(_as_tensor, args))
    if name == "jax":
        return _compiled_by_jax(function, list(variables))
    return lambda *args: function(*keras.tree.map_structure(_as_tensor, args))


def _compiled_for_any_batch(function: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf

    @functools.cache
    def traced(*signature: Any) -> Any:
        return tf.function(function, input_signature=signature, autograph=False)

    def call(*args: Any) -> Any:
        tensors = [_as_tensor(value) for value in args]
        return traced(*(tf.TensorSpec([None, *x.shape[1:]], x.dtype) for x in tensors))(*tensors)

    return call


def _compiled_by_jax(
    function: Callable[..., Any], variables: list[keras.Variable]
) -> Callable[..., Any]:
    import jax

    @jax.jit
    def pure(values: list[Any], args: tuple[Any, ...]) -> tuple[Any, dict[int, Any]]:
        with keras.StatelessScope(zip(variables, values, strict=True)) as scope:
            result = function(*args)
        if scope.state_mapping.keys() - set(map(id, variables)):
            raise ValueError("The function assigns a variable that `variables` does not list.")
        after = [scope.get_current_value(variable) for variable in variables]
        return result, {i: new for i, new in enumerate(after) if new is not values[i]}

    copies = functools.cache(lambda device: _Copies(variables, device))

    def call(*args: Any) -> Any:
        device = current_device()
        if device is not None:
            # A function runs where its arguments are.
            values, args = copies(device).values(), jax.device_put(args, device)
            return pure(values, args)[0]
        result, assigned = pure([jax_value(variable) for variable in variables], args)
        for i, value in assigned.items():
            variables[i].assign(value)
        return result

    return call


class _Copies:
    """The values of variables on one device, each copied when it has changed."""

    def __init__(self, variables: list[keras.Variable], device: Any):
        self._variables, self._device = variables, device
        self._sources: list[Any] = [None] * len(variables)
        self._copies: list[Any] = [None] * len(variables)

    def values(self) -> list[Any]:
        import jax

        for i, variable in enumerate(self._variables):
            if self._sources[i] is not variable.value:
                self._sources[i] = variable.value
                self._copies[i] = jax.device_put(jax_value(variable), self._device)
        return list(self._copies)


def jax_value(variable: keras.Variable) -> Any:
    """The value of a variable, such that a new value of it causes no new trace.

    The value that a Python number initialized has JAX's weak type, any later one has not.
    """
    value = variable.value
    return value.astype(value.dtype) if value.weak_type else value


def _as_tensor(value: Any) -> Any:
    return None if value is None else keras.ops.convert_to_tensor(value)
