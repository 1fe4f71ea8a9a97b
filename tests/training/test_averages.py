"""Rules of averages against the numbers of their authors' programs, and the options for them."""

import pathlib

import gin
import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.training.averages import Decay, HalfLife, Power
from compare_gan.training.optimization import OptimizationOptions


@pytest.fixture(name="golden", scope="module")
def _golden():
    path = pathlib.Path(__file__).parents[1] / "data" / "averages_golden.npz"
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _shares(average, steps):
    shares = np.asarray(average.share(np.asarray(steps)), np.float64)
    return np.broadcast_to(shares, np.shape(steps))


def _tracked(average, start, values):
    """The average of numbers, one for each step, that begins with `start`."""
    course = []
    for step, value in enumerate(values):
        start = start + float(average.share(step)) * (value - start)
        course.append(start)
    return course


@pytest.mark.parametrize("case", ("kimg10_ramp0.05_b32", "kimg20_norampup_b64"))
def test_decay_of_a_half_life_is_that_of_the_authors(assert_golden, golden, case):
    """At 1e-5, as shares are float32."""
    kimg, rampup, batch = golden[f"ema/stylegan2_{case}/kimg_rampup_batch"]
    average = HalfLife(1000.0 * kimg, int(batch), None if rampup < 0 else rampup)
    shares = _shares(average, golden[f"ema/stylegan2_{case}/steps_before"])
    assert_golden("averages", case, 1 - shares, golden[f"ema/stylegan2_{case}/beta"])
    # Relative to each share, which a decay near 1 would not show.
    np.testing.assert_allclose(shares, 1 - golden[f"ema/stylegan2_{case}/beta"], rtol=1e-5)


def test_a_half_life_may_follow_a_schedule():
    average = HalfLife(lambda step: 100.0 * step, batch_size=50)
    np.testing.assert_allclose(_shares(average, [0, 1, 2]), [1, 1 - 0.5**0.5, 1 - 0.5**0.25])


def test_power_functions_are_those_of_the_authors(assert_golden, golden):
    batch, images = int(golden["phema/batch"]), golden["phema/nimg_after_step"]
    for i, length in enumerate(golden["phema/std"]):
        power, expected = Power(length), golden["phema/beta"][i]
        assert_golden("averages", "exponent", power.exponent, golden["phema/exponent_of_std"][i])
        shares = _shares(power, images // batch - 1)
        # float32 counts steps and takes the logarithm: 1e-5 for each share.
        np.testing.assert_allclose(shares, 1 - expected, rtol=1e-5)
        start, *values = golden["phema/track/values"]
        course = _tracked(power, start, values)
        assert_golden("averages", "power", course, golden["phema/track/ema_after_step"][i])


def test_the_profile_of_a_power_function_has_its_length():
    """The mean and spread of the ages of the weights, in closed form for a long training."""
    steps = 4000
    shares = np.asarray(Power(0.1).share(np.arange(steps)), np.float64)
    kept = np.cumprod(1 - shares[::-1])[::-1]  # Of the average after a step, until the end.
    weights = shares * np.append(kept[1:], 1.0)
    time = (np.arange(steps) + 0.5) / steps
    mean = np.sum(weights * time)
    # A sum over 4,000 steps for the integral: 2e-7; the shares are in float32.
    assert np.sqrt(np.sum(weights * (time - mean) ** 2)) == pytest.approx(0.1, rel=5e-6)


def test_shares_of_a_decay_are_as_before():
    assert Decay(0.999).share(5) == 1.0 - 0.999


def test_several_averages_are_updated_at_once(tiny):
    """Three steps against NumPy; names are those in checkpoints."""
    gin.parse_config("""
        options.gan_class = @ModularGAN
        ModularGAN.g_use_ema = True
        ModularGAN.ema_half_life = 16
        ModularGAN.ema_rampup = 1.0
        ModularGAN.ema_other_half_lives = (40,)
        ModularGAN.ema_lengths = (0.05, 0.1)
    """)
    state = tiny.make_state()
    names = ["ema", "averages/half_life_40", "averages/length_0.05", "averages/length_0.1"]
    assert list(state.averages) == names
    rules = HalfLife(16, 8, 1.0), HalfLife(40, 8, 1.0), Power(0.05), Power(0.1)
    variable, values = state.gan.generator_variables[0], [1.0, 4.0, 2.0]
    for step, value in enumerate(values):
        variable.assign(np.full(variable.shape, value))
        state.step.assign(step)
        state.update_ema()
    for name, rule in zip(names, rules, strict=True):
        expected = np.full(variable.shape, _tracked(rule, 0.0, values)[-1])
        np.testing.assert_allclose(state.averages[name][0].numpy(), expected, rtol=1e-5)
        assert [key for key in state.variables() if key.startswith(f"{name}/")]


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({"ema_half_life": -1.0}, "ema_half_life must be at least 0, received -1.0"),
        ({"ema_rampup": 0.05}, "ema_rampup limits half-lives: it needs MyGAN.ema_half_life"),
        ({"ema_lengths": (0.05, 0.3)}, "ema_lengths must be between 0.001 and 0.28"),
        ({"ema_lengths": 0.05}, "ema_lengths must be a list of numbers, received 0.05"),
        ({"ema_other_half_lives": (5, 5)}, "ema_other_half_lives must be different numbers"),
        ({"ema_half_life": 1e5}, r"ema_half_life needs MyGAN.g_use_ema = True"),
        ({"ema_lengths": (0.1,)}, r"ema_lengths needs MyGAN.g_use_ema = True"),
    ),
)
def test_options_that_make_no_sense_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        OptimizationOptions(scope="MyGAN", **options)


def test_a_half_life_needs_the_size_of_a_batch():
    with pytest.raises(UserError, match="needs the size of a batch"):
        OptimizationOptions(g_use_ema=True, ema_half_life=1e5).averages()
