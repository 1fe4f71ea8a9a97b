"""Initializers by the statistics of what they draw."""

import functools

import gin
import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.layers import Conv2D, Dense, weight_initializer

SHAPE = (200, 300)


def test_normal_is_the_default():
    draws = np.asarray(weight_initializer()(SHAPE))
    # 60,000 draws: the standard error of the deviation is 6e-5, five of them.
    assert draws.std() == pytest.approx(0.02, abs=3e-4)
    assert draws.mean() == pytest.approx(0, abs=5e-4)
    assert np.abs(draws).max() > 3 * 0.02


def test_truncated_stays_within_two_deviations():
    draws = np.asarray(weight_initializer("truncated", stddev=0.5)(SHAPE))
    # Keras draws from the normal of this deviation, cut at two: that leaves 0.8796 of it.
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
    """A difference: in 2019 the layers drew with 0.02 whatever `weights.stddev` said."""
    gin.parse_config("weights.initializer = 'truncated'\nweights.stddev = 0.1")
    layer = make(80)
    layer.build(input_shape)
    draws = np.asarray(layer.kernel)
    assert 0.19 < np.abs(draws).max() <= 0.2
    # 20,000 draws: the standard error of the deviation is 0.5 %, five of them.
    assert draws.std() == pytest.approx(0.8796 * 0.1, rel=0.025)


def test_unknown_name_is_told_with_the_nearest():
    with pytest.raises(UserError, match=r"weights.initializer 'ortogonal'. Did you mean 'ortho"):
        weight_initializer("ortogonal")


def test_a_negative_deviation_is_refused():
    with pytest.raises(UserError, match=r"weights\.stddev must be at least 0, received -0\.1"):
        weight_initializer(stddev=-0.1)
