"""Numbers of the 2019 library for layers, and the checks that every layer must pass."""

import contextlib
import json
import pathlib

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

_GOLDEN = np.load(
    pathlib.Path(__file__).parents[1] / "data" / "layers_golden.npz", allow_pickle=False
)
_STATISTICS = {"moving_mean", "moving_variance"}


@pytest.fixture(autouse=True)
def _same_initial_weights():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def golden():
    """Arrays by key (see README.md of the reference numbers), read once."""
    return {key: _GOLDEN[key] for key in _GOLDEN.files}


@pytest.fixture
def load_golden(old_name):
    """`load_golden(layer, prefix)` assigns `<prefix>/var/<path>` to every weight of the layer."""

    def load(layer, prefix):
        for weight in layer.weights:
            key = f"{prefix}/var/{old_name(weight)}"
            if weight.name not in _STATISTICS:
                weight.assign(_GOLDEN[key])

    return load


@pytest.fixture
def randomize():
    """`randomize(layer)` gives every weight a value unlike its initial one, always the same."""

    def draw(layer):
        random = np.random.RandomState(5)
        for weight in layer.weights:
            values = 0.3 * random.normal(size=weight.shape)
            if weight.name in ("gamma", "sigma", *_STATISTICS):
                values = 1 + np.abs(values)
            if not weight.name.startswith(("accu_", "update_")):
                weight.assign(values)

    return draw


@pytest.fixture
def check_layer(randomize, tmp_path):
    """`check_layer(make, inputs, gin_config="")`: the contract of every layer.

    `make` returns a new layer; `inputs` maps the parameters of its call to arrays. Layers are made
    under the bindings of `gin_config`, then built and restored without them.
    """

    def check(make, inputs, gin_config=""):
        with _bindings(gin_config):
            layer = make()
        _check_config(layer)
        expected = _check_save(make, inputs, gin_config, randomize, tmp_path / "model.keras")
        with _bindings(gin_config):
            _check_graph(make, inputs, randomize)
            for policy, tolerance in (("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)):
                _check_mixed_precision(make, inputs, randomize, policy, expected, tolerance)

    return check


@contextlib.contextmanager
def _bindings(gin_config):
    gin.parse_config(gin_config)
    yield
    gin.clear_config()


def _check_config(layer):
    config = layer.get_config()
    json.dumps(keras.saving.serialize_keras_object(layer))
    assert type(layer).from_config(config).get_config() == config


def _check_save(make, inputs, gin_config, randomize, path):
    """Checks that a saved model computes the same in both modes; returns its training output."""
    with _bindings(gin_config):
        layer = make()
    tensors = {key: keras.Input(value.shape[1:], name=key) for key, value in inputs.items()}
    model = keras.Model(tensors, layer(**tensors))
    randomize(layer)
    model.save(path)
    loaded = keras.saving.load_model(path)
    for training in (False, True):
        expected = model(inputs, training=training)
        np.testing.assert_array_equal(expected, loaded(inputs, training=training))
    return expected


def _check_graph(make, inputs, randomize):
    eager, traced = make(), make()
    for layer in (eager, traced):
        layer(**inputs)
        randomize(layer)
    traced_call = tf.function(lambda **kwargs: traced(training=True, **kwargs), autograph=False)
    for _ in range(2):
        # Different fusions of the same arithmetic: a few float32 roundings.
        expected = eager(training=True, **inputs)
        np.testing.assert_allclose(traced_call(**inputs), expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(eager.weights, traced.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=a.path)


def _check_mixed_precision(make, inputs, randomize, policy, expected, tolerance):
    """The tolerance is relative to the largest output: some roundings of the half type."""
    keras.config.set_dtype_policy(policy)
    try:
        layer = make()
        layer(**inputs)
        randomize(layer)
        outputs = layer(training=True, **inputs)
    finally:
        keras.config.set_dtype_policy("float32")
    assert outputs.dtype == layer.compute_dtype == policy.removeprefix("mixed_")
    assert all(weight.dtype == "float32" for weight in layer.weights)
    outputs = tf.cast(outputs, "float32")
    error = np.abs(np.subtract(outputs, expected)).max()
    assert error <= tolerance * np.abs(expected).max()
