"""Tests on two logical CPUs, where every number must be that of one replica with the whole batch.

TensorFlow needs to know them before anything else happens, so `test_two_replicas.py` runs this
file in a process of its own.
"""

import contextlib

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import backend, engine
from compare_gan.backend.forms import chosen_forms
from compare_gan.layers import (
    BatchNorm,
    Conv2D,
    Conv2DTranspose,
    Dense,
    ResNetBlock,
    StandardizeBatch,
    accumulating_standing_statistics,
)

_CPU = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(_CPU, [tf.config.LogicalDeviceConfiguration()] * 2)

BATCH = 8


@pytest.fixture(name="strategy")
def _strategy(mirrored):
    return mirrored


def _inputs(shape=(BATCH, 4, 4, 6), seed=0):
    return np.random.RandomState(seed).normal(1, 2, size=shape).astype(np.float32)


def _on_both(strategy, fn, *arrays):
    """`fn` of the halves of the arrays, compiled; results joined along the batch."""

    def halves(array):
        def value(context):
            index = context.replica_id_in_sync_group
            return tf.constant(np.split(array, 2)[index])

        return strategy.experimental_distribute_values_from_function(value)

    values = [halves(array) for array in arrays]
    results = tf.function(lambda: strategy.run(fn, args=values), autograph=False)()
    return tf.nest.map_structure(
        lambda result: np.concatenate([np.atleast_1d(r) for r in result.values]), results
    )


def _pair(strategy, make, x):
    """The same layer on one replica and on two."""
    one = make()
    one(x)
    with strategy.scope():
        two = make()
        two(x)
    for a, b in zip(one.weights, two.weights, strict=True):
        b.assign(a)
    return one, two


def _replica_values(strategy, variable):
    return [v.numpy() for v in strategy.experimental_local_results(variable.value)]


def _assert_equal_weights(strategy, one, two, **tolerance):
    for a, b in zip(one.weights, two.weights, strict=True):
        first, second = _replica_values(strategy, b)
        np.testing.assert_array_equal(first, second, err_msg=b.path)
        np.testing.assert_allclose(first, a, err_msg=b.path, **tolerance)


def test_cross_replica_mean(strategy):
    x = np.float32([1, 5])
    assert not backend.in_replicas()

    def fn(value):
        assert backend.in_replicas()
        mean, square = backend.cross_replica_mean([value, value**2])
        return mean, square

    means, squares = _on_both(strategy, fn, x)
    np.testing.assert_allclose(means, [3, 3])
    np.testing.assert_allclose(squares, [13, 13])


def test_losses_of_gathered_rows_have_the_gradients_of_one_replica(strategy):
    x = _inputs((BATCH, 3))

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            rows = backend.gathered(x)
            # A function of all pairs of rows.
            loss = tf.reduce_mean(tf.tanh(tf.matmul(rows, rows[::-1], transpose_b=True)) ** 3)
        return loss, tape.gradient(loss, x)

    loss, gradient = step(tf.constant(x))
    losses, gradients = _on_both(strategy, step, x)
    np.testing.assert_allclose(losses, [loss, loss], rtol=1e-6)
    # The update takes the mean over the replicas, where only one has gradients of the row.
    np.testing.assert_allclose(gradients / 2, gradient, rtol=1e-5, atol=1e-7)


def test_batch_uniform_is_that_of_one_replica(strategy):
    draws = _on_both(strategy, lambda x: backend.batch_uniform(x.shape, (1, 2)), _inputs())
    expected = backend.batch_uniform((BATCH, 4, 4, 6), (1, 2))
    np.testing.assert_array_equal(draws, expected)
    assert not np.array_equal(draws[: BATCH // 2], draws[BATCH // 2 :])


@pytest.mark.parametrize(
    ("make", "shape"),
    (
        (lambda: Dense(5, spectral_norm=True), (BATCH, 6)),
        (lambda: Conv2D(5, 3, spectral_norm=True), (BATCH, 4, 4, 6)),
        (lambda: Conv2DTranspose(5, 4, strides=2, spectral_norm=True), (BATCH, 4, 4, 6)),
    ),
)
def test_spectral_norm_is_that_of_one_replica(strategy, make, shape):
    x = _inputs(shape)
    one, two = _pair(strategy, make, x)
    start = one.u_var.numpy()
    for _ in range(2):
        expected = one(x, training=True)
        found = _on_both(strategy, lambda x: two(x, training=True), x)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(one.u_var, start, atol=1e-3)
    _assert_equal_weights(strategy, one, two, rtol=1e-5, atol=1e-6)
    before = _replica_values(strategy, two.u_var)
    _on_both(strategy, lambda x: two(x, training=False), x)
    np.testing.assert_array_equal(_replica_values(strategy, two.u_var), before)


def test_moments_and_gradients_are_those_of_the_whole_batch(strategy):
    gin.parse_config("standardize_batch.decay = 0.5")
    x, coefficients = _inputs(), _inputs(seed=1)
    one, two = _pair(strategy, BatchNorm, x)

    def step(layer, x, coefficients):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            value = tf.reduce_sum(y * coefficients)
        return y, tape.gradient(value, x)

    expected = step(one, tf.constant(x), coefficients)
    found = _on_both(strategy, lambda *args: step(two, *args), x, coefficients)
    for a, b in zip(found, expected, strict=True):
        # Two partial means instead of one.
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    _assert_equal_weights(strategy, one, two, rtol=1e-5, atol=1e-6)
    y = _on_both(strategy, lambda x: two(x, training=False), x)
    np.testing.assert_allclose(y, one(x, training=False), rtol=1e-5, atol=1e-5)


def test_moments_of_each_replica_on_request(strategy):
    gin.parse_config(
        "standardize_batch.use_cross_replica_mean = False\nstandardize_batch.decay = 0.5"
    )
    x = _inputs()
    one, two = _pair(strategy, StandardizeBatch, x)
    found = _on_both(strategy, lambda x: two(x, training=True), x)
    expected = np.concatenate([one(half, training=True) for half in np.split(x, 2)])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    # The statistics are the mean of both.
    for weight, moment in ((two.moving_mean, np.mean), (two.moving_variance, np.var)):
        halves = np.mean([moment(half, axis=(0, 1, 2)) for half in np.split(x, 2)], axis=0)
        expected = 0.5 * halves + 0.5 * (moment is np.var)
        for value in _replica_values(strategy, weight):
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("synchronized", (None, False))
def test_standing_statistics(strategy, synchronized):
    gin.parse_config(
        "standardize_batch.use_moving_averages = False\n"
        f"standardize_batch.use_cross_replica_mean = {synchronized}"
    )
    x = _inputs()
    with strategy.scope():
        layer = StandardizeBatch()
        layer(x)
        model = tf.keras.Sequential([layer])
    with accumulating_standing_statistics(model):
        for _ in range(2):
            _on_both(strategy, lambda x: layer(x, training=False), x)
    pieces = [x] if synchronized is None else np.split(x, 2)
    mean = 2 * np.mean([piece.mean(axis=(0, 1, 2)) for piece in pieces], axis=0)
    variance = 2 * np.mean([piece.var(axis=(0, 1, 2)) for piece in pieces], axis=0)
    accu = layer.accu
    for weight, expected in (
        (accu.accu_mean, mean),
        (accu.accu_variance, variance),
        (accu.accu_counter, 2),
    ):
        for value in _replica_values(strategy, weight):
            np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_a_whole_block(strategy):
    def make():
        return ResNetBlock(6, 8, "up", True, spectral_norm=True, batch_norm_fn=BatchNorm)

    x = _inputs()
    one, two = _pair(strategy, make, x)
    expected = one(x, training=True)
    found = _on_both(strategy, lambda x: two(x, training=True), x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    _assert_equal_weights(strategy, one, two, rtol=1e-4, atol=1e-5)


def test_replicas_are_traced_in_the_contexts_of_the_loop(strategy):
    chosen, calls = [], []

    def choose(convolution):
        chosen.append(convolution)
        return "direct"

    @backend.rematerializable
    def block(x):
        calls.append(x)
        return backend.conv(x, tf.ones([3, 3, 6, 6]))

    class Step:
        names = ("mean",)

        def __call__(self, batch):
            gradient = backend.gradient(lambda x: tf.reduce_sum(block(x) ** 2), batch)
            return tf.reduce_mean(gradient)[None]

    @contextlib.contextmanager
    def context():
        with chosen_forms(choose), backend.rematerialization():
            yield

    data = tf.data.Dataset.from_tensors(tf.constant(_inputs())).repeat()
    for jit_compile in (False, True):
        chosen.clear()
        calls.clear()
        loop = engine.Loop(Step(), lambda *_: data, strategy, jit_compile, context)
        assert np.isfinite(loop.run(1)["mean"]).all()
        # Each replica calls the block forwards, and again in the backward pass.
        assert len(calls) >= 4 and len(chosen) == len(calls)
