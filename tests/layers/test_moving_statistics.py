"""Moving statistics are estimated on batches, only inside of the context."""

import keras
import numpy as np
import pytest

from compare_gan.layers import (
    BatchNorm,
    StyleMapping,
    estimating_moving_statistics,
    moving_statistics,
)


class _Styles(keras.Model):
    """A mapping network and two batch norms."""

    def __init__(self):
        super().__init__()
        self.mapping = StyleMapping(units=3, num_layers=1)
        self.norms = [BatchNorm(name="first"), BatchNorm(name="second")]

    def call(self, z, training=None):
        w = self.mapping(z, training=training)
        return self.norms[1](self.norms[0](w, training=training) + z, training=training)


def test_they_become_the_means_over_the_batches():
    """The second norm sees what the first makes of the moments of each batch.

    At 1e-5: sums of a few float32 numbers.
    """
    model, random = _Styles(), np.random.default_rng(0)
    batches = random.normal(2, 3, size=(3, 8, 3)).astype(np.float32)
    model(batches[0], training=True)
    styles = [np.array(model.mapping(z)) for z in batches]
    with estimating_moving_statistics(model, 3):
        for z in batches:
            model(z, training=False)
    sums = [
        (w - w.mean(axis=0)) / np.sqrt(w.var(axis=0) + 1e-3) + z
        for w, z in zip(styles, batches, strict=True)
    ]
    expected = [np.mean(styles, axis=(0, 1))]
    for values in (styles, sums):
        expected += [np.mean(values, axis=(0, 1)), np.mean(np.var(values, axis=1), axis=0)]
    found = moving_statistics(model)
    assert len(found) == len(expected)
    for variable, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-5, atol=1e-5)

    model(batches[0], training=False)
    for variable, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-5, atol=1e-5)


def test_the_context_ends_with_an_error():
    model = keras.Sequential([keras.Input((2,)), BatchNorm()])
    with pytest.raises(RuntimeError), estimating_moving_statistics(model, 1):
        raise RuntimeError
    assert model.layers[0].estimate_share == 0
