"""The relativistic pairing loss against the authors' programs, and how losses are marked."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import losses, registry
from compare_gan.losses import generator_sees_real, sees_real


@pytest.fixture(name="logits")
def _logits(modern_golden):
    names = ("loss/in/d_real_logits", "loss/in/d_fake_logits")
    return [tf.constant(modern_golden[name].astype(np.float64)) for name in names]


def test_rp_gan_equals_that_of_the_authors(assert_golden, modern_golden, logits):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        result = losses.rp_gan(*logits)
    for network in ("d", "g"):
        value = getattr(result, f"{network}_loss")
        key = f"loss/rp_gan/{network}_loss"
        assert_golden("modern losses", key, value, modern_golden[key], rtol=1e-12)
        for side, each in zip(("real", "fake"), logits, strict=True):
            key = f"loss/rp_gan/grad_{network}_loss_wrt_{side}_logits"
            found = tape.gradient(value, each)
            assert_golden("modern losses", key, found, modern_golden[key], rtol=1e-12)


def test_rp_gan_follows_the_paper_and_its_parts_add_up():
    random = np.random.RandomState(2)
    real, fake = random.normal(scale=3, size=(2, 40, 1))
    result = losses.rp_gan(tf.constant(real), tf.constant(fake))
    np.testing.assert_allclose(result.d_loss, np.log1p(np.exp(fake - real)).mean(), rtol=1e-10)
    np.testing.assert_allclose(result.g_loss, np.log1p(np.exp(real - fake)).mean(), rtol=1e-10)
    np.testing.assert_allclose(result.d_loss_real + result.d_loss_fake, result.d_loss, rtol=1e-12)


def test_a_loss_is_marked_by_a_decorator_or_an_attribute():
    assert sees_real(losses.rp_gan) and sees_real(registry.get("loss", "rp_gan"))
    assert sees_real(functools.partial(functools.partial(losses.rp_gan)))
    assert not any(sees_real(registry.get("loss", n)) for n in ("hinge", "non_saturating"))

    @generator_sees_real
    class Marked:
        def __call__(self, d_real_logits, d_fake_logits):
            raise NotImplementedError

    class Attribute:
        generator_sees_real = True

    assert sees_real(Marked()) and sees_real(Attribute())
