"""ReLU and leaky ReLU without zeros as their second derivatives, against TensorFlow's."""

import functools

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


# Ours and TensorFlow's, with the slope of negative values.
PAIRS = {
    "relu": (backend.relu, tf.nn.relu, 0.0),
    **{
        f"leaky_relu_{slope}": (
            functools.partial(backend.leaky_relu, slope=slope),
            functools.partial(tf.nn.leaky_relu, alpha=slope),
            slope,
        )
        for slope in (0.2, 0.0)
    },
}


@pytest.mark.parametrize("name", PAIRS)
def test_results_and_gradients_equal_those_of_tensorflow(name):
    found, expected = [], []
    for values, activation in zip((found, expected), PAIRS[name], strict=False):
        with tf.GradientTape() as tape:
            tape.watch(X)
            y = activation(X)
            penalty = _penalty(activation, X)
            total = tf.reduce_sum(y**2) + penalty
        values += [y, penalty, tape.gradient(total, X)]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", PAIRS)
def test_the_derivative_in_a_direction_is_the_slope(name):
    activation, _, slope = PAIRS[name]
    derivative = backend.directional_derivative(activation, X, tf.fill(X.shape, 5.0))
    np.testing.assert_array_equal(derivative, np.where(X.numpy() > 0, 5.0, 5.0 * slope))


@pytest.mark.parametrize("name", ("relu", "leaky_relu_0.2"))
def test_the_gradient_of_a_penalty_stops_where_it_is_zero(name):
    """Products of matrices: two of the layers, two of the slopes and three of their gradients."""

    def products(activation):
        def two_layers(x, kernel):
            return activation(activation(x @ kernel) @ kernel)

        @tf.function(autograph=False)
        def step(x, kernel):
            with tf.GradientTape() as tape:
                tape.watch(kernel)
                slopes = backend.gradient(lambda x: two_layers(x, kernel), x)
                penalty = tf.reduce_sum(slopes**2)
            return tape.gradient(penalty, kernel)

        graph = step.get_concrete_function(X[:, :2], KERNEL[:2, :2]).graph
        return [op.type for op in graph.get_operations()].count("MatMul")

    ours, theirs, _ = PAIRS[name]
    assert products(ours) == 7 < products(theirs)


def test_they_are_applied_to_symbolic_tensors():
    x = keras.Input([3])
    model = keras.Model(x, [backend.leaky_relu(x, 0.5), backend.relu(x)])
    leaky, plain = model(tf.constant([[-2.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(leaky, [[-1.0, 0.0, 2.0]])
    np.testing.assert_array_equal(plain, [[0.0, 0.0, 2.0]])
