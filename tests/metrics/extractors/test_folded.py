"""Folded convolutions against Keras's convolution followed by batch norm."""

import keras
import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics.extractors.folded import ConvWeights, FoldedConv


def _weights(kernel_shape, filters):
    rng = np.random.default_rng(0)
    return ConvWeights(
        kernel=rng.standard_normal(kernel_shape, np.float32),
        beta=rng.normal(size=filters).astype(np.float32),
        gamma=rng.uniform(0.5, 1.5, filters).astype(np.float32),
        mean=rng.normal(size=filters).astype(np.float32),
        variance=rng.uniform(0.1, 2, filters).astype(np.float32),
        epsilon=1e-2,
    )


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(("size", "strides"), [((3, 3), 2), ((1, 7), 1), ((5, 5), 1)])
def test_it_is_a_convolution_and_a_batch_norm(padding, depthwise, size, strides, tmp_path):
    x = np.random.default_rng(1).normal(size=(2, 12, 9, 4)).astype(np.float32)
    weights = _weights((*size, 4, 1 if depthwise else 6), 4 if depthwise else 6)
    plain = keras.layers.DepthwiseConv2D if depthwise else keras.layers.Conv2D
    first = () if depthwise else (6,)
    conv = plain(*first, size, strides, padding=padding, use_bias=False)
    norm = keras.layers.BatchNormalization(epsilon=1e-2)
    before = conv(x)
    norm(before)
    conv.set_weights([weights.kernel])
    norm.set_weights([weights.gamma, weights.beta, weights.mean, weights.variance])
    expected = keras.ops.relu6(norm(conv(x)))

    inputs = keras.Input((None, None, 4))
    layer = FoldedConv(None if depthwise else 6, size, strides, padding, "relu6")
    model = keras.Model(inputs, layer(inputs))
    layer.load(weights)
    # Sums of up to 100 products in float32.
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == tuple(expected.shape)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), model(x))


def test_other_shapes_are_refused():
    layer = FoldedConv(6, (3, 3), name="conv")
    layer.build((None, None, None, 4))
    with pytest.raises(UserError, match=r"'conv' must have the shape \[3, 3, 4, 6\], received"):
        layer.load(_weights((3, 3, 4, 7), 7))
