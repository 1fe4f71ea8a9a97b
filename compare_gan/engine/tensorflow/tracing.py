"""The graph of a function, as TensorFlow traces it: nothing is computed."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def graph_of(function: Callable[..., Any], *inputs: Any) -> Any:
    """The graph of a function.

    Args:
      function: Function of tensors that returns tensors.
      inputs: Shapes and dtypes of its arguments: `keras.KerasTensor`, or dicts and lists of them.
    """
    specs = keras.tree.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), inputs)
    return tf.function(function, autograph=False).get_concrete_function(*specs).graph


def operations_that_run(graph: Any) -> list[tf.Operation]:
    """The operations that the outputs need, and those with an effect, in their order.

    A gradient with respect to inputs that nobody uses, for example, is not run.

    Args:
      graph: Result of `graph_of`, or the graph of a function in it.
    """
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    needed: set[Any] = set()
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return [operation for operation in graph.get_operations() if operation in needed]
