"""The leaky ReLU without zeros as its second derivative, against TensorFlow's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import backend

# Values of both signs, zeros, and one whose result may be rounded to zero.
X = tf.constant([[-2.0, -0.5, 0.0, -0.0], [1.5, -2e-38, 3.0, 0.25]])
KERNEL = tf.constant(np.random.default_rng(0).standard_normal([4, 3]), tf.float32)


def _penalty(activation, x):
    """Half the squared gradient of two layers with respect to their input."""
    slopes = backend.gradient(lambda x: activation(activation(x @ KERNEL) ** 2), x)
    return 0.5 * tf.reduce_sum(slopes**2)


@pytest.mark.parametrize("slope", (0.2, 0.0))
def test_results_and_gradients_equal_those_of_tensorflow(slope):
    found, expected = [], []
    for values, activation in ((found, backend.leaky_relu), (expected, tf.nn.leaky_relu)):
        with tf.GradientTape() as tape:
            tape.watch(X)
            y = activation(X, slope)
            penalty = _penalty(lambda x, activation=activation: activation(x, slope), X)
            total = tf.reduce_sum(y**2) + penalty
        values += [y, penalty, tape.gradient(total, X)]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_derivative_in_a_direction_is_the_slope():
    derivative = backend.directional_derivative(
        lambda x: backend.leaky_relu(x, 0.2), X, tf.fill(X.shape, 5.0)
    )
    np.testing.assert_array_equal(derivative, np.where(X.numpy() > 0, 5.0, 1.0))


def test_the_gradient_of_a_penalty_stops_where_it_is_zero():
    """Products of matrices: two of the layers, two of the slopes and three of their gradients."""

    def products(activation):
        def two_layers(x, kernel):
            return activation(activation(x @ kernel, 0.2) @ kernel, 0.2)

        @tf.function(autograph=False)
        def step(x, kernel):
            with tf.GradientTape() as tape:
                tape.watch(kernel)
                slopes = backend.gradient(lambda x: two_layers(x, kernel), x)
                penalty = tf.reduce_sum(slopes**2)
            return tape.gradient(penalty, kernel)

        graph = step.get_concrete_function(X[:, :2], KERNEL[:2, :2]).graph
        return [op.type for op in graph.get_operations()].count("MatMul")

    assert products(backend.leaky_relu) == 7 < products(tf.nn.leaky_relu)


def test_it_is_applied_to_symbolic_tensors():
    x = keras.Input([3])
    model = keras.Model(x, backend.leaky_relu(x, 0.5))
    np.testing.assert_array_equal(model(tf.constant([[-2.0, 0.0, 2.0]])), [[-1.0, 0.0, 2.0]])
