"""All ResNets with folded resampling against the same networks with plain resampling."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.architectures import (
    resnet5,
    resnet30,
    resnet_biggan,
    resnet_biggan_deep,
    resnet_cifar,
    resnet_stl,
)
from compare_gan.layers import ConditionalBatchNorm

# By family, the side of the image and options that make the networks small.
FAMILIES = {
    resnet_cifar: (32, {"ch": 4}),
    resnet_stl: (48, {"ch": 1}),
    resnet5: (16, {"ch": 2}),
    resnet30: (128, {"ch": 4, "blocks_per_size": 1}),
    resnet_biggan: (32, {"ch": 2}),
    resnet_biggan_deep: (32, {"ch": 4}),
}
Y = np.eye(3)[[2, 1]]


def _inputs(shape):
    return np.random.RandomState(0).uniform(size=(2, *shape)).astype(np.float64)


class Result(NamedTuple):
    """Results of a network's training step, by name, for messages about differences."""

    shapes: dict
    values: dict
    singular_vectors: dict


def _train(network, x) -> Result:
    """Runs a forward and a backward pass, one step of gradient descent, and power iterations."""
    inputs = tf.constant(x)
    network.build((inputs.shape, Y.shape))
    for i, v in enumerate(network.trainable_variables):
        # Large enough that everything matters, including attention's sigma; no dead ReLUs.
        value = 0.3 * np.random.RandomState(i).normal(size=v.shape)
        v.assign(np.abs(value) if v.name in ("bias", "gamma") else value)
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = network((inputs, tf.constant(Y)), training=True)
        y = tf.concat(y, axis=1) if isinstance(y, tuple) else y  # Logits, features.
        # A weighted sum, so that no two entries have the same gradient.
        weights = np.random.RandomState(1).normal(size=y.shape)
        total = tf.reduce_sum(y * weights.astype(np.float64))
    *gradients, inputs_gradient = tape.gradient(total, [*(v.value for v in variables), inputs])
    values = {"output": y, "input": inputs_gradient}
    for v, gradient in zip(variables, gradients, strict=True):
        values[v.path] = gradient
        v.assign(v.value - 1e-2 * gradient / (tf.norm(gradient) + 1e-9))
    for layer in network._flatten_layers():
        if getattr(layer, "u_var", None) is not None:
            layer.normalized_kernel(training=True)
    return Result(
        {v.path: tuple(v.shape) for v in network.variables},
        {name: np.array(value) for name, value in values.items()},
        {v.path: v.numpy() for v in network.variables if v.name == "u_var"},
    )


def _assert_equal(folded: Result, plain: Result):
    assert folded.shapes == plain.shapes
    assert folded.values.keys() == plain.values.keys()
    for name, expected in plain.values.items():
        # Different orders of summation, 7 to 25 layers deep.
        tolerance = 1e-10 * _scale(name, plain.values)
        assert tolerance > 0, name
        np.testing.assert_allclose(folded.values[name], expected, atol=tolerance, err_msg=name)
    assert len(plain.singular_vectors) > 3
    for name, expected in plain.singular_vectors.items():
        np.testing.assert_allclose(folded.singular_vectors[name], expected, atol=1e-10)


def _compare(make_result):
    results = []
    for resample in ("folded", "plain"):
        keras.utils.set_random_seed(0)
        results.append(make_result(resample))
    _assert_equal(*results)


@pytest.fixture(autouse=True)
def float64(monkeypatch):
    """In float32, rounding may move a value across a ReLU's kink, and gradients by 1e-4."""
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # A policy set by a test takes precedence over floatx.
    yield
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])


def _scale(name: str, values: dict) -> float:
    """Returns the largest entry; for sums over all pixels, that of all gradients of the block.

    Such sums may cancel; the sum for a bias before batch norm vanishes up to rounding.
    """
    block = [name]
    if name.endswith(("/bias", "/gamma", "/beta")) or "/condition/" in name:
        start = "/".join(name.split("/")[:2])
        block = [other for other in values if other.startswith(start)]
    return max(np.abs(values[other]).max() for other in block)


def _parameters(*quick):
    """The other families are made of the same blocks, which have tests in tests/layers."""
    return [
        pytest.param(
            family,
            marks=[] if family in quick else [pytest.mark.slow],
            id=family.__name__.rsplit(".", 1)[1],
        )
        for family in FAMILIES
    ]


@pytest.mark.parametrize("family", _parameters(resnet_cifar, resnet_biggan))
def test_generators(family):
    """Each upsampling in some of the families; tests of the blocks have both in each block."""
    side, small = FAMILIES[family]
    upsample = "nearest" if family in (resnet5, resnet_biggan) else "zeros"

    def result(resample):
        network = family.Generator(
            (side, side, 3), upsample=upsample, resample=resample, spectral_norm=True,
            batch_norm_fn=ConditionalBatchNorm, **small,
        )  # fmt: skip
        return _train(network, _inputs((24,)))

    _compare(result)


@pytest.mark.parametrize("family", _parameters(resnet_cifar, resnet_biggan, resnet_biggan_deep))
def test_discriminators(family):
    side, small = FAMILIES[family]

    def result(resample):
        network = family.Discriminator(
            (side, side, 3), resample=resample, spectral_norm=True, **small
        )
        return _train(network, _inputs((side, side, 3)))

    _compare(result)
