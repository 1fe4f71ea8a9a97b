"""The peak of the memory of a function's intermediate results, from the program that JAX traces."""

from collections.abc import Callable, Iterable
from typing import Any

import jax
from jax.extend.core import Jaxpr, JaxprEqn, Literal, jaxprs_in_params

from compare_gan.engine.interface import PeakBytes
from compare_gan.engine.jax.tracing import program_of

# Operations that XLA computes in the memory of an input, or together with the one before.
_IN_PLACE = frozenset((
    "add", "add_any", "convert_element_type", "copy", "div", "exp", "integer_pow", "log",
    "logistic", "max", "min", "mul", "neg", "optimization_barrier", "reshape", "rsqrt", "select_n",
    "sqrt", "square", "squeeze", "sub", "tanh",
))  # fmt: skip


def peak_bytes(function: Callable[..., Any], *inputs: Any) -> PeakBytes:
    """The most memory that a function's intermediate results take at one time.

    It is computed for operations that run one after the other and free what nobody needs any more.
    The function is only traced. Its inputs and variables are not counted. XLA runs operations on
    CPUs in an order of its own, which is taken for that in which the function makes them.

    Args:
      function: Function of tensors that returns tensors. Variables that it assigns do not change.
      inputs: Shapes and dtypes of its arguments: `keras.KerasTensor`, or dicts and lists of them.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> def function(x):
      ...     return keras.ops.sum(keras.ops.matmul(keras.ops.matmul(x, x), x))
      >>> engine.peak_bytes(function, keras.KerasTensor((100, 100))).in_order // (4 * 100**2)
      2
    """
    peak = _peak(program_of(function, *inputs))
    return PeakBytes(peak, peak)


def _peak(program: Jaxpr) -> int:
    originals: dict[Any, Any] = {}  # Of values that only stop a gradient, which XLA leaves out.
    operations = []
    for operation in program.eqns:
        if operation.primitive.name == "stop_gradient":
            [value], [result] = operation.invars, operation.outvars
            originals[result] = value if isinstance(value, Literal) else originals.get(value, value)
        else:
            operations.append(operation)

    def variables(values: Iterable[Any]) -> set[Any]:
        found = (v if isinstance(v, Literal) else originals.get(v, v) for v in values)
        return {v for v in found if not isinstance(v, Literal)}

    last = {
        variable: i
        for i, operation in enumerate(operations)
        for variable in variables(operation.invars)
    }
    kept = variables(program.outvars)
    sizes: dict[Any, int] = {}
    current = peak = 0
    for i, operation in enumerate(operations):
        inputs = variables(operation.invars)
        ended = sum(sizes.pop(v, 0) for v in inputs if last[v] == i and v not in kept)
        made = {v: _size(v) for v in operation.outvars if v in last or v in kept}
        sizes |= made
        before = current - ended if operation.primitive.name in _IN_PLACE else current
        results = sum(made.values())
        peak = max(peak, before + max(results, _inside(operation)))
        current += results - ended
    return peak


def _inside(operation: JaxprEqn) -> int:
    """The peak inside the programs that an operation runs, of which one runs at a time."""
    return max((_peak(program) for program in jaxprs_in_params(operation.params)), default=0)


def _size(variable: Any) -> int:
    value = variable.aval
    return value.size * value.dtype.itemsize if isinstance(value, jax.core.ShapedArray) else 0
