"""Initializers, by the statistics of their draws."""

import functools

import gin
import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.layers import (
    ConditionalBatchNorm,
    Conv2D,
    Dense,
    NonLocalBlock,
    SelfModulatedBatchNorm,
    WeightOptions,
    weight_initializer,
)

SHAPE = (200, 300)


def test_normal_is_the_default():
    draws = np.asarray(weight_initializer()(SHAPE))
    # 60,000 draws: five times the standard error of the deviation, which is 6e-5.
    assert draws.std() == pytest.approx(0.02, abs=3e-4)
    assert draws.mean() == pytest.approx(0, abs=5e-4)
    assert np.abs(draws).max() > 3 * 0.02


def test_truncated_stays_within_two_deviations():
    draws = np.asarray(weight_initializer("truncated", stddev=0.5)(SHAPE))
    # Keras cuts a normal distribution at two deviations, which leaves 0.8796 of its deviation.
    assert np.abs(draws).max() <= 1.0
    assert draws.std() == pytest.approx(0.8796 * 0.5, rel=0.02)


def test_orthogonal_columns():
    draws = np.asarray(weight_initializer("orthogonal")((3, 3, 4, 8))).reshape(36, 8)
    np.testing.assert_allclose(draws.T @ draws, np.eye(8), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "input_shape"),
    ((Dense, (None, 250)), (functools.partial(Conv2D, kernel_size=5), (None, 8, 8, 10))),
    ids=("dense", "conv"),
)
def test_gin_chooses_name_and_deviation(make, input_shape):
    """Unlike in the 2019 library, whose layers ignored `weights.stddev` and always used 0.02."""
    gin.parse_config("weights.initializer = 'truncated'\nweights.stddev = 0.1")
    layer = make(80)
    layer.build(input_shape)
    draws = np.asarray(layer.kernel)
    assert 0.19 < np.abs(draws).max() <= 0.2
    # 20,000 draws: five times the standard error of the deviation, which is 0.5 %.
    assert draws.std() == pytest.approx(0.8796 * 0.1, rel=0.025)


def test_an_unknown_name_is_reported_with_the_nearest():
    with pytest.raises(UserError, match=r"weights.initializer 'ortogonal'. Did you mean 'ortho"):
        weight_initializer("ortogonal")


def test_a_negative_deviation_is_refused():
    with pytest.raises(UserError, match=r"weights\.stddev must be at least 0, received -0\.1"):
        weight_initializer(stddev=-0.1)


def test_layers_that_are_built_later_keep_the_options_of_their_construction():
    """Their inner layers are made in `build`, when gin may say something else."""
    gin.parse_config("weights.initializer = 'truncated'\nweights.stddev = 0.5")
    layers = [NonLocalBlock(), ConditionalBatchNorm(), SelfModulatedBatchNorm()]
    gin.clear_config()
    attention, conditional, modulated = layers
    attention.build((None, 4, 4, 8))
    conditional.build((None, 4, 4, 8), (None, 3))
    modulated.build((None, 4, 4, 8), (None, 3))
    inner = [attention.theta, conditional.condition.gamma, modulated.sbn.hidden]
    for layer in layers:
        options = layer.get_config()["weight_options"]
        assert options == {"initializer": "truncated", "stddev": 0.5}
        assert type(layer).from_config(layer.get_config()).weight_options == WeightOptions(
            **options
        )
    for layer in inner:
        assert layer.get_config()["kernel_initializer"]["class_name"] == "TruncatedNormal"
        assert layer.kernel_initializer.stddev == 0.5


def test_options_as_an_object_a_dictionary_or_from_gin():
    options = WeightOptions("orthogonal", 0.1)
    assert WeightOptions.of(options) is options
    assert WeightOptions.of(options.get_config()) == options
    gin.parse_config("weights.stddev = 0.3")
    assert WeightOptions.of(None) == WeightOptions("normal", 0.3)
    assert weight_initializer().stddev == 0.02
