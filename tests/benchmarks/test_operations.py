"""Operation counts of known graphs."""

import importlib.util
import pathlib

import tensorflow as tf

_PATH = pathlib.Path(__file__).parents[2] / "benchmarks" / "operations.py"
_SPEC = importlib.util.spec_from_file_location("operations", _PATH)
operations = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(operations)


def _count(fn, *shapes):
    specs = [tf.TensorSpec(shape) for shape in shapes]
    return operations.count_operations(tf.function(fn).get_concrete_function(*specs))


def test_matrix_products():
    assert _count(tf.matmul, [2, 3], [3, 5]) == 2 * 2 * 3 * 5
    assert _count(lambda a, b: tf.matmul(a, b, transpose_a=True), [3, 2], [3, 5]) == 2 * 2 * 3 * 5
    assert _count(tf.matmul, [7, 2, 3], [7, 3, 5]) == 7 * 2 * 2 * 3 * 5


def test_a_convolution_costs_the_same_forward_and_in_each_gradient():
    def forward(x, w):
        return tf.nn.conv2d(x, w, 2, "SAME")

    def backward(x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = tf.reduce_sum(tf.square(forward(x, w)))
        return tape.gradient(y, [x, w])

    once = 2 * (4 * 8 * 8) * (3 * 3 * 5) * 6
    assert _count(forward, [4, 16, 16, 5], [3, 3, 5, 6]) == once
    assert _count(backward, [4, 16, 16, 5], [3, 3, 5, 6]) == 3 * once


def test_a_transposed_convolution_costs_as_much_as_the_reverse_convolution():
    def upsample(x, w):
        return tf.nn.conv2d_transpose(x, w, [4, 16, 16, 5], 2, "SAME")

    once = 2 * (4 * 8 * 8) * (3 * 3 * 5) * 6
    assert _count(upsample, [4, 8, 8, 6], [3, 3, 5, 6]) == once


def test_functions_inside_functions_count():
    inner = tf.function(tf.matmul)

    def loop(a, b):
        for _ in tf.range(10):
            a = inner(a, b)
        return a

    assert _count(lambda a, b: inner(a, b) + 1.0, [2, 2], [2, 2]) == 16
    assert _count(loop, [2, 2], [2, 2]) == 16  # The body of a loop counts once.


def test_unused_results_do_not_count():
    def one_of_two(x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = tf.reduce_sum(tf.square(tf.nn.conv2d(x, w, 1, "SAME")))
        return tape.gradient(y, [x, w])[0]  # TensorFlow puts both gradients into the graph.

    once = 2 * (4 * 8 * 8) * (3 * 3 * 5) * 6
    assert _count(one_of_two, [4, 8, 8, 5], [3, 3, 5, 6]) == 2 * once


def test_a_change_of_a_variable_counts():
    variable = tf.Variable(tf.zeros([2, 2]))

    def change(a):
        variable.assign(tf.matmul(a, a))
        return a

    assert _count(change, [2, 2]) == 16
