"""Standardization against the 2019 library's numbers and TensorFlow's moments."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.layers import BatchStatistics, StandardizeBatch


def _inputs(shape=(4, 3, 3, 5), seed=0):
    return np.random.RandomState(seed).normal(1, 2, size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("case", "config"),
    (
        ("default", ""),
        ("decay0.9_eps1e-5", "standardize_batch.decay = 0.9\nstandardize_batch.epsilon = 1e-5"),
    ),
)
def test_standardization_equals_that_of_the_2019_library(golden, assert_golden, case, config):
    gin.parse_config(config)
    layer, prefix = StandardizeBatch(), f"bn/standardize/{case}"
    x0, x1, x2, x_2d = (golden[f"bn/in/{name}"] for name in ("x0", "x1", "x2", "x_2d"))

    def check(found, name):
        assert_golden("bn", f"{prefix}/{name}", found, golden[f"{prefix}/{name}"])

    check(layer(x0, training=False), "eval_before_training_x0")
    for number, x in enumerate((x0, x1)):
        check(layer(x, training=True), f"train_out_x{number}")
        check(layer.moving_mean, f"moving_mean_after{number + 1}")
        check(layer.moving_variance, f"moving_variance_after{number + 1}")
    check(layer(x2, training=False), "eval_out_x2")
    check(StandardizeBatch()(x_2d, training=True), "train_out_x_2d")


def test_accumulated_statistics_equal_those_of_the_2019_library(golden, assert_golden):
    # The reference numbers were computed with this epsilon.
    gin.parse_config(
        "standardize_batch.use_moving_averages = False\nstandardize_batch.epsilon = 1e-5"
    )
    layer = StandardizeBatch(name="s")
    x0, x1, x2 = (golden[f"bn/in/x{number}"] for number in range(3))
    layer.build(x0.shape)
    assert sorted(w.path for w in layer.weights) == list(golden["bn/accu/variable_names"])

    def check(found, name):
        assert_golden("bn", f"bn/accu/{name}", found, golden[f"bn/accu/{name}"])

    check(layer(x0, training=True), "train_out_x0")
    check(layer(x0, training=False), "eval_with_empty_accumulators_x0")
    layer.accu.update_accus.assign(1.0)
    for number, x in enumerate((x0, x1)):
        check(layer(x, training=False), f"eval_updating_x{number}")
        for name in ("mean", "variance", "counter"):
            check(getattr(layer.accu, f"accu_{name}"), f"accu_{name}_after{number + 1}")
    layer.accu.update_accus.assign(0.0)
    check(layer(x2, training=False), "eval_frozen_x2")


def test_gradients_flow_through_the_moments():
    """Against the moments of TensorFlow."""
    x = tf.constant(_inputs())
    weights = _inputs(seed=3)
    gradients = []
    for normalize in (
        lambda x: StandardizeBatch()(x, training=True),
        lambda x: tf.nn.batch_normalization(x, *tf.nn.moments(x, (0, 1, 2)), None, None, 1e-3),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(normalize(x) * weights)
        gradients.append(tape.gradient(value, x))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


def test_a_constant_channel_stays_finite():
    """Here the difference of the rounded mean squares is below zero, by more than epsilon."""
    gin.parse_config("standardize_batch.epsilon = 1e-9")
    values = np.linspace(100, 101, 400, dtype=np.float32)
    x = np.broadcast_to(values, (50, 400))
    mean, mean_square = tf.reduce_mean(x, axis=0), tf.reduce_mean(tf.square(x), axis=0)
    assert np.any(mean_square - tf.square(mean) < -1e-9)
    assert np.all(np.isfinite(StandardizeBatch()(x, training=True)))


def test_settings_as_an_object_a_dictionary_or_from_gin():
    settings = BatchStatistics(decay=0.5)
    assert StandardizeBatch(statistics=settings).statistics is settings
    gin.parse_config("standardize_batch.epsilon = 0.1")
    layer = StandardizeBatch(statistics={"decay": 0.5})
    assert layer.statistics == BatchStatistics(decay=0.5, epsilon=0.1)
    gin.clear_config()
    assert StandardizeBatch.from_config(layer.get_config()).statistics == layer.statistics
    assert StandardizeBatch().statistics == BatchStatistics(0.999, 1e-3, True, None)
