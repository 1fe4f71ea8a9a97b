"""Losses against the numbers of the 2019 library and against closed forms."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.errors import UserError

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "data" / "gans_golden.npz", allow_pickle=False)
NAMES = ("hinge", "least_squares", "non_saturating", "wasserstein")


def _logits():
    return [tf.constant(GOLDEN[f"loss/in/d_{which}_logits"]) for which in ("real", "fake")]


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_2019_library(assert_golden, name):
    result = registry.get("loss", name)(*_logits())
    for field, value in result._asdict().items():
        key = f"loss/{name}/{field}"
        assert_golden("loss", key, value, GOLDEN[key])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_2019_library(assert_golden, name):
    real, fake = _logits()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        result = registry.get("loss", name)(real, fake)
    for loss, logits, which in (
        (result.d_loss, real, "real"),
        (result.d_loss, fake, "fake"),
        (result.g_loss, fake, "fake"),
    ):
        network = "d" if loss is result.d_loss else "g"
        key = f"loss/{name}/grad_{network}_loss_wrt_{which}_logits"
        assert_golden("loss", key, tape.gradient(loss, logits), GOLDEN[key])


def _closed_forms(real, fake):
    """The formulas of the papers, in float64."""
    p_real, p_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    return {
        "hinge": (np.maximum(0, 1 - real).mean(), np.maximum(0, 1 + fake).mean(), -fake.mean()),
        "least_squares": (
            np.square(1 - p_real).mean(),
            np.square(p_fake).mean(),
            np.square(1 - p_fake).mean() / 2,
        ),
        "non_saturating": (
            -np.log(p_real).mean(),
            -np.log(1 - p_fake).mean(),
            -np.log(p_fake).mean(),
        ),
        "wasserstein": (-real.mean(), fake.mean(), -fake.mean()),
    }


@pytest.mark.parametrize("name", NAMES)
def test_values_follow_the_papers(name):
    random = np.random.RandomState(1)
    real, fake = random.normal(scale=3, size=(50, 1)), random.normal(scale=3, size=(50, 1))
    result = registry.get("loss", name)(tf.constant(real), tf.constant(fake))
    d_real, d_fake, g = _closed_forms(real, fake)[name]
    d = (d_real + d_fake) / (2 if name == "least_squares" else 1)
    # float64 throughout.
    np.testing.assert_allclose(result, (d, d_real, d_fake, g), rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_logits_stay_finite(name):
    big = tf.constant([[1e4], [-1e4]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(big)
        result = registry.get("loss", name)(big, big)
    assert np.all(np.isfinite(result))
    for value in (result.d_loss, result.g_loss):
        assert np.all(np.isfinite(tape.gradient(value, big)))


@pytest.mark.parametrize("name", NAMES)
def test_generator_loss_needs_no_real_logits(name):
    _, fake = _logits()
    unknown = tf.fill(fake.shape, float("nan"))
    assert np.isfinite(registry.get("loss", name)(unknown, fake).g_loss)


def test_all_are_registered_with_their_papers():
    found = {c.name: c for c in registry.components("loss")}
    assert set(NAMES) <= set(found)
    assert all(found[name].paper and found[name].summary for name in NAMES)


def test_an_unknown_name_is_reported_with_the_nearest():
    with pytest.raises(UserError, match=r"Unknown loss 'hing'\. Did you mean 'hinge'"):
        registry.get("loss", "hing")
