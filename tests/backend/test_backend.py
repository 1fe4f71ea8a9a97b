"""The operations that `keras.ops` lacks, on one replica; `two_replicas.py` tests two."""

import numpy as np
import tensorflow as tf

from compare_gan import backend


def _inputs(shape=(3, 4)):
    return np.random.RandomState(0).normal(size=shape).astype(np.float32)


def test_gradient_is_the_derivative_and_differentiable_itself():
    x = tf.constant(_inputs())
    with tf.GradientTape() as tape:
        tape.watch(x)
        first = backend.gradient(lambda v: tf.reduce_sum(v**3, axis=1, keepdims=True), x)
        value = tf.reduce_sum(first)
    np.testing.assert_allclose(first, 3 * x**2, rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(value, x), 6 * x, rtol=1e-5)


def test_gradient_of_a_function_that_ignores_its_input_is_zero():
    x = tf.constant(_inputs())
    np.testing.assert_array_equal(backend.gradient(lambda v: tf.ones([3, 1]), x), np.zeros((3, 4)))


def test_gradient_inside_a_compiled_function():
    compiled = tf.function(lambda x: backend.gradient(tf.sin, x))
    np.testing.assert_allclose(compiled(_inputs()), np.cos(_inputs()), rtol=1e-5, atol=1e-6)


def test_the_mean_over_one_replica_is_the_value():
    values = [tf.constant(1.0), tf.constant([2.0, 3.0])]
    assert not backend.in_replicas()
    for value, mean in zip(values, backend.cross_replica_mean(values), strict=True):
        np.testing.assert_array_equal(value, mean)


def test_batch_uniform_is_the_same_compiled_by_xla():
    """Unlike TensorFlow's draws, to which these are equal on CPU."""
    seed = tf.constant([3, 4])

    @tf.function(jit_compile=True)
    def compiled():
        return backend.batch_uniform((1000, 2), seed)

    draws = backend.batch_uniform((1000, 2), seed)
    np.testing.assert_array_equal(compiled(), draws)
    np.testing.assert_array_equal(tf.random.stateless_uniform((1000, 2), seed), draws)


def test_batch_uniform_depends_only_on_the_seed():
    draws = backend.batch_uniform((1000, 2), (3, 4))
    assert draws.dtype == "float32" and draws.shape == (1000, 2)
    np.testing.assert_array_equal(draws, backend.batch_uniform((1000, 2), tf.constant([3, 4])))
    for other in ((4, 3), (3, 5)):
        assert np.mean(np.equal(draws, backend.batch_uniform((1000, 2), other))) < 0.01
    # 2000 draws: standard errors of 0.0065 (mean) and 0.0033 (deviation), four of them.
    assert np.min(draws) >= 0 and np.max(draws) < 1
    assert abs(np.mean(draws) - 0.5) < 0.026 and abs(np.std(draws) - 12**-0.5) < 0.013
