"""R1, R2 and LeCam against the authors' programs and closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from golden_networks import Discriminator

from compare_gan.errors import UserError
from compare_gan.penalties import R1, R1R2, R2, LeCam


def _images(golden, name):
    return tf.constant(golden[f"penalty/in/{name}"].astype(np.float64))


@pytest.mark.parametrize(("name", "penalty"), (("r1", R1()), ("r2", R2())))
def test_r1_and_r2_equal_those_of_the_authors(assert_golden, modern_golden, name, penalty):
    discriminator = Discriminator.of_penalties(modern_golden)
    images = _images(modern_golden, "x" if name == "r1" else "x_fake")
    with tf.GradientTape() as tape:
        value = penalty.discriminator_term(discriminator, images)
    key = f"penalty/{name}/value"
    assert_golden("modern penalties", key, value, modern_golden[key], rtol=1e-6)
    for path, found in discriminator.gradients(tape, value).items():
        key = f"penalty/{name}/grad/{path}"
        assert_golden("modern penalties", key, found, modern_golden[key], rtol=1e-6)


def test_r1_r2_is_their_sum_each_with_its_discriminator(modern_golden):
    discriminator = Discriminator.of_penalties(modern_golden)
    x, x_fake = (_images(modern_golden, name) for name in ("x", "x_fake"))
    value = R1R2().discriminator_term(discriminator, lambda x: 2 * discriminator(x), x, x_fake)
    expected = modern_golden["penalty/r1/value"] + 4 * modern_golden["penalty/r2/value"]
    np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_r1_on_images_in_0_1_is_four_times_that_in_pm1(modern_golden):
    discriminator = Discriminator.of_penalties(modern_golden)
    x = _images(modern_golden, "x")
    value = R1().discriminator_term(lambda x: discriminator((x + 1) / 2), 2 * x - 1)
    np.testing.assert_allclose(value, modern_golden["penalty/r1/value_wrt_pm1_images"], rtol=1e-6)
    np.testing.assert_allclose(4 * value, modern_golden["penalty/r1/value"], rtol=1e-6)


def test_the_default_of_gamma_is_stylegan2_adas_rule():
    """0.0002 · side² / batch size for images in [-1, 1], a quarter of it for [0, 1]."""
    x = np.zeros((32, 64, 64, 3))
    assert R1().weight_at(0, x) == pytest.approx(0.0002 * 64**2 / 32 / 4)
    assert R1().weight is None
    assert R1R2().weight_at(0, x) == R2().weight_at(0, x) == R1().weight_at(0, x)
    assert R1(gamma=0.3).weight_at(0, x) == 0.3
    assert R1(gamma=lambda step: 2.0 * step).weight_at(3, x) == 6.0


def _lecam(golden, case):
    start, initial = case.split("_init")
    decay = 0.9 if "decay" in start else 0.99
    penalty = LeCam(decay=decay, start_step=int(start.removeprefix("start").split("_")[0]))
    penalty.prepare()
    for average in penalty.variables:
        average.assign(float(initial))
    return penalty


@pytest.mark.parametrize(
    "case",
    [
        f"{start}_init{initial}"
        for start in ("start0", "start2", "start3_decay0.9")
        for initial in (0, 7777)
    ],
)
def test_lecam_equals_that_of_the_authors(assert_golden, modern_golden, case):
    golden = modern_golden
    penalty, prefix = _lecam(golden, case), f"lecam/{case}"
    found = {name: [] for name in ("ema_real", "ema_fake", "value", "real", "fake")}
    inputs = [golden[f"lecam/in/{side}_logits"] for side in ("real", "fake")]
    for step, logits in enumerate(zip(*inputs, strict=True)):
        real, fake = (tf.constant(each[:, None]) for each in logits)
        with tf.GradientTape() as tape:
            tape.watch([real, fake])
            value = penalty.discriminator_term(real, fake, step=step)
        found["value"].append(value)
        found["ema_real"].append(penalty.real_average.numpy())
        found["ema_fake"].append(penalty.fake_average.numpy())
        for name, gradient in zip(
            ("real", "fake"), tape.gradient(value, [real, fake]), strict=True
        ):
            found[name].append(gradient[:, 0])
    for name in ("ema_real", "ema_fake"):
        key = f"{prefix}/{name}"
        assert_golden("modern penalties", key, found[name], golden[key], rtol=1e-6)
    key = f"{prefix}/penalty_applied_by_studiogan"
    assert_golden("modern penalties", key, found["value"], golden[key], rtol=1e-5)
    acts = (np.arange(len(inputs[0])) > penalty.start_step)[:, None]
    for name in ("real", "fake"):
        key = f"{prefix}/grad_{name}_logits"
        expected = golden[key] * acts  # Recorded with the term always active.
        assert_golden("modern penalties", key, found[name], expected, rtol=1e-5)


def test_published_settings_are_the_defaults():
    penalty = LeCam()
    assert (penalty.weight, penalty.decay, penalty.start_step) == (0.3, 0.99, 1000)


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: R1(gamma=-1), r"r1\.gamma must be at least 0, received -1"),
        (lambda: R1R2(gamma=-1), r"r1_r2\.gamma must be at least 0, received -1"),
        (lambda: R1(interval=0), r"r1\.interval must be a positive integer, received 0"),
        (lambda: LeCam(decay=1), r"lecam\.decay must be at least 0 and below 1, received 1"),
        (lambda: LeCam(start_step=-1), r"lecam\.start_step must be at least 0, received -1"),
        (lambda: LeCam(weight="a"), r"lecam\.weight must be a number, received 'a'"),
    ),
)
def test_values_out_of_range_are_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
