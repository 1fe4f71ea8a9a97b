"""Modern losses against the authors' programs, and how losses are marked."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import losses, registry
from compare_gan.errors import UserError
from compare_gan.losses import (
    MultiHinge,
    generator_sees_real,
    is_mean_over_images,
    needs_class_logits,
    not_mean_over_images,
    sees_real,
)

_ZERO = tf.UnconnectedGradients.ZERO


@pytest.fixture(name="logits")
def _logits(modern_golden):
    names = ("loss/in/d_real_logits", "loss/in/d_fake_logits")
    return [tf.constant(modern_golden[name].astype(np.float64)) for name in names]


@pytest.mark.parametrize(
    ("name", "recorded"), (("rp_gan", "rp_gan"), ("ra_gan", "ra_gan"), ("ls_gan", "lsgan_half"))
)
def test_losses_equal_those_of_the_authors(assert_golden, modern_golden, logits, name, recorded):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        result = registry.get("loss", name)(*logits)
    for network in ("d", "g"):
        value = getattr(result, f"{network}_loss")
        key = f"loss/{recorded}/{network}_loss"
        assert_golden("modern losses", key, value, modern_golden[key], rtol=1e-12)
        for side, each in zip(("real", "fake"), logits, strict=True):
            key = f"loss/{recorded}/grad_{network}_loss_wrt_{side}_logits"
            found = tape.gradient(value, each, unconnected_gradients=_ZERO)
            assert_golden("modern losses", key, found, modern_golden[key], rtol=1e-12)
    np.testing.assert_allclose(result.d_loss_real + result.d_loss_fake, result.d_loss, rtol=1e-12)


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
    assert not_mean_over_images(Marked) is Marked and not is_mean_over_images(Marked())
    found = [registry.get("loss", name) for name in registry.names("loss")]
    assert [each for each in found if not is_mean_over_images(each)] == [MultiHinge, losses.ra_gan]


def test_logistic_is_another_name_of_non_saturating():
    assert registry.get("loss", "logistic") is losses.non_saturating


# Multi-hinge. Recorded logits have the generated class last, which is minus the logit here.


@pytest.fixture(name="classified")
def _classified(modern_golden):
    """The arguments of the loss in float64, by name."""
    found = {}
    for side in ("real", "fake"):
        logits = modern_golden[f"loss/in/mh_{side}_logits"].astype(np.float64)
        found[f"d_{side}_logits"] = -logits[:, -1:]
        found[f"{side}_class_logits"] = logits[:, :-1]
        classes = modern_golden[f"loss/in/mh_{side}_labels"]
        found[f"{side}_labels"] = np.eye(logits.shape[1] - 1)[classes]
        found[f"{side}_features"] = modern_golden[f"loss/in/fm_{side}_embed"].astype(np.float64)
    return {name: tf.constant(value) for name, value in found.items()}


def test_multi_hinge_equals_that_of_the_authors(assert_golden, modern_golden, classified):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(list(classified.values()))
        result = MultiHinge(g_weight=1.0, feature_matching=0.0)(**classified)
    for name in ("d_loss", "d_loss_real", "d_loss_fake", "g_loss"):
        key = f"loss/multi_hinge/{name}"
        assert_golden("modern losses", key, getattr(result, name), modern_golden[key], rtol=1e-12)
    for network, side in (("d", "real"), ("d", "fake"), ("g", "fake")):
        value = getattr(result, f"{network}_loss")
        inputs = [classified[f"{side}_class_logits"], classified[f"d_{side}_logits"]]
        classes, generated = tape.gradient(value, inputs)
        key = f"loss/multi_hinge/grad_{network}_loss_wrt_{side}_logits"
        found = tf.concat([classes, -generated], axis=1)
        assert_golden("modern losses", key, found, modern_golden[key], rtol=1e-12)


def test_feature_matching_equals_that_of_the_authors(assert_golden, modern_golden, classified):
    with tf.GradientTape() as tape:
        tape.watch(classified["fake_features"])
        value = MultiHinge(g_weight=0.0)(**classified).g_loss
    key = "loss/feature_matching/value"
    assert_golden("modern losses", key, value, modern_golden[key], rtol=1e-12)
    key = "loss/feature_matching/grad_fake_embed"
    found = tape.gradient(value, classified["fake_features"])
    assert_golden("modern losses", key, found, modern_golden[key], rtol=1e-12)


def test_multi_hinge_without_labels_wants_any_class(classified):
    """A real image without a label: the hinge between the best class and that of fakes."""
    classified |= {"real_labels": tf.zeros_like(classified["real_labels"])}
    best = np.max(classified["real_class_logits"], axis=1)
    expected = np.maximum(0, 1 - classified["d_real_logits"][:, 0] - best).mean()
    np.testing.assert_allclose(MultiHinge()(**classified).d_loss_real, expected, rtol=1e-12)


def test_multi_hinge_requests_class_logits_and_checks_its_weights():
    assert needs_class_logits(MultiHinge()) and sees_real(MultiHinge())
    assert needs_class_logits(functools.partial(MultiHinge()))
    with pytest.raises(UserError, match=r"multi_hinge\.g_weight must be at least 0, received -1"):
        MultiHinge(g_weight=-1)
