"""Binomial resampling against R3GAN's program and as a pair of transposed maps."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from compare_gan import backend
from compare_gan.backend import binomial
from compare_gan.layers import downsample_binomial, upsample_binomial

_GOLDEN = pathlib.Path(__file__).parents[1] / "data" / "r3gan_golden.npz"


@pytest.mark.parametrize(
    ("name", "resample"), [("up", upsample_binomial), ("down", downsample_binomial)]
)
def test_it_equals_that_of_r3gan(assert_golden, name, resample):
    with np.load(_GOLDEN) as golden:
        x, expected = golden["r3gan/resample/in"], golden[f"r3gan/resample/{name}"]
    # Sums of at most four float32 products in each direction.
    assert_golden("R3GAN", f"r3gan/resample/{name}", resample(tf.constant(x)), expected, rtol=5e-7)


def test_one_is_four_times_the_transpose_of_the_other():
    random = np.random.RandomState(0)
    x, y = random.normal(size=(2, 4, 6, 3)), random.normal(size=(2, 8, 12, 3))
    up, down = upsample_binomial(ops.array(x)), downsample_binomial(ops.array(y))
    assert np.sum(up * y) == pytest.approx(4 * np.sum(x * down), rel=1e-5)


def test_sums_of_shifted_images_are_the_depthwise_convolutions_of_tensorflow():
    """JAX and PyTorch use the sums."""
    x = tf.constant(np.random.RandomState(0).normal(size=(2, 4, 6, 3)).astype(np.float32))
    for own, of_tensorflow in (
        (binomial._filtered(x, 2), backend.binomial_filter(x, padding=2)),
        (binomial._halved(x), backend.binomial_filter(x, padding=1, strides=2)),
        (binomial._doubled(x), backend.binomial_filter_transpose(x)),
    ):
        # Sums of 16 float32 numbers with weights up to 9.
        np.testing.assert_allclose(own, of_tensorflow, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ("bfloat16", "float16"))
def test_half_precision(dtype):
    x = tf.ones((1, 4, 4, 2), dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = downsample_binomial(upsample_binomial(x))
    assert y.dtype == dtype and y[0, 1, 1, 0] > 0.9
    assert tape.gradient(y, x).dtype == dtype
