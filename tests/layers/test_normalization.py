"""Normalizations against the 2019 library's numbers and NumPy's formulas."""

import gin
import keras
import numpy as np
import pytest

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.layers import (
    BatchNorm,
    ConditionalBatchNorm,
    LayerNorm,
    NoBatchNorm,
    Normalization,
    SelfModulatedBatchNorm,
    StandardizeBatch,
)
from compare_gan.registry import call_with_requested

NAMES = (
    "batch_norm",
    "conditional_batch_norm",
    "layer_norm",
    "no_batch_norm",
    "self_modulated_batch_norm",
)
# Means of at most 36 float32 numbers, then one multiplication and addition.
TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}


def _inputs(shape=(4, 3, 3, 5), seed=0):
    return np.random.RandomState(seed).normal(1, 2, size=shape).astype(np.float32)


def _standardized(x, epsilon=1e-3):
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axis=axes)) / np.sqrt(x.var(axis=axes) + epsilon)


@pytest.mark.parametrize("x", ("x0", "x_2d"))
def test_batch_norm_equals_that_of_the_2019_library(golden, assert_golden, x):
    layer, x, key = BatchNorm(), golden[f"bn/in/{x}"], f"bn/batch_norm/train_out_{x}"
    layer.build(x.shape)
    layer.gamma.assign(golden["bn/in/gamma"])
    layer.beta.assign(golden["bn/in/beta"])
    assert_golden("bn", key, layer(x, training=True), golden[key])


@pytest.mark.parametrize("labels", ("onehot", "soft"))
@pytest.mark.parametrize("use_bias", (False, True))
@pytest.mark.parametrize("use_sn", (False, True))
def test_conditional_batch_norm_equals_that_of_the_2019_library(
    golden, load_golden, assert_golden, use_sn, use_bias, labels
):
    gin.parse_config("conditional_batch_norm.centered = False")
    prefix = f"bn/conditional_batch_norm/use_sn={use_sn},use_bias={use_bias}"
    x, y = golden["bn/in/x0"], golden[f"bn/in/y_{labels}"]
    layer = ConditionalBatchNorm(name="batch_norm", spectral_norm=use_sn, use_bias=use_bias)
    layer.build(x.shape, y.shape)
    load_golden(layer, prefix)
    key = f"{prefix}/out_{labels}"
    assert_golden("bn", key, layer(x, y, training=True), golden[key])


@pytest.mark.parametrize("num_hidden", (0, 32))
@pytest.mark.parametrize("use_sn", (False, True))
def test_self_modulation_equals_that_of_the_2019_library(
    golden, load_golden, assert_golden, use_sn, num_hidden
):
    prefix = f"bn/self_modulated_batch_norm/use_sn={use_sn},num_hidden={num_hidden}"
    x, z = golden["bn/in/x0"], golden["bn/in/z"]
    layer = SelfModulatedBatchNorm("batch_norm", spectral_norm=use_sn, num_hidden=num_hidden)
    layer.build(x.shape, z.shape)
    for weight in layer.weights:
        if weight.name == "bias":
            key = f"{prefix}/upstream_initial/{weight.path}"
            assert_golden("bn", key, weight, golden[key], rtol=0)
    load_golden(layer, prefix)
    assert_golden("bn", f"{prefix}/out", layer(x, z, training=True), golden[f"{prefix}/out"])


def test_layer_norm_equals_that_of_the_2019_library(golden, assert_golden):
    layer, x = LayerNorm(name="ln"), golden["bn/in/x0"]
    layer.build(x.shape)
    assert sorted(w.path for w in layer.weights) == list(golden["layer_norm/variable_names"])
    layer.gamma.assign(golden["bn/in/gamma"])
    layer.beta.assign(golden["bn/in/beta"])
    assert_golden("layer_norm", "layer_norm/out_x0", layer(x), golden["layer_norm/out_x0"])


def test_layer_norm_against_numpy(randomize):
    x = _inputs()
    layer = LayerNorm()
    layer(x)
    randomize(layer)
    flat = x.reshape(4, -1)
    normed = ((flat - flat.mean(1, keepdims=True)) / flat.std(1, keepdims=True)).reshape(x.shape)
    expected = normed * layer.gamma.numpy() + layer.beta.numpy()
    np.testing.assert_allclose(layer(x), expected, **TOLERANCE)


def test_no_batch_norm_is_the_identity():
    x = _inputs()
    np.testing.assert_array_equal(NoBatchNorm(spectral_norm=True)(x), x)


@pytest.mark.parametrize("shape", ((4, 3, 3, 5), (4, 5)))
@pytest.mark.parametrize("centered", (True, False))
def test_conditional_batch_norm_against_numpy(centered, shape):
    layer, x, y = ConditionalBatchNorm(centered=centered), _inputs(shape), _inputs((4, 6), seed=1)
    found = layer(x, y, training=True)
    gamma, beta = (y @ kernel.numpy() for kernel in layer.trainable_weights)
    spread = (4, *[1] * (len(shape) - 2), 5)
    expected = _standardized(x) * (centered + gamma).reshape(spread) + beta.reshape(spread)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_without_a_label_centered_conditional_batch_norm_is_plain():
    x = _inputs()
    found = ConditionalBatchNorm()(x, np.zeros((4, 6), np.float32), training=True)
    np.testing.assert_allclose(found, _standardized(x), rtol=1e-4, atol=1e-5)


def test_moving_averages_move_in_half_precision():
    """In bfloat16, 0.999 · average + 0.001 · value rounds to the average."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer, x = BatchNorm(), np.full((8, 5), 3, np.float32)
        for _ in range(10):
            layer(x, training=True)
    finally:
        keras.config.set_dtype_policy("float32")
    expected = 3 * (1 - 0.999**10)
    np.testing.assert_allclose(layer.moving_mean, np.full(5, expected), rtol=1e-4)


def test_a_missing_label_or_latent_is_reported():
    x = _inputs()
    with pytest.raises(UserError, match="conditional_batch_norm needs labels, received None"):
        call_with_requested(ConditionalBatchNorm(), inputs=x, z=None, y=None, training=True)
    with pytest.raises(UserError, match="self_modulated_batch_norm needs a latent, received None"):
        call_with_requested(SelfModulatedBatchNorm(), inputs=x, z=None, y=None, training=True)


def test_values_out_of_range_are_refused():
    with pytest.raises(UserError, match=r"norm\.num_hidden must be at least 0, received -3"):
        SelfModulatedBatchNorm(num_hidden=-3)
    gin.parse_config("standardize_batch.decay = 1.0")
    with pytest.raises(UserError, match=r"standardize_batch\.decay must be .* below 1, received 1"):
        BatchNorm()


def test_a_registered_name_means_its_class():
    assert Normalization.of("batch_norm").layer_class is BatchNorm
    with pytest.raises(UserError, match=r"'batch_nrm'\. Did you mean 'batch_norm'"):
        Normalization.of("batch_nrm")


@gin.configurable
def _network(batch_norm_fn=None):
    """Returns its argument, which gin provides as it provides `G.batch_norm_fn`."""
    return batch_norm_fn


@pytest.mark.parametrize("scope", ("", "some_scope/"))
@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_value_in_gin(tmp_path, name, scope):
    gin.parse_config(f"_network.batch_norm_fn = @{scope}{name}")
    layer = _network()(name="bn", spectral_norm=True)
    assert type(layer) is registry.get("normalization", name)
    inputs = {"inputs": keras.Input((3, 3, 5)), "y": keras.Input((6,)), "z": keras.Input((8,))}
    model = keras.Model(inputs, call_with_requested(layer, **inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("bn")) is type(layer)


def test_all_are_registered_with_one_line_each():
    assert set(NAMES) <= set(registry.names("normalization"))
    assert all(component.summary for component in registry.components("normalization"))


@pytest.mark.parametrize(
    ("binding", "make", "attribute", "value"),
    (
        ("conditional_batch_norm.use_bias = True", ConditionalBatchNorm, "use_bias", True),
        ("conditional_batch_norm.centered = False", ConditionalBatchNorm, "centered", False),
        ("self_modulated_batch_norm.num_hidden = 3", SelfModulatedBatchNorm, "num_hidden", 3),
    ),
)
def test_gin_sets_parameters(binding, make, attribute, value):
    assert getattr(make(), attribute) != value
    gin.parse_config(binding)
    assert getattr(make(), attribute) == value


STATISTICS = """
standardize_batch.decay = 0.5
standardize_batch.epsilon = 0.1
standardize_batch.use_moving_averages = {}
conditional_batch_norm.use_bias = True
conditional_batch_norm.centered = False
self_modulated_batch_norm.num_hidden = 3
spectral_norm.singular_value = 'right'
"""


_NORMS = (
    (StandardizeBatch, None),
    (BatchNorm, None),
    (lambda: ConditionalBatchNorm(spectral_norm=True), "y"),
    (lambda: SelfModulatedBatchNorm(spectral_norm=True), "z"),
)


# The other norms contain StandardizeBatch, which alone has the averages.
@pytest.mark.parametrize(
    ("make", "condition", "use_moving_averages"),
    (
        (*_NORMS[0], False),
        *(pytest.param(*norm, False, marks=pytest.mark.slow) for norm in _NORMS[1:]),
        *((*norm, True) for norm in _NORMS),
    ),
)
def test_every_layer_check(check_layer, make, condition, use_moving_averages):
    inputs = {"inputs": _inputs()}
    if condition:
        inputs[condition] = _inputs((4, 6), seed=1)
    check_layer(make, inputs, STATISTICS.format(use_moving_averages))


@pytest.mark.parametrize("make", (LayerNorm, NoBatchNorm))
def test_every_layer_check_without_statistics(check_layer, make):
    check_layer(make, {"inputs": _inputs()})


def test_layers_that_mix_examples_say_so():
    for name in NAMES:
        layer = registry.get("normalization", name)()
        mixes = getattr(layer, "mixes_examples", False)
        assert mixes == (name not in ("layer_norm", "no_batch_norm"))
    assert StandardizeBatch.mixes_examples


class _Shifted(BatchNorm):
    """A user's normalization, which adds to the config in the way of Keras."""

    def __init__(self, name=None, spectral_norm=False, shift=1.0, **kwargs):
        super().__init__(name, spectral_norm, **kwargs)
        self.shift = shift

    def get_config(self):
        return super().get_config() | {"shift": self.shift}


def test_settings_of_a_normalization_are_its_own_constructor_arguments():
    gin.parse_config("standardize_batch.decay = 0.5\nconditional_batch_norm.use_bias = True")
    norm = Normalization(ConditionalBatchNorm)
    gin.clear_config()
    assert norm.settings.keys() == {"statistics", "weight_options", "use_bias", "centered"}
    layer = norm("bn")
    assert layer.use_bias and layer.statistics.decay == 0.5
    assert Normalization(LayerNorm).settings == {}
    shifted = Normalization(lambda **kwargs: _Shifted(shift=2.0, **kwargs))
    assert shifted.settings.keys() == {"statistics", "shift"}
    assert shifted("bn").shift == 2.0
