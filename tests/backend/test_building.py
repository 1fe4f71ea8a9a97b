"""Building without compilations; `tests/backends` does it under JAX."""

import keras
import numpy as np
import pytest

from compare_gan import backend
from compare_gan.backend import initial_values

initializers = keras.initializers
# With the standard deviation of the values for a kernel [3, 3, 10, 40].
_INITIALIZERS = {
    "zeros": (initializers.Zeros(), 0),
    "ones": (initializers.Ones(), 0),
    "constant": (initializers.Constant(0.3), 0),
    "normal": (initializers.RandomNormal(1.0, 0.02, seed=1), 0.02),
    "uniform": (initializers.RandomUniform(-1, 2, seed=1), 3 / 12**0.5),
    # Cut at two standard deviations, a normal distribution has 0.88 of its deviation.
    "truncated": (initializers.TruncatedNormal(1.0, 0.02, seed=1), 0.02 * 0.8796),
    "glorot_normal": (initializers.GlorotNormal(seed=1), (2 / (9 * 50)) ** 0.5),
    "glorot_uniform": (initializers.GlorotUniform(seed=1), (2 / (9 * 50)) ** 0.5),
    "he_normal": (initializers.HeNormal(seed=1), (2 / 90) ** 0.5),
    "fan_out": (
        initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=1),
        (2 / 360) ** 0.5,
    ),
    "orthogonal": (initializers.Orthogonal(2.0, seed=1), 2 / 90**0.5),
}


@pytest.mark.parametrize("name", _INITIALIZERS)
def test_values_have_the_distribution_of_keras(name):
    initializer, stddev = _INITIALIZERS[name]
    values = initial_values.in_numpy(initializer)((3, 3, 10, 40))
    expected = keras.ops.convert_to_numpy(initializer((3, 3, 10, 40)))
    assert values.dtype == np.float32 and values.shape == expected.shape
    # 3600 numbers: four standard errors of deviation, mean and extremes.
    for found in (values, expected):
        assert abs(found.std() - stddev) <= 0.05 * stddev
    assert abs(values.mean() - expected.mean()) <= 0.1 * stddev
    if "normal" not in name or "glorot" in name:
        np.testing.assert_allclose(values.max(), expected.max(), atol=0.8 * stddev)


@pytest.mark.parametrize("shape", ((90, 40), (50, 40), (40, 40), (3, 3, 4, 100), (20, 400)))
def test_orthogonal_values(shape):
    values = initial_values.in_numpy(initializers.Orthogonal(2.0, seed=3))(shape)
    matrix = values.reshape(-1, shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, 4 * np.eye(matrix.shape[1]), atol=2e-5)


def test_both_decompositions_are_the_same():
    a = np.random.RandomState(0).normal(size=(80, 40)).astype(np.float32)
    q, r = np.linalg.qr(a)
    np.testing.assert_allclose(initial_values.orthonormal(a), q * np.sign(np.diag(r)), atol=1e-6)


def test_values_follow_from_the_seed_alone():
    first, same, other = (
        initial_values.in_numpy(initializers.Orthogonal(seed=seed))((6, 4)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.1


def test_what_has_no_other_form():
    class Own(initializers.RandomNormal):
        def __call__(self, shape, dtype=None):
            return keras.ops.ones(shape)

    seeded = initializers.RandomNormal(seed=keras.random.SeedGenerator(1))
    for given in (Own(), seeded, lambda shape, dtype: keras.ops.ones(shape)):
        assert initial_values.in_numpy(given) is None


def test_tensorflow_has_keras_initializers_and_calls_with_zeros():
    given = initializers.RandomNormal(seed=1)
    assert backend.initializer(given) is given
    seen = backend.first_call(lambda inputs: inputs, (2, 3), None, dtype="float16")
    np.testing.assert_array_equal(seen[0], np.zeros((2, 3), np.float16))
    assert seen[1] is None
