"""Resampling alone against NumPy; folded into convolutions against the plain definition."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.layers import mean_pool, resampling, unpool, upsample_nearest


def _inputs(shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape).astype(np.float32)


def test_unpool_equals_that_of_the_2019_library(golden, assert_golden):
    key = "op/unpool/x4"
    assert_golden("op", key, unpool(golden["op/in/x4"]), golden[key], rtol=0)


def test_nearest_and_mean_pool_against_numpy():
    x = _inputs((2, 4, 6, 3))
    np.testing.assert_array_equal(upsample_nearest(x), x.repeat(2, axis=1).repeat(2, axis=2))
    expected = x.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(mean_pool(x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kernel_size", (1, 2, 3, 4, 5))
@pytest.mark.parametrize("resample", resampling.RESAMPLINGS)
@pytest.mark.parametrize("shape", ((2, 4, 6, 3), (2, 5, 7, 3), (2, 2, 2, 3)))
def test_folded_equals_plain_with_all_gradients(resample, kernel_size, shape):
    x = tf.constant(_inputs(shape))
    kernel = tf.constant(_inputs((kernel_size, kernel_size, 3, 4), seed=1))
    results = []
    for folded in (False, True):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = resampling.convolve(x, kernel, resample, folded)
            # A weighted sum, so that no two entries have the same gradient.
            value = tf.reduce_sum(y * _inputs(y.shape, seed=2))
        results.append((y, *tape.gradient(value, (x, kernel))))
    for plain, folded in zip(*results, strict=True):
        # Up to 300 float32 products, summed in a different order.
        scale = np.abs(plain).max()
        np.testing.assert_allclose(folded, plain, rtol=1e-5, atol=1e-5 * scale)
