"""Binomial resampling against R3GAN's program and as a pair of transposed maps."""

import pathlib

import numpy as np
import pytest
from keras import ops

from compare_gan.layers import downsample_binomial, upsample_binomial

_GOLDEN = pathlib.Path(__file__).parents[1] / "data" / "r3gan_golden.npz"


@pytest.mark.parametrize(
    ("name", "resample"), [("up", upsample_binomial), ("down", downsample_binomial)]
)
def test_it_equals_that_of_r3gan(assert_golden, name, resample):
    with np.load(_GOLDEN) as golden:
        x, expected = golden["r3gan/resample/in"], golden[f"r3gan/resample/{name}"]
    # Sums of at most four float32 products in each direction.
    assert_golden("R3GAN", f"r3gan/resample/{name}", resample(x), expected, rtol=5e-7)


def test_one_is_four_times_the_transpose_of_the_other():
    random = np.random.RandomState(0)
    x, y = random.normal(size=(2, 4, 6, 3)), random.normal(size=(2, 8, 12, 3))
    up, down = upsample_binomial(ops.array(x)), downsample_binomial(ops.array(y))
    assert np.sum(up * y) == pytest.approx(4 * np.sum(x * down), rel=1e-5)
