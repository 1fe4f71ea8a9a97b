"""The memory of a function's intermediate results, from the graph that TensorFlow traces."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def activation_bytes(function: Callable[..., Any], *inputs: Any) -> int:
    """The size of all float results inside a function together, in bytes.

    An upper bound of the memory that its backward pass needs. The function is only traced.

    Args:
      function: Function of tensors that returns tensors.
      inputs: Shapes and dtypes of its arguments: `keras.KerasTensor`, or dicts and lists of them.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> def function(x):
      ...     return keras.ops.exp(keras.ops.matmul(x, x))
      >>> engine.activation_bytes(function, keras.KerasTensor((100, 100))) >= 2 * 4 * 100**2
      True
    """
    specs = keras.tree.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), inputs)
    graph = tf.function(function).get_concrete_function(*specs).graph
    outputs = [
        out
        for op in graph.get_operations()
        for out in op.outputs
        if out.dtype.is_floating and out.shape.is_fully_defined()
    ]
    return sum(out.dtype.size * int(np.prod(out.shape)) for out in outputs)
