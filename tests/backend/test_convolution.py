"""Transposed convolutions of which only a part is wanted."""

import tensorflow as tf

from compare_gan import backend


def _operations(size) -> set[str]:
    """Types of the operations of a transposed convolution with its gradient."""

    @tf.function(autograph=False)
    def function(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = backend.conv_transpose(x, kernel, strides=2, output_size=size)
        return tape.gradient(y, x)

    graph = function.get_concrete_function(tf.ones((1, 4, 4, 2)), tf.ones((4, 4, 3, 2))).graph
    return {op.type for op in graph.get_operations()}


def test_what_is_left_out_is_not_computed():
    for size in (None, (8, 8), (7, 7)):
        operations = _operations(size)
        assert "Conv2DBackpropInput" in operations
        assert not {"StridedSlice", "StridedSliceGrad"} & operations
