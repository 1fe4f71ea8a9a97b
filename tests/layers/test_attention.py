"""Self-attention against the 2019 library's numbers and a loop over pixels."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.layers import NonLocalBlock


@pytest.mark.parametrize("use_sn", (False, True))
def test_output_and_gradient_equal_those_of_the_2019_library(
    golden, load_golden, assert_golden, use_sn
):
    prefix = f"nonlocal/use_sn={use_sn}"
    layer, x = NonLocalBlock(spectral_norm=use_sn, name="nl"), tf.constant(golden["nonlocal/in/x"])
    layer.build(x.shape)
    load_golden(layer, prefix)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        value = tf.reduce_sum(tf.square(y))
    for name, found in (("out", y), ("grad_sumsq_wrt_x", tape.gradient(value, x))):
        assert_golden("nonlocal", f"{prefix}/{name}", found, golden[f"{prefix}/{name}"])


def test_against_a_loop_over_pixels(randomize):
    x = np.random.RandomState(0).normal(size=(2, 4, 6, 8)).astype(np.float32)
    layer = NonLocalBlock()
    layer(x)
    randomize(layer)

    def conv(layer, x):
        return x @ layer.kernel.numpy()[0, 0]

    def max_pool(x):
        return x.reshape(2, 2, 2, 3, 2, -1).max(axis=(2, 4)).reshape(2, 6, -1)

    queries = conv(layer.theta, x)
    keys, values = max_pool(conv(layer.phi, x)), max_pool(conv(layer.g, x))
    expected = np.zeros_like(x)
    for n, i, j in np.ndindex(2, 4, 6):
        weights = np.exp(keys[n] @ queries[n, i, j])
        mixed = (weights / weights.sum()) @ values[n]
        expected[n, i, j] = x[n, i, j] + layer.sigma.numpy() * conv(layer.attn_g, mixed)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)


def test_starts_as_the_identity():
    x = np.random.RandomState(0).normal(size=(2, 4, 4, 8)).astype(np.float32)
    np.testing.assert_array_equal(NonLocalBlock()(x), x)


def test_every_layer_check(check_layer):
    x = np.random.RandomState(0).normal(size=(2, 4, 4, 8)).astype(np.float32)
    config = "spectral_norm.singular_value = 'auto'"
    check_layer(lambda: NonLocalBlock(spectral_norm=True), {"inputs": x}, config)
