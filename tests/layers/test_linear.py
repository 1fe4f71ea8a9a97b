"""Dense, convolution, transposed convolution against the 2019 library and TensorFlow's ops."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.layers import Conv2D, Conv2DTranspose, Dense


def _inputs(shape):
    return np.random.RandomState(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("x", ("x4", "x5"))
@pytest.mark.parametrize(("kernel_size", "strides"), ((3, 1), (4, 2), (5, 2)))
def test_convolutions_equal_those_of_the_2019_library(
    golden, load_golden, assert_golden, kernel_size, strides, x
):
    prefix = f"op/k{kernel_size}_s{strides}/{x}"
    inputs = golden[f"op/in/{x}"]
    for make, name, key in ((Conv2D, "c", "conv2d"), (Conv2DTranspose, "d", "deconv2d")):
        layer = make(3, kernel_size, strides=strides, name=name)
        layer.build(inputs.shape)
        load_golden(layer, prefix)
        assert_golden("op", f"{prefix}/{key}", layer(inputs), golden[f"{prefix}/{key}"])


def test_dense_is_a_matrix_product_plus_a_bias_with_the_given_start():
    layer, x = Dense(3, bias_start=2.0), _inputs((4, 5))
    expected = layer(x)
    np.testing.assert_allclose(expected, x @ layer.kernel.numpy() + 2, rtol=1e-6, atol=1e-6)
    unbiased = Dense(3, use_bias=False)
    np.testing.assert_allclose(unbiased(x), x @ unbiased.kernel.numpy(), rtol=1e-6, atol=1e-6)
    assert len(unbiased.weights) == 1


@pytest.mark.parametrize("kernel_size", (1, 2, 3, 4, 5, 6))
@pytest.mark.parametrize(("size", "strides"), ((7, 2), (8, 2), (7, 3), (8, 3), (9, 3), (4, 1)))
def test_a_transposed_convolution_of_any_output_size_is_the_adjoint(kernel_size, size, strides):
    h = w = -(-size // strides)
    shape = (size, h * strides, 5)
    x = _inputs((2, h, w, 3))
    layer = Conv2DTranspose(5, kernel_size, strides=strides, output_size=shape[:2])
    y = layer(x)
    units = np.eye(np.prod(shape), dtype=np.float32).reshape(-1, *shape)
    convolved = tf.nn.conv2d(units, layer.kernel, strides, "SAME")  # [units, h, w, 3].
    expected = tf.tensordot(x, convolved, [[1, 2, 3], [1, 2, 3]])
    np.testing.assert_allclose(y, tf.reshape(expected, y.shape), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", (6, 9))
def test_impossible_output_size_is_refused(size):
    layer = Conv2DTranspose(5, 4, strides=2, output_size=(8, size))
    with pytest.raises(UserError, match=f"between 7 and 8, received {size}"):
        layer(_inputs((1, 4, 4, 3)))


def test_unknown_resampling_and_strides_with_it_are_refused():
    with pytest.raises(UserError, match="Did you mean 'unpool_then'"):
        Conv2D(3, 3, resample="unpol_then")
    with pytest.raises(UserError, match="strides 1, received 2"):
        Conv2D(3, 3, strides=2, resample="then_mean_pool")


def test_gin_chooses_the_initializer():
    gin.parse_config("weights.initializer = 'orthogonal'")
    layer = Dense(4)
    layer.build((None, 6))
    kernel = layer.kernel.numpy()
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(4), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "shape"),
    (
        (lambda: Dense(5, bias_start=1.0), (3, 7)),
        (lambda: Dense(5, use_bias=False, kernel_initializer="glorot_normal"), (3, 7)),
        (lambda: Conv2D(5, 3, strides=2), (2, 5, 5, 3)),
        (lambda: Conv2D(5, 3, resample="nearest_then", folded=False), (2, 4, 4, 3)),
        (lambda: Conv2D(5, 3, resample="then_mean_pool", spectral_norm=True), (2, 4, 4, 3)),
        (lambda: Conv2DTranspose(5, 4, strides=2, output_size=(7, 7)), (2, 4, 4, 3)),
    ),
)
def test_every_layer_check(check_layer, make, shape):
    check_layer(make, {"inputs": _inputs(shape)}, "weights.stddev = 0.5")


@pytest.mark.parametrize("strides", (1, 2))
def test_groups_of_channels_are_convolved_separately(strides):
    random = np.random.RandomState(0)
    x = random.normal(size=(2, 6, 6, 6)).astype(np.float32)
    grouped = Conv2D(9, 3, strides, groups=3)
    grouped(x)
    parts = []
    for i in range(3):
        part = Conv2D(3, 3, strides)
        part.build((None, 6, 6, 2))
        part.kernel.assign(grouped.kernel[..., 3 * i : 3 * i + 3])
        parts.append(part(x[..., 2 * i : 2 * i + 2]))
    # The same products, added up in another order.
    np.testing.assert_allclose(grouped(x), np.concatenate(parts, axis=3), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", ("float16", "bfloat16"))
def test_grouped_convolutions_have_gradients_in_half_precision(dtype):
    """Those of float32, twice as a gradient penalty needs them: to 8 bits."""
    x, gradients = _inputs((2, 4, 4, 4)), {}
    kernel = _inputs((3, 3, 2, 6))
    for each in ("float32", dtype):
        layer = Conv2D(6, 3, groups=2, dtype=each if each == "float32" else f"mixed_{each}")
        layer.build(x.shape)
        layer.kernel.assign(kernel)
        images = tf.constant(x)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                tape.watch(images)
                total = tf.reduce_sum(tf.square(tf.cast(layer(images), "float32")))
            slopes = tape.gradient(total, images)
            penalty = tf.reduce_mean(tf.square(slopes))
        gradients[each] = outer.gradient(penalty, layer.kernel.value).numpy()
    largest = np.abs(gradients["float32"]).max()
    np.testing.assert_allclose(gradients[dtype], gradients["float32"], atol=2**-6 * largest)


def test_groups_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="divide its 4 channels and 6 filters, received 3"):
        Conv2D(6, 3, groups=3).build((None, 8, 8, 4))
    with pytest.raises(UserError, match="groups must be a positive integer, received 0"):
        Conv2D(6, 3, groups=0)
    with pytest.raises(UserError, match="resample='nearest_then' must have one group, received 2"):
        Conv2D(6, 3, resample="nearest_then", groups=2)
