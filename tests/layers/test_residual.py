"""Residual blocks against the 2019 library's numbers; folded against plain resampling."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import layers
from compare_gan.errors import UserError
from compare_gan.layers import BatchNorm, BigGanResNetBlock, ConditionalBatchNorm, ResNetBlock

BLOCKS = {"ResNetBlock": ResNetBlock, "BigGanResNetBlock": BigGanResNetBlock}


def _inputs(shape=(2, 4, 4, 6)):
    return np.random.RandomState(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("out_channels", (6, 8))
@pytest.mark.parametrize("case", ("G_bn_up", "G_bn_none", "D_sn_down", "D_sn_none"))
@pytest.mark.parametrize("name", BLOCKS)
# Plain resampling is compared with the folded one below.
@pytest.mark.parametrize("resample", ("folded", pytest.param("plain", marks=pytest.mark.slow)))
def test_blocks_equal_those_of_the_2019_library(
    golden, load_golden, assert_golden, name, case, out_channels, resample
):
    is_gen_block = case.startswith("G")
    block = BLOCKS[name](
        6,
        out_channels,
        scale=case.rsplit("_", 1)[1],
        is_gen_block=is_gen_block,
        spectral_norm=not is_gen_block,
        batch_norm_fn=BatchNorm if is_gen_block else None,
        resample=resample,
        name="B1",
    )
    x, prefix = golden["op/in/x4"], f"block/{name}/{case}_6to{out_channels}"
    block.build(x.shape)
    load_golden(block, prefix)
    stored = {key for key in golden if key.startswith(f"{prefix}/var/")}
    # The golden variables leave out the moving averages.
    moving = [w for w in block.weights if w.name.startswith("moving_")]
    assert len(stored) == len(block.weights) - len(moving)
    found = block(x, training=True)
    assert_golden("block", f"{prefix}/out", found, golden[f"{prefix}/out"])


@pytest.mark.parametrize("make", (ResNetBlock, BigGanResNetBlock))
@pytest.mark.parametrize(
    ("scale", "upsample"), (("up", "nearest"), ("up", "zeros"), ("down", "zeros"))
)
@pytest.mark.parametrize("size", ((4, 4), (5, 3)))
def test_folded_equals_plain_with_all_gradients(randomize, make, scale, upsample, size):
    x, results = tf.constant(_inputs((2, *size, 6))), []
    for resample in ("folded", "plain"):
        block = make(
            6, 8, scale, True, batch_norm_fn=BatchNorm, upsample=upsample, resample=resample
        )
        block(x)
        randomize(block)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = block(x, training=True)
            value = tf.reduce_sum(y * _inputs(y.shape))
        sources = [x, *(w.value for w in block.trainable_weights)]
        names = ["output", "input", *(w.path.split("/", 1)[1] for w in block.trainable_weights)]
        results.append((names, (y, *tape.gradient(value, sources))))
    (names, folded), (_, plain) = results
    for name, a, b in zip(names, folded, plain, strict=True):
        # Different orders of summation, through two normalizations.
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max() + 1e-4, err_msg=name)


def test_nearest_upsampling_against_numpy(randomize):
    block, x = ResNetBlock(6, 8, "up", True, upsample="nearest"), _inputs()
    block(x)
    randomize(block)

    def conv(layer, x):
        return tf.nn.conv2d(x, layer.kernel, 1, "SAME") + layer.bias

    def twice(x):
        return np.repeat(np.repeat(x, 2, axis=1), 2, axis=2)

    h = conv(block.conv2, tf.nn.relu(conv(block.conv1, twice(np.maximum(x, 0)))))
    expected = h + conv(block.shortcut, twice(x))
    np.testing.assert_allclose(block(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", (ResNetBlock, BigGanResNetBlock))
def test_odd_sizes_round_up(make):
    """The means at the border are over the pixels inside the image."""
    block, x = make(6, 8, "down", is_gen_block=False), _inputs((2, 3, 1, 6))
    down, same = block(x), make(6, 8, "none", is_gen_block=False)
    assert down.shape == (2, 2, 1, 8)
    same(x)
    for a, b in zip(same.weights, block.weights, strict=True):
        a.assign(b)
    full = np.array(same(x))
    expected = np.stack([full[:, :2].mean(axis=1), full[:, 2]], axis=1)
    np.testing.assert_allclose(down, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", ("none", "down"))
def test_identity_skip_adds_the_input(randomize, scale):
    blocks = [
        BigGanResNetBlock(6, 6, scale, is_gen_block=False, identity_skip=skip)
        for skip in (False, True)
    ]
    x = _inputs()
    for block in blocks:
        block(x)
        randomize(block)
    shortcut = x if scale == "none" else x.reshape(2, 2, 2, 2, 2, 6).mean(axis=(2, 4))
    np.testing.assert_allclose(blocks[1](x), blocks[0](x) + shortcut, rtol=1e-5, atol=1e-6)


def test_identity_skip_does_not_change_other_blocks():
    for options in ({"is_gen_block": True}, {"out_channels": 8}):
        options = {"out_channels": 6, "is_gen_block": False, "identity_skip": True} | options
        block, x = BigGanResNetBlock(6, scale="none", **options), _inputs()
        block(x)
        for conv in (block.conv2, block.shortcut):
            conv.kernel.assign(np.zeros(conv.kernel.shape))
        np.testing.assert_array_equal(block(x), np.zeros((2, 4, 4, options["out_channels"])))


def test_layer_norm_replaces_batch_norm():
    block = ResNetBlock(6, 8, "down", False, batch_norm_fn=BatchNorm, layer_norm=True)
    block.build((None, 4, 4, 6))
    assert isinstance(block.norm1, layers.LayerNorm) and isinstance(block.norm2, layers.LayerNorm)
    assert [w.path for w in block.norm1.weights] == [
        f"{block.name}/ln1/{w}" for w in ("gamma", "beta")
    ]


@pytest.mark.parametrize(
    ("option", "value", "nearest"),
    (("scale", "downn", "down"), ("upsample", "zero", "zeros"), ("resample", "fold", "folded")),
)
def test_unknown_options_are_reported_with_the_nearest(option, value, nearest):
    options = {"scale": "up", option: value}
    with pytest.raises(UserError, match=f"{option} '{value}'. Did you mean '{nearest}'"):
        ResNetBlock(6, 8, is_gen_block=True, **options)


def test_a_wrong_number_of_channels_is_reported():
    with pytest.raises(ValueError, match=r"in_channels=5, received .* shape \(2, 4, 4, 6\)"):
        ResNetBlock(5, 8, "up", True)(_inputs())


GIN = """
standardize_batch.decay = 0.5
standardize_batch.epsilon = 0.1
conditional_batch_norm.use_bias = True
conditional_batch_norm.centered = False
self_modulated_batch_norm.num_hidden = 3
spectral_norm.singular_value = 'right'
"""


@pytest.mark.parametrize(
    ("make", "condition"),
    (
        (
            functools.partial(
                BigGanResNetBlock, 6, 8, "up", True, True, ConditionalBatchNorm, upsample="nearest"
            ),
            "y",
        ),
        pytest.param(
            functools.partial(
                ResNetBlock, 6, 6, "none", True, batch_norm_fn=layers.SelfModulatedBatchNorm
            ),
            "z",
            marks=pytest.mark.slow,  # test_normalization.py has the norm.
        ),
        (functools.partial(BigGanResNetBlock, 6, 8, "down", False, True, layer_norm=True), None),
        (functools.partial(BigGanResNetBlock, 6, 6, "down", False, identity_skip=True), None),
    ),
)
def test_every_layer_check(check_layer, make, condition):
    inputs = {"x": _inputs()}
    if condition:
        inputs[condition] = _inputs((2, 3))
    check_layer(make, inputs, GIN)
