"""The arithmetic of a function, from the graph that TensorFlow traces."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from compare_gan.engine.tensorflow.tracing import graph_of, operations_that_run


def count_operations(function: Callable[..., Any], *inputs: Any) -> int:
    """The multiplications and additions of the convolutions and matrix products of a function.

    The function is only traced.

    Args:
      function: Function of tensors that returns tensors.
      inputs: Shapes and dtypes of its arguments: `keras.KerasTensor`, or dicts and lists of them.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> matrix = keras.KerasTensor((100, 50))
      >>> engine.count_operations(lambda x: keras.ops.matmul(x, keras.ops.transpose(x)), matrix)
      1000000
    """
    graph = graph_of(function, *inputs)
    return sum(_operations_of(each) for each in operations_that_run(graph))


def _operations_of(operation: tf.Operation) -> int:
    """Two for each product that is added up, where all shapes are known."""
    kind = operation.type
    if kind in ("Conv2D", "DepthwiseConv2dNative"):
        kernel, result = operation.inputs[1].shape, operation.outputs[0].shape
        # A kernel is [height, width, input channels of a group, output channels].
        per_result = kernel[:3] if kind == "Conv2D" else kernel[:2]
    elif kind == "Conv2DBackpropInput":
        kernel, result = operation.inputs[1].shape, operation.inputs[2].shape
        per_result = kernel[:3]
    elif kind == "Conv2DBackpropFilter":
        kernel, result = operation.outputs[0].shape, operation.inputs[2].shape
        per_result = kernel[:3]
    elif kind in ("MatMul", "BatchMatMul", "BatchMatMulV2"):
        transposed = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        left, result = operation.inputs[0].shape, operation.outputs[0].shape
        per_result = left[-2:-1] if transposed else left[-1:]
    else:
        return 0
    if not (per_result.is_fully_defined() and result.is_fully_defined()):
        return 0
    return 2 * int(np.prod(per_result)) * int(np.prod(result))
