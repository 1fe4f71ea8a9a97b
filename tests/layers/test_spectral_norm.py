"""Spectral normalization against NumPy's SVD and numbers of the 2019 library."""

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.layers import Conv2D, Conv2DTranspose, Dense, SpectralNorm, spectral_norm

SIDES = ("left", "right", "auto")
MAKERS = {
    "dense": (lambda **kwargs: Dense(5, spectral_norm=True, **kwargs), (3, 7)),
    "conv": (lambda **kwargs: Conv2D(5, 3, spectral_norm=True, **kwargs), (2, 4, 4, 3)),
    "transposed": (
        lambda **kwargs: Conv2DTranspose(5, 4, strides=2, spectral_norm=True, **kwargs),
        (2, 3, 3, 3),
    ),
}


def _inputs(shape):
    return np.random.RandomState(0).normal(size=shape).astype(np.float32)


def _as_matrix(kernel):
    return kernel.numpy().reshape(-1, kernel.shape[-1])


def _pairs(*kernels):
    """Quick are all kernels with `auto`, and all sides with the first kernel."""
    return [
        pytest.param(
            kernel,
            side,
            marks=[] if side == "auto" or kernel == kernels[0] else [pytest.mark.slow],
        )
        for kernel in kernels
        for side in SIDES
    ]


@pytest.mark.parametrize(("kernel", "side"), _pairs("conv", "lin_wide", "lin_tall", "lin_sq"))
def test_iterations_equal_those_of_the_2019_library(golden, assert_golden, kernel, side):
    key = f"sn/{kernel}"
    w = tf.constant(golden[f"{key}/w"])
    shape = SpectralNorm(singular_value=side).u_shape(w.shape)
    u = golden[f"{key}/u_left" if shape[1] == 1 else f"{key}/u_right"]
    for calls in (1, 2, 3):
        with tf.GradientTape() as tape:
            tape.watch(w)
            w_norm, u = spectral_norm(w, u, singular_value=side)
            value = tf.reduce_sum(w_norm * golden[f"{key}/grad_coef"])
        if calls == 2:
            continue
        sigma = tf.norm(w) / tf.norm(w_norm)
        found = {"w_norm": w_norm, "u": u, "grad_w": tape.gradient(value, w), "sigma": sigma}
        for name, array in found.items():
            name = f"{key}/{side}/{name}_iter{calls}"
            assert_golden("sn", name, array, golden[name])
    for _ in range(100):
        w_norm, u = spectral_norm(w, u, singular_value=side)
    name = f"{key}/true_sigma_max"
    assert_golden("sn", name, tf.norm(w) / tf.norm(w_norm), golden[name])


@pytest.mark.parametrize(("name", "side"), _pairs(*MAKERS))
def test_layers_converge_to_the_largest_singular_value(name, side):
    gin.parse_config(f"spectral_norm.singular_value = '{side}'")
    make, shape = MAKERS[name]
    layer, x = make(), _inputs(shape)
    layer(x)
    left, values, right = np.linalg.svd(_as_matrix(layer.kernel), full_matrices=False)
    # With this gap between the first two values, 30 iterations leave 0.5^60 of the second vector.
    values[0] = 2 * values[1]
    layer.kernel.assign(np.reshape(left * values @ right, layer.kernel.shape))
    for _ in range(30):
        layer(x, training=True)

    plain = type(layer).from_config(layer.get_config() | {"spectral_norm": False})
    plain(x)
    plain.kernel.assign(layer.kernel / values[0])
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-4, atol=1e-5)
    rows, columns = _as_matrix(layer.kernel).shape
    lengths = {"left": rows, "right": columns, "auto": min(rows, columns)}
    assert np.size(layer.u_var) == lengths[side]


@pytest.mark.parametrize("name", MAKERS)
def test_one_iteration_per_training_step_and_none_at_inference(name):
    make, shape = MAKERS[name]
    layer, x = make(), _inputs(shape)
    layer(x, training=False)
    start = layer.u_var.numpy()
    inference = layer(x, training=False)
    np.testing.assert_array_equal(layer.u_var, start)
    training = layer(x, training=True)
    # Inference computes one iteration from the stored vector, as the training step does.
    np.testing.assert_array_equal(inference, training)
    matrix = _as_matrix(layer.kernel)
    expected = matrix @ (matrix.T @ start)
    np.testing.assert_allclose(layer.u_var, expected / np.linalg.norm(expected), atol=1e-5)


def test_epsilon_bounds_the_squared_norms():
    w, u = tf.constant([[3.0, 0.0], [0.0, 4.0]]), tf.constant([[1.0], [0.0]])
    _, new_u = spectral_norm(w, u, epsilon=100.0)
    # wᵀu = (3, 0), over √100: 0.3; w·0.3 = 0.9, over √100.
    np.testing.assert_allclose(new_u, [[0.09], [0.0]], rtol=1e-6)
    gin.parse_config("spectral_norm.epsilon = 100.0")
    np.testing.assert_allclose(SpectralNorm()(w, u)[1], new_u)


def test_a_kernel_of_zeros_is_unchanged_and_has_a_gradient():
    w = tf.zeros([3, 2])
    with tf.GradientTape() as tape:
        tape.watch(w)
        normalized, _ = spectral_norm(w, tf.ones([3, 1]))
        value = tf.reduce_sum(normalized)
    np.testing.assert_array_equal(normalized, w)
    np.testing.assert_array_equal(tape.gradient(value, w), np.ones([3, 2]))


def test_an_unknown_side_is_reported_with_the_nearest():
    with pytest.raises(UserError, match=r"singular_value 'rigt'. Did you mean 'right'"):
        SpectralNorm(singular_value="rigt")


def test_a_negative_epsilon_is_refused():
    with pytest.raises(UserError, match=r"spectral_norm\.epsilon must be at least 0, received -1"):
        SpectralNorm(epsilon=-1)


def test_values_of_the_argument():
    gin.parse_config("spectral_norm.singular_value = 'auto'")
    assert SpectralNorm.of(False) is SpectralNorm.of(None) is None
    assert SpectralNorm.of(True).get_config() == {"epsilon": 1e-12, "singular_value": "auto"}
    settings = SpectralNorm(1e-6, "right")
    assert SpectralNorm.of(settings) is settings
    assert SpectralNorm.of(settings.get_config()).get_config() == settings.get_config()


@pytest.mark.parametrize("name", MAKERS)
def test_every_layer_check(check_layer, name):
    make, shape = MAKERS[name]
    config = "spectral_norm.singular_value = 'right'\nspectral_norm.epsilon = 1e-6"
    check_layer(make, {"inputs": _inputs(shape)}, config)


def test_half_precision_estimates_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = Dense(5, spectral_norm=True, kernel_initializer="glorot_normal")
        x = np.eye(7, dtype=np.float32)
        for _ in range(100):
            layer(x, training=True)
    finally:
        keras.config.set_dtype_policy("float32")
    left = np.linalg.svd(layer.kernel.numpy())[0][:, :1]
    # A kernel or a vector rounded to bfloat16 would have an error of about 1e-3.
    np.testing.assert_allclose(layer.u_var * np.sign(left.T @ layer.u_var), left, atol=5e-5)
