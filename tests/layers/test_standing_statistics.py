"""Standing statistics: means of batch moments, which accumulate only on request."""

import gin
import keras
import numpy as np
import pytest

from compare_gan.layers import (
    BatchNorm,
    accumulating_standing_statistics,
    reset_standing_statistics,
    uses_standing_statistics,
)


def _batches():
    return np.random.RandomState(0).normal(2, 3, size=(3, 8, 4, 4, 2)).astype(np.float32)


def _model():
    model = keras.Sequential([keras.Input((4, 4, 2)), keras.Sequential([BatchNorm(name="bn")])])
    return model, model.layers[0].layers[0].accu if uses_standing_statistics(model) else None


@pytest.fixture
def standing():
    gin.parse_config("standardize_batch.use_moving_averages = False")


def test_moving_averages_are_not_standing_statistics():
    model, _ = _model()
    assert not uses_standing_statistics(model)
    reset_standing_statistics(model)  # Does nothing.


def test_mean_of_the_moments_of_all_batches(standing):
    model, _ = _model()
    assert uses_standing_statistics(model)
    batches = _batches()
    with accumulating_standing_statistics(model):
        for x in batches:
            model(x, training=False)
    mean = batches.mean(axis=(1, 2, 3)).mean(axis=0)
    variance = batches.var(axis=(1, 2, 3)).mean(axis=0)
    x = _batches()[0] * 5
    expected = (x - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(model(x, training=False), expected, rtol=1e-4, atol=1e-4)


def test_they_accumulate_only_inside_the_context_and_at_inference(standing):
    model, accu = _model()
    x = _batches()[0]
    model(x, training=False)
    with accumulating_standing_statistics(model):
        model(x, training=True)
    assert float(accu.accu_counter) < 1e-11 and not np.any(accu.accu_mean)
    with pytest.raises(RuntimeError), accumulating_standing_statistics(model):
        raise RuntimeError
    assert float(accu.update_accus) == 0


def test_reset_restores_the_initial_state(standing):
    model, _ = _model()
    x = _batches()[0]
    before = model(x, training=False)
    with accumulating_standing_statistics(model):
        model(x, training=False)
    reset_standing_statistics(model)
    after = model(x, training=False)
    assert np.all(np.isfinite(after))
    np.testing.assert_array_equal(after, before)


def test_they_accumulate_in_half_precision(standing):
    """A bfloat16 counter stops at 256."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, accu = _model()
    finally:
        keras.config.set_dtype_policy("float32")
    x = _batches()[0]
    accu.accu_counter.assign(1000.0)
    with accumulating_standing_statistics(model):
        model(x, training=False)
    assert float(accu.accu_counter) == 1001
