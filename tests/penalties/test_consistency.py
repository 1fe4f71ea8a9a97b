"""Consistency terms against the authors' program."""

import numpy as np
import pytest
import tensorflow as tf
from golden_networks import Discriminator

from compare_gan.errors import UserError
from compare_gan.penalties import BCR, CR, ICR, ZCR
from compare_gan.penalties.consistency import flipped_and_shifted


class _Recorded:
    """Inputs, the discriminator and draws of the section, in float64."""

    def __init__(self, golden):
        self.golden = golden
        self.discriminator = Discriminator.of_section(golden, "consistency")
        self.x, self.x_fake, self.x_fake_eps = (
            tf.constant(golden[f"consistency/in/{name}"].astype(np.float64))
            for name in ("x", "x_fake", "x_fake_eps")
        )

    def uniform(self, *sides):
        """A source of the draws for these halves, one after the other."""
        draws, most = [], self.x.shape[1] // 8
        for side in sides:
            draws.append(self.golden[f"consistency/in/flip_uniform_{side}"])
            for axis in ("rows", "cols"):
                shift = self.golden[f"consistency/in/shift_{axis}_{side}"]
                draws.append((shift + most + 0.5) / (2 * most + 1))
        return lambda shape: tf.reshape(draws.pop(0), shape)

    def check(self, assert_golden, tape, value, weights):
        """Compares a value and its gradients with a weighted sum of recorded ones."""

        def expected(key):
            return sum(w * self.golden[f"consistency/{name}/{key}"] for name, w in weights.items())

        section, name = "modern penalties", "+".join(weights)
        # The terms are float32 sums.
        assert_golden(section, f"consistency/{name}", value, expected("value"), rtol=1e-6)
        for path, found in self.discriminator.gradients(tape, value).items():
            key = f"grad/{path}"
            assert_golden(section, f"consistency/{name}/{key}", found, expected(key), rtol=2e-6)


@pytest.fixture(name="recorded")
def _recorded(modern_golden):
    return _Recorded(modern_golden)


@pytest.mark.parametrize("side", ("real", "fake"))
def test_images_are_flipped_and_shifted_like_the_authors(
    assert_golden, modern_golden, recorded, side
):
    images = recorded.x if side == "real" else recorded.x_fake
    key = f"consistency/T_{side}"
    found = flipped_and_shifted(images, recorded.uniform(side))
    assert_golden("modern penalties", key, found, modern_golden[key], rtol=1e-7)


def test_shifts_reach_an_eighth_of_each_side_of_a_rectangle():
    x = tf.reshape(tf.range(16.0 * 24), [1, 16, 24, 1])
    for draw, shift in ((0.5, 0), (0.0, -1), (0.999, 1)):
        draws = [0.5, draw, draw]  # The first is that of the flip, which is below 0.5.
        found = flipped_and_shifted(x, lambda shape, d=draws: tf.fill(shape, d.pop(0)))
        rows, columns = (shift * (size // 8) for size in (16, 24))
        padded = np.pad(x, ((0, 0), (2, 2), (3, 3), (0, 0)), "reflect")
        expected = padded[:, 2 + rows : 18 + rows, 3 + columns : 27 + columns]
        np.testing.assert_array_equal(found, expected)


def test_cr_and_bcr_equal_those_of_the_authors(assert_golden, recorded):
    d = recorded.discriminator
    with tf.GradientTape() as tape:
        value = CR().discriminator_term(d, recorded.x, d(recorded.x), recorded.uniform("real"))
    recorded.check(assert_golden, tape, value, {"bcr_real": 1})
    with tf.GradientTape() as tape:
        value = BCR().discriminator_term(
            d, d, recorded.x, recorded.x_fake, d(recorded.x), d(recorded.x_fake),
            recorded.uniform("real", "fake"),
        )  # fmt: skip
    recorded.check(assert_golden, tape, value, {"bcr_real": 1, "bcr_fake": 1})


def _moved(recorded, sigma):
    """Latents of zeros, noise of ones, and a generator that knows the latents with noise only."""

    def generator(z):
        np.testing.assert_allclose(z, np.full((4, 2), sigma), rtol=1e-6)
        return recorded.x_fake_eps

    return dict(generator=generator, z=tf.zeros((4, 2)), normal=lambda shape: tf.ones(shape))


def test_zcr_equals_that_of_the_authors(assert_golden, modern_golden, recorded):
    d, inputs = recorded.discriminator, _moved(recorded, 0.1)
    with tf.GradientTape() as tape:
        value = ZCR(sigma=0.1).discriminator_term(d, fake_logits=d(recorded.x_fake), **inputs)
    recorded.check(assert_golden, tape, value, {"zcr_d": 1})
    value = ZCR(sigma=0.1).generator_term(x_fake=recorded.x_fake, **inputs)
    key = "consistency/zcr_g/value"
    assert_golden("modern penalties", key, value, modern_golden[key], rtol=1e-6)
    # The weight of 0.5 that goes with images in [-1, 1].
    weight = ZCR().weight_at(0, None, "generator")
    expected = 0.5 * modern_golden["consistency/zcr_g/value_pm1_images"]
    np.testing.assert_allclose(weight * value, expected, rtol=1e-6)


def test_icr_is_the_weighted_sum_of_both(assert_golden, recorded):
    d, penalty = recorded.discriminator, ICR(weight=lambda step: 2.0 * step, weight_d=5.0)
    with tf.GradientTape() as tape:
        value = penalty.discriminator_term(
            d, d, x=recorded.x, x_fake=recorded.x_fake, real_logits=d(recorded.x),
            fake_logits=d(recorded.x_fake), uniform=recorded.uniform("real", "fake"), step=3,
            **_moved(recorded, 0.05),
        )  # fmt: skip
    recorded.check(assert_golden, tape, value, {"bcr_real": 6, "bcr_fake": 6, "zcr_d": 5})
    weights = [penalty.weight_at(3, None, network) for network in ("discriminator", "generator")]
    assert weights == [1.0, 2.0]


def test_published_settings_are_the_defaults():
    assert CR().weight == BCR().weight == ICR().weight_bcr == 10
    for penalty in (ZCR(), ICR()):  # The generator's weight is 0.5 for images in [-1, 1].
        assert (penalty.weight_d, penalty.weight_g / 4, penalty.sigma) == (20, 0.5, 0.05)


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: CR(weight=-1), r"cr\.weight must be at least 0, received -1"),
        (lambda: ZCR(weight_g="a"), r"zcr\.weight_g must be a number, received 'a'"),
        (lambda: ZCR(sigma=-1), r"zcr\.sigma must be at least 0, received -1"),
        (lambda: ICR(weight=-2), r"icr\.weight must be at least 0, received -2"),
        (lambda: ICR(weight_d=-2), r"icr\.weight_d must be at least 0, received -2"),
    ),
)
def test_values_out_of_range_are_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
