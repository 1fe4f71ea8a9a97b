"""Max pooling: both forms on TensorFlow; `tests/backends` compares the backends."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import backend


def _value_and_gradients(function, x):
    """Pooled values, the gradient of a weighted sum, and that of the gradient's squared norm."""
    pooled = function(x)
    weights = tf.constant(np.random.RandomState(1).normal(size=pooled.shape), x.dtype)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            value = tf.reduce_sum(weights * function(x) ** 2)
        slopes = inner.gradient(value, x)
        norm = tf.reduce_sum(slopes**2)
    return pooled, slopes, outer.gradient(norm, x)


@pytest.mark.parametrize("shape", ((2, 4, 6, 3), (2, 5, 7, 3), (1, 2, 2, 1)))
@pytest.mark.parametrize("dtype", ("float32", "bfloat16"))
def test_the_form_for_determinism_equals_tensorflows(shape, dtype):
    # Five different numbers: most windows have equal pixels.
    x = tf.constant(np.random.RandomState(0).randint(-2, 3, size=shape), dtype)

    def own(x):
        tf.config.experimental.enable_op_determinism()
        return backend.max_pool(x)

    expected = _value_and_gradients(lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), x)
    for graph in (False, True):
        found = (tf.function(own, autograph=False) if graph else own, x)
        for array, value in zip(_value_and_gradients(*found), expected, strict=True):
            np.testing.assert_array_equal(array, value)


def test_xla_compiles_its_gradient_with_op_determinism():
    tf.config.experimental.enable_op_determinism()
    x = tf.constant(np.random.RandomState(0).normal(size=(2, 4, 4, 3)).astype(np.float32))
    plain, compiled = (
        tf.function(
            lambda x: backend.gradient(lambda x: backend.max_pool(x) ** 2, x),
            jit_compile=jit_compile,
            autograph=False,
        )(x)
        for jit_compile in (False, True)
    )
    assert np.count_nonzero(plain) == plain.shape.num_elements() // 4
    np.testing.assert_array_equal(compiled, plain)
