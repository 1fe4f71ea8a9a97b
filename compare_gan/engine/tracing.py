"""Sizes of what a function computes, from a trace of it."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np


def traced_bytes(function: Callable[..., Any], *args: Any) -> int:
    """The size of a function's arguments and of the results of its operations, in bytes.

    Only floating-point tensors count. Nothing is computed, and variables do not change.

    Args:
      function: Function of tensors that returns a tensor or a nest of them.
      *args: Arguments, with a `keras.KerasTensor` of fixed shape in place of each tensor.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> engine.traced_bytes(lambda x: x + x, keras.KerasTensor([10, 5], "float32"))
      400
    """
    trace = _traced_by_jax if keras.backend.backend() == "jax" else _traced_by_tensorflow
    return sum(trace(function, args))


def _traced_by_tensorflow(function: Callable[..., Any], args: Any) -> Iterator[int]:
    import tensorflow as tf

    specs = keras.tree.map_structure(lambda each: tf.TensorSpec(each.shape, each.dtype), args)
    graph = tf.function(function).get_concrete_function(*specs).graph
    for operation in graph.get_operations():
        for out in operation.outputs:
            if out.dtype.is_floating and out.shape.is_fully_defined():
                yield out.dtype.size * int(np.prod(out.shape))


def _traced_by_jax(function: Callable[..., Any], args: Any) -> Iterator[int]:
    import jax

    def pure(*tensors: Any) -> Any:
        with keras.StatelessScope():  # Assignments end with it.
            return function(*tensors)

    specs = keras.tree.map_structure(
        lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype), args
    )
    program = jax.make_jaxpr(pure)(*specs).jaxpr
    for tensor in [*program.invars, *_results(program)]:
        if jax.numpy.issubdtype(tensor.aval.dtype, np.floating):
            yield tensor.aval.dtype.itemsize * tensor.aval.size


def _results(program: Any) -> Iterator[Any]:
    """The results of a jaxpr's equations; of an equation with a body, those of the body."""
    from jax.extend.core import jaxprs_in_params

    for equation in program.eqns:
        bodies = list(jaxprs_in_params(equation.params))
        for body in bodies:
            yield from _results(body)
        yield from [] if bodies else equation.outvars
