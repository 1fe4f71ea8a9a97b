"""R1 and LeCam against the authors' programs and closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.penalties import R1, LeCam


class _Discriminator:
    """The golden section's network: convolution, leaky ReLU, dense; in float64."""

    def __init__(self, golden):
        names = ("conv_kernel", "conv_bias", "fc_kernel", "fc_bias")
        arrays = (golden[f"penalty/in/{name}"].astype(np.float64) for name in names)
        self.variables = [tf.Variable(array) for array in arrays]

    def __call__(self, x):
        conv_kernel, conv_bias, fc_kernel, fc_bias = self.variables
        x = tf.nn.leaky_relu(tf.nn.conv2d(x, conv_kernel, 2, "SAME") + conv_bias, 0.2)
        return tf.reshape(x, [x.shape[0], -1]) @ fc_kernel + fc_bias


def test_r1_equals_that_of_the_authors(assert_golden, modern_golden):
    discriminator = _Discriminator(modern_golden)
    x = tf.constant(modern_golden["penalty/in/x"].astype(np.float64))
    with tf.GradientTape() as tape:
        value = R1().discriminator_term(discriminator, x)
    key = "penalty/r1/value"
    assert_golden("modern penalties", key, value, modern_golden[key], rtol=1e-6)
    gradients = tape.gradient(
        value, discriminator.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    for path, found in zip(
        ("c1/kernel", "c1/bias", "fc/kernel", "fc/bias"), gradients, strict=True
    ):
        key = f"penalty/r1/grad/{path}"
        assert_golden("modern penalties", key, found, modern_golden[key], rtol=1e-6)


def test_r1_on_images_in_0_1_is_four_times_that_in_pm1(modern_golden):
    discriminator = _Discriminator(modern_golden)
    x = tf.constant(modern_golden["penalty/in/x"].astype(np.float64))
    value = R1().discriminator_term(lambda x: discriminator((x + 1) / 2), 2 * x - 1)
    np.testing.assert_allclose(value, modern_golden["penalty/r1/value_wrt_pm1_images"], rtol=1e-6)
    np.testing.assert_allclose(4 * value, modern_golden["penalty/r1/value"], rtol=1e-6)


def test_the_default_of_gamma_is_stylegan2_adas_rule():
    """0.0002 · side² / batch size for images in [-1, 1], a quarter of it for [0, 1]."""
    x = np.zeros((32, 64, 64, 3))
    assert R1().weight_at(0, x) == pytest.approx(0.0002 * 64**2 / 32 / 4)
    assert R1().weight is None
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
        (lambda: R1(interval=0), r"r1\.interval must be a positive integer, received 0"),
        (lambda: LeCam(decay=1), r"lecam\.decay must be at least 0 and below 1, received 1"),
        (lambda: LeCam(start_step=-1), r"lecam\.start_step must be at least 0, received -1"),
        (lambda: LeCam(weight="a"), r"lecam\.weight must be a number, received 'a'"),
    ),
)
def test_values_out_of_range_are_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
