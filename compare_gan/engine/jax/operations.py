"""The arithmetic of a function, from the program that JAX traces."""

import math
from collections.abc import Callable
from typing import Any

from jax.extend.core import Jaxpr, JaxprEqn, jaxprs_in_params

from compare_gan.engine.jax.tracing import program_of


def count_operations(function: Callable[..., Any], *inputs: Any) -> int:
    """The multiplications and additions of the convolutions and matrix products of a function.

    The function is only traced: nothing is computed or compiled.

    Args:
      function: Function of tensors that returns tensors. Variables that it assigns do not change.
      inputs: Shapes and dtypes of its arguments: `keras.KerasTensor`, or dicts and lists of them.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> matrix = keras.KerasTensor((100, 50))
      >>> engine.count_operations(lambda x: keras.ops.matmul(x, keras.ops.transpose(x)), matrix)
      1000000
    """
    return _operations_in(program_of(function, *inputs))


def _operations_in(program: Jaxpr) -> int:
    return sum(_operations_of(each) for each in program.eqns)


def _operations_of(equation: JaxprEqn) -> int:
    """Two for each product that is added up."""
    name = equation.primitive.name
    if name == "dot_general":
        (left_axes, _), _ = equation.params["dimension_numbers"]
        left = _shape(equation.invars[0])
        per_result = math.prod(left[axis] for axis in left_axes)
    elif name == "conv_general_dilated":
        kernel = _shape(equation.invars[1])
        outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        per_result = math.prod(kernel) // max(outputs, 1)
    else:
        inner = [_operations_in(program) for program in jaxprs_in_params(equation.params)]
        if name == "cond":
            return max(inner, default=0)  # One of the branches runs.
        return (equation.params["length"] if name == "scan" else 1) * sum(inner)
    return 2 * per_result * math.prod(_shape(equation.outvars[0]))


def _shape(variable: Any) -> tuple[int, ...]:
    return tuple(variable.aval.shape)
