"""Schedules against their formula and R3GAN's program."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.schedules import CosineDecay, check_decay, check_range, value_at


def test_cosine_decay_is_its_formula():
    decay = CosineDecay(0.05, 0.005, steps=200)
    for step in (0, 1, 50, 100, 199, 200, 1000):
        t = min(step / 200, 1)
        expected = 0.005 + (0.05 - 0.005) * 0.5 * (1 + np.cos(np.pi * t))
        np.testing.assert_allclose(decay(step), expected, rtol=1e-6)
        np.testing.assert_allclose(decay(tf.constant(step, tf.int64)), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ("lr", "beta2", "gamma", "ema", "aug"))
def test_cosine_decay_is_r3gans(assert_golden, modern_golden, name):
    prefix = "r3gan/preset/CIFAR10/schedule"
    values = modern_golden[f"{prefix}/{name}"]
    fractions = modern_golden[f"{prefix}/fraction"]
    decay = CosineDecay(float(values[0]), float(values[fractions == 1.0][0]), steps=1000)
    found = [float(decay(int(1000 * fraction))) for fraction in fractions]
    # float32 throughout: a value near 0 has the rounding of the largest.
    assert_golden("modern schedules", f"{prefix}/{name}", found, values, rtol=2e-7)


def test_numbers_pass_through_unchanged():
    value = 0.1
    assert value_at(value, 5) is value
    assert value_at(lambda step: 2 * step, 5) == 10


def test_it_is_registered():
    assert registry.get("schedule", "cosine_decay") is CosineDecay


@pytest.mark.parametrize(
    ("check", "value", "sentence"),
    (
        (check_range, -1, "x must be at least 0, received -1"),
        (check_range, "a", "x must be a number, received 'a'"),
        (check_range, CosineDecay(1, -1), "x must be at least 0, received -1"),
        (check_decay, CosineDecay(1.0, 0.5), "x must be at least 0 and below 1, received 1.0"),
        (check_range, CosineDecay, "x = CosineDecay is a class of schedules.* call it"),
    ),
)
def test_values_out_of_range_are_refused(check, value, sentence):
    with pytest.raises(UserError, match=sentence):
        check("x", value)


@pytest.mark.parametrize("options", (dict(initial="a"), dict(final=None), dict(steps=0)))
def test_options_of_cosine_decay_are_checked(options):
    [name] = options
    with pytest.raises(UserError, match=rf"cosine_decay\.{name} must be "):
        CosineDecay(**options)
