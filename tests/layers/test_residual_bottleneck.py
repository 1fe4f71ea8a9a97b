"""BigGAN-deep's block against the 2019 library's numbers; its options."""

import functools
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.layers import (
    BatchNorm,
    BigGanDeepResNetBlock,
    ConditionalBatchNorm,
    LayerNorm,
    unpool,
    upsample_nearest,
)

_DATA = pathlib.Path(__file__).parents[1] / "data" / "architectures_bottleneck_golden.npz"


@pytest.fixture(scope="module")
def blocks():
    with np.load(_DATA, allow_pickle=False) as arrays:
        return dict(arrays)


def _inputs(channels=8):
    return np.random.RandomState(0).normal(size=(2, 4, 4, channels)).astype(np.float32)


@pytest.mark.parametrize("case", ("up_8to8", "up_8to4", "none_8to8", "down_8to8", "down_8to12"))
@pytest.mark.parametrize("resample", ("folded", "plain"))
def test_block_equals_that_of_the_2019_library(blocks, assert_golden, old_name, case, resample):
    scale, channels = case.split("_")
    block = BigGanDeepResNetBlock(
        *map(int, channels.split("to")),
        scale,
        is_gen_block=scale == "up",
        spectral_norm=True,
        batch_norm_fn=BatchNorm if scale == "up" else None,
        resample=resample,
        name="B1",
    )
    block.build(blocks["in/x"].shape)
    stored = {key for key in blocks if key.startswith(f"{case}/var/")}
    for weight in block.weights:
        if not weight.name.startswith("moving_"):  # Not among the golden variables.
            key = f"{case}/var/{old_name(weight)}"
            weight.assign(blocks[key])
            stored.remove(key)
    assert not stored
    found = block(blocks["in/x"], training=True)
    assert_golden("block", f"block/BigGanDeepResNetBlock/{case}/out", found, blocks[f"{case}/out"])


@pytest.mark.parametrize("channels", ((6, 4), (1, 1), (4, 7)))
def test_channels_must_be_a_multiple_of_four(channels):
    with pytest.raises(UserError, match="multiple of 4, received {} to {}".format(*channels)):
        BigGanDeepResNetBlock(*channels, "up", True)


@pytest.mark.parametrize(
    ("scale", "out_channels", "upsample"),
    (("up", 4, "zeros"), ("up", 12, "zeros"), ("up", 12, "nearest"), ("down", 12, "zeros")),
)
@pytest.mark.parametrize("size", ((4, 6), (5, 3)))
def test_folded_equals_plain_with_all_gradients(randomize, scale, out_channels, upsample, size):
    x = tf.constant(np.random.RandomState(0).normal(size=(2, *size, 8)).astype(np.float32))
    results = []
    for resample in ("folded", "plain"):
        block = BigGanDeepResNetBlock(
            8, out_channels, scale, True, upsample=upsample, resample=resample
        )
        block(x)
        randomize(block)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = block(x, training=True)
            value = tf.reduce_sum(y * np.random.RandomState(1).normal(size=y.shape))
        results.append((y, *tape.gradient(value, [x, *(w.value for w in block.trainable_weights)])))
    for folded, plain in zip(*results, strict=True):
        # Different orders of summation, four layers deep.
        np.testing.assert_allclose(folded, plain, atol=1e-5 * np.abs(plain).max())


@pytest.mark.parametrize("upsample", ("zeros", "nearest"))
def test_channels_added_on_the_way_up_are_computed_before_upsampling(upsample):
    block, x = BigGanDeepResNetBlock(8, 12, "up", True, upsample=upsample), _inputs()
    block(x)
    last, added = block.stages[-1].conv.kernel, block.shortcut.add_channels
    last.assign(np.zeros(last.shape))
    added.bias.assign([1.0, 2.0, 3.0, 4.0])
    large = np.array(unpool(x) if upsample == "zeros" else upsample_nearest(x))
    expected = np.concatenate([large, large @ added.kernel[0, 0] + added.bias], axis=-1)
    np.testing.assert_allclose(block(x), expected, rtol=1e-5, atol=1e-6)


def test_nearest_upsampling_repeats_the_shortcut():
    block, x = BigGanDeepResNetBlock(8, 4, "up", True, upsample="nearest"), _inputs()
    block(x)
    last = block.stages[-1].conv.kernel
    last.assign(np.zeros(last.shape))
    np.testing.assert_array_equal(block(x), x[..., :4].repeat(2, axis=1).repeat(2, axis=2))


def test_layer_norm_replaces_batch_norm():
    block = BigGanDeepResNetBlock(8, 8, "down", False, batch_norm_fn=BatchNorm, layer_norm=True)
    block.build((None, 4, 4, 8))
    for i, stage in enumerate(block.stages, start=1):
        assert isinstance(stage.norm, LayerNorm)
        assert stage.norm.gamma.path == f"{block.name}/conv{i}/ln/gamma"


@pytest.mark.parametrize(
    ("make", "condition"),
    (
        pytest.param(
            functools.partial(
                BigGanDeepResNetBlock, 8, 4, "up", True, True, ConditionalBatchNorm,
                upsample="nearest",
            ),
            "y",
            marks=pytest.mark.slow,  # test_residual.py has such a norm in a smaller block.
        ),
        (functools.partial(BigGanDeepResNetBlock, 8, 12, "down", False, layer_norm=True), None),
    ),
)  # fmt: skip
def test_every_layer_check(check_layer, make, condition):
    inputs = {"x": _inputs()}
    if condition:
        inputs[condition] = np.random.RandomState(1).normal(size=(2, 3)).astype(np.float32)
    check_layer(make, inputs, "standardize_batch.epsilon = 0.1")
