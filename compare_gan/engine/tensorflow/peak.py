"""The peak of the memory of a function's intermediate results, from the graph that it traces."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from compare_gan.engine.interface import PeakBytes
from compare_gan.engine.tensorflow.tracing import graph_of, operations_that_run

# Operations whose result is their input, in the same memory.
_VIEWS = frozenset((
    "EnsureShape", "ExpandDims", "Identity", "IdentityN", "PreventGradient", "ReadVariableOp",
    "Reshape", "Snapshot", "Squeeze", "StopGradient",
))  # fmt: skip
# Operations that write into the memory of an input that nobody needs any more.
_IN_PLACE = frozenset((
    "Add", "AddN", "AddV2", "BiasAdd", "Exp", "LeakyRelu", "LeakyReluGrad", "Maximum", "Minimum",
    "Mul", "Neg", "RealDiv", "Relu", "ReluGrad", "Round", "Rsqrt", "SelectV2", "Sigmoid",
    "SigmoidGrad", "Softplus", "SoftplusGrad", "Sqrt", "Square", "Sub", "Tanh", "TanhGrad",
))  # fmt: skip


def peak_bytes(function: Callable[..., Any], *inputs: Any) -> PeakBytes:
    """The most memory that a function's intermediate results take at one time.

    It is computed for operations that run one after the other and free what nobody needs any more.
    The function is only traced. Its inputs and variables are not counted.

    Args:
      function: Function of tensors that returns tensors.
      inputs: Shapes and dtypes of its arguments: `keras.KerasTensor`, or dicts and lists of them.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> def function(x):
      ...     return keras.ops.sum(keras.ops.matmul(keras.ops.matmul(x, x), x))
      >>> engine.peak_bytes(function, keras.KerasTensor((100, 100))).in_order // (4 * 100**2)
      2
    """
    graph = graph_of(function, *inputs)
    in_order = _peak(graph, lambda operations: operations)
    return PeakBytes(in_order, max(in_order, _peak(graph, _as_available)))


def _as_available(operations: list[Any]) -> list[Any]:
    """The operations in the order in which what they wait for is done, first come, first served.

    In a backward pass, for example, the gradients of the kernels then wait until those of the
    inputs are there, and so more results are needed at one time.
    """
    waiting_for: dict[Any, int] = {}
    followers: dict[Any, list[Any]] = {operation: [] for operation in operations}
    for operation in operations:
        before = [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
        before = [each for each in before if each in followers]
        waiting_for[operation] = len(before)
        for each in before:
            followers[each].append(operation)
    order = [operation for operation in operations if not waiting_for[operation]]
    for operation in order:  # Grows meanwhile.
        for follower in followers[operation]:
            waiting_for[follower] -= 1
            if not waiting_for[follower]:
                order.append(follower)
    return order


def _peak(graph: Any, ordered: Callable[[list[Any]], list[Any]]) -> int:
    operations = ordered(operations_that_run(graph))
    owners = _owners(operations)
    uses: dict[Any, int] = {}
    for operation in operations:
        for tensor in operation.inputs:
            owner = owners.get(tensor.ref())
            uses[owner] = uses.get(owner, 0) + 1
    for tensor in graph.outputs:
        owner = owners.get(tensor.ref())
        uses[owner] = uses.get(owner, 0) + 1  # Never freed.
    sizes: dict[Any, int] = {}
    current = peak = 0
    for operation in operations:
        made = (
            {} if operation.type in _VIEWS else {out.ref(): _size(out) for out in operation.outputs}
        )
        inputs = [owners.get(tensor.ref()) for tensor in operation.inputs]
        if operation.type in _IN_PLACE:
            current -= _freed(inputs, uses, sizes)
            inputs = []
        sizes |= made
        current += sum(made.values())
        peak = max(peak, current + _inside(operation, graph, ordered))
        current -= _freed(inputs, uses, sizes)
        current -= sum(sizes.pop(ref, 0) for ref in made if not uses.get(ref))
    return peak


def _freed(owners: Iterable[Any], uses: dict[Any, int], sizes: dict[Any, int]) -> int:
    """The memory of the inputs of an operation that nobody needs after it."""
    freed = 0
    for owner in owners:
        uses[owner] -= 1
        if not uses[owner]:
            freed += sizes.pop(owner, 0)
    return freed


def _owners(operations: list[Any]) -> dict[Any, Any]:
    """For each tensor the one in whose memory it is."""
    owners: dict[Any, Any] = {}
    for operation in operations:
        for i, out in enumerate(operation.outputs):
            source = out
            if operation.type in _VIEWS and operation.inputs:
                source = operation.inputs[min(i, len(operation.inputs) - 1)]
            owners[out.ref()] = owners.get(source.ref(), source.ref())
    return owners


def _size(tensor: Any) -> int:
    if tensor.dtype in (tf.resource, tf.variant) or not tensor.shape.is_fully_defined():
        return 0
    if tensor.op.type == "Placeholder":
        return 0
    return tensor.dtype.size * int(np.prod(tensor.shape))


def _inside(operation: Any, graph: Any, ordered: Callable[[list[Any]], list[Any]]) -> int:
    """The peak inside the functions that an operation calls: branches of a condition, bodies."""
    names = [
        function.name
        for value in operation.node_def.attr.values()
        for function in [value.func, *value.list.func]
        if function.name
    ]
    peaks = [0]
    for name in names:
        function = graph._get_function(name)
        inner = getattr(function, "graph", None)
        if inner is not None:
            peaks.append(_peak(inner, ordered))
    return max(peaks)
