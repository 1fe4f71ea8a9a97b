"""Counts the multiplications and additions of the convolutions and matrix products of a function.

They are counted by shape in JAX's representation of the function, after unused results are removed
and before XLA compiles it. Products with the zeros that a transposed convolution or a gradient of a
strided convolution inserts do not count, those with the zeros at the borders do.
"""

import math
from collections.abc import Callable
from typing import Any


def count_operations(function: Callable[..., Any], *args: Any) -> int:
    """Floating-point operations of one call; a multiplication and an addition are two.

    Args:
      function: Function that JAX can trace.
      *args: Its arguments; arrays or `jax.ShapeDtypeStruct`.
    """
    import jax
    from jax.interpreters import partial_eval

    traced = jax.make_jaxpr(function)(*args).jaxpr
    used, _ = partial_eval.dce_jaxpr(traced, [True] * len(traced.outvars))
    return _count(used)


def _count(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        if name == "conv_general_dilated":
            total += _convolution(equation)
        elif name == "dot_general":
            total += _product(equation)
        elif name == "cond":  # The branch with more to do.
            total += max(_count(branch.jaxpr) for branch in params["branches"])
        else:
            inner = sum(_count(jaxpr) for jaxpr in _functions(params))
            total += inner * (params["length"] if name == "scan" else 1)
    return total


def _functions(params: dict[str, Any]) -> list[Any]:
    """The functions that an equation calls."""
    found = [getattr(value, "jaxpr", value) for value in params.values()]
    return [each for each in found if hasattr(each, "eqns")]


def _convolution(equation: Any) -> int:
    params, kernel = equation.params, equation.invars[1].aval.shape
    output = equation.outvars[0].aval.shape
    taps = math.prod(kernel) // kernel[params["dimension_numbers"].rhs_spec[0]]
    # Of `d` neighbouring taps one meets a pixel, the others meet inserted zeros.
    inserted = math.prod(params["lhs_dilation"])
    return 2 * math.prod(output) * taps // inserted


def _product(equation: Any) -> int:
    (summed, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    inner = math.prod(left[axis] for axis in summed)
    return 2 * math.prod(equation.outvars[0].aval.shape) * inner
