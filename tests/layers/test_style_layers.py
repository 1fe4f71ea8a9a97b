"""The layers of StyleGAN2 against the numbers of its authors' program and against NumPy."""

import numpy as np
import pytest
import stylegan2_numbers
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.layers import (
    AddedNoise,
    EqualizedConv2D,
    EqualizedDense,
    MinibatchStddev,
    ModulatedConv2D,
    StyleMapping,
    downsample_binomial,
    upsample_binomial,
)
from compare_gan.layers.modulation import modulated_convolve

# In float32, over some ten products: a few roundings.
_TOLERANCE = 1e-6


def _numbers(*shape, seed=0):
    return np.random.RandomState(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("size", (1, 3))
@pytest.mark.parametrize(
    ("resample", "name"), ((None, "plain"), ("up", "up2"), ("down", "down2")), ids=str
)
def test_modulated_convolution_is_that_of_the_authors(assert_golden, size, resample, name):
    golden, prefix = stylegan2_numbers.golden(), "modconv"
    inputs = [golden[f"{prefix}/in/{key}"] for key in ("x", f"kernel{size}", "styles")]
    tensors = [tf.constant(each) for each in inputs]
    for demodulate in (True, False):
        key = f"{prefix}/k{size}_{name}_{'demod' if demodulate else 'nodemod'}"
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = modulated_convolve(*tensors, demodulate, resample)
            value = tf.reduce_sum(y * golden.get(f"{key}/grad_coef", 0.0))
        assert_golden("stylegan2", key, y, golden[key], rtol=_TOLERANCE)
        if f"{key}/grad_coef" in golden:
            for argument, found in zip(
                ("x", "kernel", "styles"), tape.gradient(value, tensors), strict=True
            ):
                name_of_gradient = f"{key}/grad_{argument}"
                # Sums of some hundred products that cancel in part.
                assert_golden(
                    "stylegan2", name_of_gradient, found, golden[name_of_gradient], rtol=5e-6
                )


def test_resampling_is_that_of_the_authors(assert_golden):
    golden = stylegan2_numbers.golden()
    x = tf.constant(golden["modconv/in/x"])
    for name, resample in (("up2", upsample_binomial), ("down2", downsample_binomial)):
        key = f"resample/{name}"
        assert_golden("stylegan2", key, resample(x), golden[key], rtol=_TOLERANCE)


@pytest.mark.parametrize(("group", "channels"), ((4, 1), (2, 1), (None, 1), (4, 2), (4, 3)))
def test_minibatch_stddev_is_that_of_the_authors(assert_golden, group, channels):
    golden = stylegan2_numbers.golden()
    x = golden["mbstd/in/x"]
    size = group or len(x)
    # Their group i has every (8 / size)-th image from i on, ours has consecutive ones.
    order = np.arange(len(x)).reshape(size, -1).T.ravel()
    y = MinibatchStddev(size, channels)(tf.constant(x[order])).numpy()
    found = np.empty((len(x), channels))
    found[order] = y[:, 0, 0, x.shape[-1] :]
    key = f"mbstd/group{group}_channels{channels}"
    assert_golden("stylegan2", key, found, golden[key], rtol=_TOLERANCE)
    np.testing.assert_array_equal(y[..., : x.shape[-1]], x[order])


def test_replicas_with_whole_groups_see_the_same_ones():
    x = _numbers(8, 2, 2, 3)
    halves = [MinibatchStddev(4)(x[start : start + 4]) for start in (0, 4)]
    np.testing.assert_array_equal(MinibatchStddev(4)(x), np.concatenate(halves))


@pytest.mark.parametrize("batch", (6, 8))
def test_a_batch_of_unknown_size_has_the_same_groups(batch):
    """As in a SavedModel."""
    x, layer = _numbers(batch, 2, 2, 3), MinibatchStddev(4)
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, 2, 2, 3])])
    np.testing.assert_allclose(traced(x), layer(x), rtol=1e-6)


def test_groups_of_a_batch_that_is_no_multiple_of_their_size():
    """Of 6 examples groups of 3 instead of 4; of a prime number each is a group of its own."""
    x = _numbers(6, 2, 2, 3)
    y = MinibatchStddev(4)(x).numpy()[:, 0, 0, 3]
    expected = [np.sqrt(group.var(axis=0) + 1e-8).mean() for group in (x[:3], x[3:])]
    np.testing.assert_allclose(y, np.repeat(expected, 3), rtol=1e-6)
    np.testing.assert_allclose(MinibatchStddev(4)(x[:5]).numpy()[:, 0, 0, 3], 1e-4, rtol=1e-6)


@pytest.mark.parametrize(
    ("case", "options"), (("uncond", (3, 0.01, 0.995)), ("cond", (2, 0.1, 0.9)))
)
def test_style_mapping_is_that_of_the_authors(assert_golden, case, options):
    golden, prefix = stylegan2_numbers.golden(), f"mapping_{case}"
    layer = StyleMapping(6, *options)
    z, y = golden[f"{prefix}/in/z"], golden.get(f"{prefix}/in/c")
    layer(z, y)
    for variable in layer.trainable_variables:
        name = stylegan2_numbers.recorded_name(variable.path)
        variable.assign(stylegan2_numbers.weight(f"mapping_{case}/{name}", variable.shape))
    # The weights are 100 times larger than in a run, and so are roundings that cancel.
    assert_golden("stylegan2", f"{prefix}/w", layer(z, y), golden[f"{prefix}/w"], rtol=1e-5)
    layer(z, y, training=True)
    key = f"{prefix}/w_avg_after_1"
    assert_golden("stylegan2", key, layer.average, golden[key], rtol=1e-5)
    layer(0.5 * z[::-1] + 0.3, y, training=True)
    key = f"{prefix}/w_avg_after_2_on_z_reversed_x0.5_plus0.3"
    assert_golden("stylegan2", key, layer.average, golden[key], rtol=1e-5)


def test_equalized_layers_scale_their_weights():
    x = _numbers(2, 6, 6, 4)
    dense = EqualizedDense(3, gain=2.0, lr_multiplier=0.1, bias_start=0.7)
    expected = x[:, 0, 0] @ _kernel(dense, x[:, 0, 0]) * (2.0 * 0.1 / np.sqrt(4)) + 2.0 * 0.7
    np.testing.assert_allclose(dense(x[:, 0, 0]), expected, rtol=1e-5)
    conv = EqualizedConv2D(3, 3, gain=2.0)
    kernel = _kernel(conv, x) * (2.0 / np.sqrt(36))
    np.testing.assert_allclose(conv(x), tf.nn.conv2d(x, kernel, 1, "SAME"), rtol=1e-4, atol=1e-6)


def _kernel(layer, x):
    layer(x)
    return layer.kernel.numpy()


def test_equalized_weights_start_with_unit_variance():
    dense = EqualizedDense(200, lr_multiplier=0.01)
    y = dense(_numbers(200, 100)).numpy()
    # Five standard errors of a deviation, of about as many draws as there are weights.
    assert dense.kernel.numpy().std() == pytest.approx(100, rel=5 / np.sqrt(2 * 200 * 100))
    assert y.std() == pytest.approx(1.0 * 0.01 * 100, rel=0.05)


def test_noise_is_one_value_per_pixel():
    layer, x = AddedNoise(gain=2.0), _numbers(2, 4, 4, 3)
    np.testing.assert_array_equal(layer(x), x)
    layer.strength.assign(0.5)
    own = layer.noise.numpy()
    np.testing.assert_allclose(layer(x), x + own, rtol=1e-6)
    assert own.shape == (4, 4, 1) and own.std() > 0
    noise = _numbers(2, 4, 4, 1, seed=1)
    np.testing.assert_allclose(layer(x, noise), x + noise, rtol=1e-6)


_MAKERS = {
    "conv": (lambda: EqualizedConv2D(4, 3, resample="down"), {"inputs": _numbers(2, 4, 4, 3)}),
    "modulated": (
        lambda: ModulatedConv2D(4, 3, resample="up"),
        {"x": _numbers(2, 4, 4, 3), "style": _numbers(2, 5)},
    ),
    "mapping": (lambda: StyleMapping(6, 2), {"z": _numbers(2, 5), "y": _numbers(2, 3)}),
    "stddev": (lambda: MinibatchStddev(2), {"inputs": _numbers(2, 4, 4, 3)}),
    "noise": (AddedNoise, {"inputs": _numbers(2, 4, 4, 3)}),
}


@pytest.mark.parametrize("name", _MAKERS)
def test_every_layer_check(check_layer, name):
    check_layer(*_MAKERS[name])


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: EqualizedConv2D(4, 3, resample="dwn"), "resample 'dwn'.* mean 'down'"),
        (lambda: ModulatedConv2D(4, 5, resample="up"), "kernel_size of 1 or 3, received 5"),
        (lambda: MinibatchStddev(0), "group_size must be a positive integer, received 0"),
        (lambda: StyleMapping(4, 0), "num_layers must be a positive integer, received 0"),
        (lambda: StyleMapping(4).call(), "needs z, y or both"),
    ),
)
def test_mistakes(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
