"""Group, EvoNorm-S0 and RMS normalization against NumPy's formulas."""

import gin
import keras
import numpy as np
import pytest
from keras import ops

from compare_gan.errors import UserError
from compare_gan.layers import EvoNormS0, GroupNorm, ResNetBlock, RMSNorm, leaky_relu, normalize

# Means of at most 27 float32 numbers, then a few multiplications.
TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}


def _inputs(shape=(4, 3, 3, 6)):
    return np.random.RandomState(0).normal(1, 2, size=shape).astype(np.float32)


def _by_group(statistic, x, groups):
    """A statistic of each group of neighbouring channels, for each of its channels."""
    values = np.empty_like(x)
    for channels in np.split(np.arange(x.shape[-1]), groups):
        for i in range(len(x)):
            values[i, ..., channels] = statistic(x[i, ..., channels])
    return values


# 4 does not divide 6 channels: there are two groups.
@pytest.mark.parametrize("shape", [(4, 3, 3, 6), (4, 6)], ids=str)
@pytest.mark.parametrize(("num_groups", "groups"), [(3, 3), (4, 2)])
def test_group_norm(randomize, shape, num_groups, groups):
    layer, x = GroupNorm(num_groups=num_groups), _inputs(shape)
    layer(x)
    randomize(layer)
    standardized = x - _by_group(np.mean, x, groups)
    standardized /= np.sqrt(_by_group(np.var, x, groups) + 1e-5)
    expected = standardized * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x), expected, **TOLERANCE)


@pytest.mark.parametrize("shape", [(4, 3, 3, 6), (4, 6)], ids=str)
def test_evo_norm(randomize, shape):
    layer, x = EvoNormS0(num_groups=3), _inputs(shape)
    layer(x)
    assert ops.convert_to_numpy(layer.v).tolist() == 6 * [1]
    randomize(layer)
    swish = x / (1 + np.exp(-layer.v.numpy() * x))
    expected = swish / np.sqrt(_by_group(np.var, x, 3) + 1e-5)
    expected = expected * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x), expected, **TOLERANCE)


def test_rms_norm(randomize):
    layer, x = RMSNorm(epsilon=0.1), _inputs()
    layer(x)
    randomize(layer)
    expected = x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 0.1) * layer.gamma.numpy()
    np.testing.assert_allclose(layer(x), expected, **TOLERANCE)


@pytest.mark.parametrize("make", (GroupNorm, EvoNormS0, RMSNorm))
def test_every_layer_check(check_layer, make):
    config = "group_norm.num_groups = 3\nevo_norm_s0.num_groups = 2\nrms_norm.epsilon = 0.1"
    check_layer(make, {"inputs": _inputs()}, config)


def test_values_out_of_range_are_refused():
    with pytest.raises(UserError, match=r"group_norm\.num_groups must be a positive integer, .* 0"):
        GroupNorm(num_groups=0)
    gin.parse_config("evo_norm_s0.epsilon = -1.0")
    with pytest.raises(UserError, match=r"evo_norm_s0\.epsilon must be at least 0, received -1"):
        EvoNormS0()


def test_evo_norm_takes_the_place_of_the_activation():
    x = _inputs()
    for norm in (GroupNorm(), EvoNormS0(), None):
        expected = x if norm is None else norm(x)
        if norm is None or type(norm) is GroupNorm:
            expected = leaky_relu(expected)
        np.testing.assert_array_equal(normalize(norm, x, activation=leaky_relu), expected)
        np.testing.assert_array_equal(normalize(norm, x), x if norm is None else norm(x))


def test_blocks_apply_no_activation_after_evo_norm():
    block, x = ResNetBlock(6, 6, "none", is_gen_block=True, batch_norm_fn=EvoNormS0), _inputs()
    found = block(x)
    h = block.conv2(block.norm2(block.conv1(block.norm1(x))))
    np.testing.assert_array_equal(found, h + block.shortcut(x))
    assert isinstance(block.norm1, keras.layers.Layer) and block.norm1.activates
