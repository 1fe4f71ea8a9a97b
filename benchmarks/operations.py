"""Counts the multiplications and additions of the large kernels of a TensorFlow graph."""

import math


def count_operations(function) -> int:
    """Floating-point operations of one call of a concrete function.

    Counts convolutions and matrix products, forward and backward, as they appear in the graph (with
    or without folded resampling), except those with unused results, which TensorFlow removes. A
    multiplication and an addition are two operations. Element-wise operations are not counted.
    Bodies of `while` loops are counted once.

    Args:
      function: A `tf.types.experimental.ConcreteFunction` with static shapes.
    """
    return _count(function.graph)


def _count(graph) -> int:
    total = 0
    for op in _used(graph):
        if op.type in _COUNTERS:
            total += _COUNTERS[op.type](op)
        for name in ("f", "body", "then_branch"):
            called = op.node_def.attr[name].func.name if name in op.node_def.attr else None
            if called:
                total += _count(graph._get_function(called).graph)
    return total


def _used(graph) -> set:
    """The operations on which the results of the graph, or its changes of variables, depend."""
    waiting = [tensor.op for tensor in graph.outputs]
    waiting += [op for op in graph.get_operations() if op.op_def.is_stateful]
    used = set()
    while waiting:
        op = waiting.pop()
        if op not in used:
            used.add(op)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return used


def _product(shape) -> int:
    return math.prod(shape.as_list())


def _conv2d(op) -> int:
    kh, kw, channels, _ = op.inputs[1].shape
    return 2 * _product(op.outputs[0].shape) * kh * kw * channels


def _conv2d_input_gradient(op) -> int:
    # inputs: input sizes, kernel [kh, kw, in, out], gradient of the output.
    kh, kw, channels, _ = op.inputs[1].shape
    return 2 * _product(op.inputs[2].shape) * kh * kw * channels


def _conv2d_kernel_gradient(op) -> int:
    # inputs: input, kernel sizes, gradient of the output; result [kh, kw, in, out].
    kh, kw, channels, _ = op.outputs[0].shape
    return 2 * _product(op.inputs[2].shape) * kh * kw * channels


def _matmul(op) -> int:
    transposed = op.get_attr("transpose_a") if op.type == "MatMul" else op.get_attr("adj_x")
    inner = op.inputs[0].shape[-2 if transposed else -1]
    return 2 * _product(op.outputs[0].shape) * inner


_COUNTERS = {
    "Conv2D": _conv2d,
    "Conv2DBackpropInput": _conv2d_input_gradient,
    "Conv2DBackpropFilter": _conv2d_kernel_gradient,
    "MatMul": _matmul,
    "BatchMatMulV2": _matmul,
}
