"""Building without compilations; `tests/backends` does it under JAX."""

import keras
import numpy as np
import pytest

from compare_gan import backend
from compare_gan.backend import initial_values

initializers = keras.initializers
_INITIALIZERS = {
    "zeros": initializers.Zeros(),
    "ones": initializers.Ones(),
    "constant": initializers.Constant(0.3),
    "normal": initializers.RandomNormal(1.0, 0.5, seed=1),
    "large_seed": initializers.RandomNormal(seed=2**32 - 5),
    "uniform": initializers.RandomUniform(-1, 2, seed=1),
    "truncated": initializers.TruncatedNormal(1.0, 0.5, seed=1),
    "glorot_normal": initializers.GlorotNormal(seed=1),
    "glorot_uniform": initializers.GlorotUniform(seed=1),
    "he_normal": initializers.HeNormal(seed=1),
    "fan_out": initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal", seed=1),
    "orthogonal": initializers.Orthogonal(2.0, seed=1),
}


@pytest.mark.parametrize("shape", ((3, 3, 10, 40), (50, 40), (40, 40), (3, 1), (20, 400)))
@pytest.mark.parametrize("name", _INITIALIZERS)
def test_values_are_those_of_keras_on_tensorflow(name, shape):
    values = initial_values.in_numpy(_INITIALIZERS[name])(shape)
    expected = keras.ops.convert_to_numpy(_INITIALIZERS[name](shape))
    assert values.dtype == np.float32 and values.shape == expected.shape
    # Draws differ by single bits; the orthogonal ones of a square matrix by more.
    tolerance = 1e-4 if name == "orthogonal" and shape == (40, 40) else 4e-6
    np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance * np.abs(expected).max())


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


def test_a_network_is_called_once():
    class Counting(keras.layers.Layer):
        calls = 0

        def build(self, input_shape):
            self.dense = keras.layers.Dense(2)
            backend.first_call(lambda inputs: self.call(inputs[0]), input_shape)

        def call(self, inputs):
            self.calls += 1
            return self.dense(inputs)

    layer = Counting()
    assert backend.first_call(lambda inputs: layer(inputs[0]), (2, 3)).shape == (2, 2)
    assert layer.calls == 1 and len(layer.variables) == 2
    other = Counting()
    other.build((2, 3))
    assert other.calls == 1 and len(other.variables) == 2
