"""Winograd's convolutions against TensorFlow's direct ones."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import backend
from compare_gan.backend import forms, winograd
from compare_gan.backend.forms import winograd_convolutions
from compare_gan.layers import Conv2D, Conv2DTranspose

CASES = {
    "3x3": ((2, 4, 6, 5), (3, 3, 5, 7), 1, False),
    "4x4 strided": ((2, 8, 4, 5), (4, 4, 5, 7), 2, False),
    "3x3 transposed": ((2, 4, 6, 5), (3, 3, 7, 5), 1, True),
    "4x4 strided, transposed": ((2, 4, 2, 5), (4, 4, 7, 5), 2, True),
}
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def for_small_convolutions_too(monkeypatch):
    monkeypatch.setattr(forms, "_MIN_CHANNELS", 1)
    monkeypatch.setattr(forms, "_MIN_OPERATIONS", 0)


def _tensor(shape):
    return tf.constant(RNG.standard_normal(shape), tf.float32)


def _convolve(x, kernel, strides, transpose):
    fn = backend.conv_transpose if transpose else backend.conv
    return fn(x, kernel, strides)


def _graph_of(x, kernel, strides, transpose) -> set[str]:
    function = tf.function(lambda: _convolve(x, kernel, strides, transpose), autograph=False)
    return {op.type for op in function.get_concrete_function().graph.get_operations()}


def _with_gradients(x, kernel, strides, transpose, orders):
    """Returns the result, the gradients of the sum of its squares, and optionally theirs."""
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = _convolve(x, kernel, strides, transpose)
            value = tf.reduce_sum(y**2)
        first = tape.gradient(value, [x, kernel])
        if orders == 1:
            return [y, *first]
        value = sum(tf.reduce_sum(g**2) for g in first)
    return [y, *first, *outer.gradient(value, [x, kernel])]


def test_a_smaller_output_is_a_part_of_the_full_one():
    x, kernel = _tensor((2, 4, 4, 5)), _tensor((4, 4, 7, 5))
    direct = backend.conv_transpose(x, kernel, strides=2, output_size=(7, 8))
    with winograd_convolutions():
        y = backend.conv_transpose(x, kernel, strides=2, output_size=(7, 8))
    np.testing.assert_allclose(y, direct, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "case",
    # Each kernel and each direction once.
    [
        "3x3",
        pytest.param("4x4 strided", marks=pytest.mark.slow),
        pytest.param("3x3 transposed", marks=pytest.mark.slow),
        "4x4 strided, transposed",
    ],
)
def test_results_and_gradients_equal_those_of_the_direct_convolution(case):
    x_shape, kernel_shape, strides, transpose = CASES[case]
    x, kernel = _tensor(x_shape), _tensor(kernel_shape)
    orders = 1 if transpose else 2
    expected = _with_gradients(x, kernel, strides, transpose, orders)
    with winograd_convolutions():
        assert forms.form_for(x, kernel, strides, transpose)
        found = _with_gradients(x, kernel, strides, transpose, orders)
    for a, b in zip(expected, found, strict=True):
        # Float32 rounding of a few products, relative to the largest value.
        np.testing.assert_allclose(b, a, rtol=0, atol=3e-6 * np.abs(a).max())


@pytest.mark.parametrize("case", CASES)
def test_no_convolution_is_left_in_the_graph(case):
    x_shape, kernel_shape, strides, transpose = CASES[case]
    x, kernel = _tensor(x_shape), _tensor(kernel_shape)
    direct = {"Conv2D", "Conv2DBackpropInput"}
    assert direct & _graph_of(x, kernel, strides, transpose)
    with winograd_convolutions():
        assert not direct & _graph_of(x, kernel, strides, transpose)
        with winograd_convolutions(False):
            assert direct & _graph_of(x, kernel, strides, transpose)


@pytest.mark.parametrize(
    ("x_shape", "kernel_shape", "strides", "transpose"),
    (
        ((2, 5, 4, 3), (3, 3, 3, 3), 1, False),  # One side is odd.
        ((2, 4, 6, 3), (4, 4, 3, 3), 2, False),  # Half of one side is odd.
        ((2, 3, 4, 3), (4, 4, 3, 3), 2, True),
        ((2, 4, 4, 3), (5, 5, 3, 3), 1, False),
        ((2, 4, 4, 3), (3, 3, 3, 3), 2, False),
        ((2, 4, 4, 3), (1, 1, 3, 3), 1, False),
    ),
)
def test_other_shapes_are_convolved_directly(x_shape, kernel_shape, strides, transpose):
    x, kernel = _tensor(x_shape), _tensor(kernel_shape)
    expected = _convolve(x, kernel, strides, transpose)
    with winograd_convolutions():
        assert forms.form_for(x, kernel, strides, transpose) is None
        np.testing.assert_array_equal(_convolve(x, kernel, strides, transpose), expected)


def test_so_are_half_precision_little_work_and_unknown_batch_sizes(monkeypatch):
    x, kernel = _tensor((2, 4, 4, 8)), _tensor((3, 3, 8, 8))
    with winograd_convolutions():
        assert forms.form_for(x, kernel, 1)
        assert not forms.form_for(tf.cast(x, tf.bfloat16), kernel, 1)
        assert not forms.form_for(tf.keras.Input((4, 4, 8)), kernel, 1)
        operations = 2 * (2 * 4 * 4) * (3 * 3 * 8 * 8)
        monkeypatch.setattr(forms, "_MIN_OPERATIONS", operations)
        assert forms.form_for(x, kernel, 1)
        monkeypatch.setattr(forms, "_MIN_OPERATIONS", operations + 1)
        assert not forms.form_for(x, kernel, 1)
        monkeypatch.setattr(forms, "_MIN_OPERATIONS", 0)
        monkeypatch.setattr(forms, "_MIN_CHANNELS", 9)
        assert not forms.form_for(x, kernel, 1)


@pytest.mark.parametrize("layer_class", (Conv2D, Conv2DTranspose))
def test_layers_use_it(layer_class):
    layer = layer_class(6, 4, strides=2, spectral_norm=True)
    x = _tensor((2, 8, 8, 5))
    expected = layer(x)
    with winograd_convolutions():
        np.testing.assert_allclose(layer(x), expected, rtol=0, atol=3e-6 * np.abs(expected).max())


def test_training_uses_it_where_channels_are_many(tmp_path, monkeypatch, eagerly):
    """Whole steps, with the losses of direct convolutions; one layer has enough channels."""
    from compare_gan.training.run_dir import RunDir
    from compare_gan.training.trainer import Experiment, Trainer

    monkeypatch.setattr(forms, "_MIN_CHANNELS", 16)
    losses = {}
    for on in (False, True):
        gin.clear_config()
        gin.parse_config(f"""
            options.gan_class = @ModularGAN
            options.architecture = 'sndcgan_arch'
            options.batch_size = 4
            options.training_steps = 2
            dataset.name = 'synthetic'
            dataset.image_size = 32
            sndcgan.Generator.ch = 2
            sndcgan.Discriminator.ch = 2
            D.spectral_norm = True
            run_config.tf_random_seed = 1
            run_config.winograd = {on}
            run_config.autotune = False
        """)
        calls = []
        monkeypatch.setattr(winograd._Scheme, "convolve", _noting(calls))
        losses[on] = Trainer(Experiment.from_gin(), RunDir(tmp_path / str(on))).run_steps(2)
        assert {shape[1:] for shape in calls} == ({(4, 4, 16)} if on else set())
    for name, values in losses[False].items():
        # Adam's first steps amplify rounding in small gradients: to 1e-3 after two of them.
        np.testing.assert_allclose(losses[True][name], values, rtol=1e-3, atol=1e-3, err_msg=name)


def _noting(calls, convolve=winograd._Scheme.convolve):
    def noting(self, x, kernel):
        calls.append(x.shape)
        return convolve(self, x, kernel)

    return noting
