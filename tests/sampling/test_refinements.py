"""Latents chosen by the discriminator: recorded numbers, known densities, independent samples."""

import dataclasses
import pathlib
import types

import numpy as np
import pytest
from keras import ops

from compare_gan.datasets import ArraySource, Dataset, get_dataset
from compare_gan.datasets.dataset import InferredLabels
from compare_gan.datasets.latents import LatentDistribution, normal, uniform
from compare_gan.errors import UserError
from compare_gan.sampling import Draws, HeldOutImages, Sampler
from compare_gan.sampling.refinements import (
    LangevinSampling,
    MetropolisHastings,
    RejectionSampling,
    calibrated_slope,
)
from compare_gan.sampling.refinements.base import Judge

NORMAL = LatentDistribution(normal)
pytestmark = pytest.mark.usefixtures("eagerly")


@pytest.fixture(name="golden", scope="module")
def _golden():
    path = pathlib.Path(__file__).parents[1] / "data" / "sampling_golden.npz"
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("case", ("percentile0.8_eps1e-08", "percentile80_eps1e-08"))
def test_acceptance_is_that_of_the_authors(assert_golden, golden, case):
    """At 1e-7, which the largest F allows: it is the logarithm of 1e-8."""
    ratios = RejectionSampling().ratios(golden["drs/in/logits"], float(golden["drs/max_logit"]))
    assert_golden("sampling", f"F/{case}", ratios, golden[f"drs/{case}/F"], rtol=1e-7)
    gamma = np.percentile(ratios, float(case.removeprefix("percentile").split("_")[0]))
    assert_golden("sampling", f"gamma/{case}", gamma, golden[f"drs/{case}/gamma"], rtol=1e-7)
    accepted = 1 / (1 + np.exp(gamma - ratios))
    assert_golden("sampling", case, accepted, golden[f"drs/{case}/acceptance"], rtol=1e-7)


def _golden_sampler(golden):
    weights = {
        name.removeprefix("latent/weights/"): ops.convert_to_tensor(value)
        for name, value in golden.items()
        if name.startswith("latent/weights/")
    }

    def generator(inputs, training):
        h = inputs[0] @ weights["generator/fc/kernel"] + weights["generator/fc/bias"]
        return ops.reshape((ops.tanh(h) + 1) / 2, (-1, 8, 8, 3))

    def discriminator(x, y):
        h = ops.conv(x, weights["discriminator/c1/kernel"], strides=2, padding="same")
        h = ops.leaky_relu(h + weights["discriminator/c1/bias"], 0.2)
        h = ops.reshape(h, (ops.shape(h)[0], -1))
        return h @ weights["discriminator/fc/kernel"] + weights["discriminator/fc/bias"]

    return Sampler(generator, 4, (8, 8, 3), distribution=NORMAL, logits=discriminator)


def test_langevin_steps_are_those_of_the_authors(assert_golden, golden):
    """At 1e-5: networks here compute in float32. The authors' noise is a variance."""
    sampler = _golden_sampler(golden)
    judge, z = Judge(sampler), golden["latent/in/z"]
    assert_golden("sampling", "logits", judge.logits(z, None), golden["latent/logits_on_z"])
    assert_golden("sampling", "slopes", judge.slopes(z, None), golden["latent/dlogit_dz"])
    draws = types.SimpleNamespace(
        latents=lambda number: golden["latent/in/z0"],
        normal=lambda number: golden["latent/in/langevin_noise"][number],
    )
    for steps in (1, 6):
        refinement = LangevinSampling(steps, rate=0.1, noise=np.sqrt(0.1))
        found = refinement.refine(judge, draws, None)
        expected = golden[f"latent/ddls/r0.1_s0.1/z_after_{steps}"]
        assert_golden("sampling", f"ddls/{steps}", found, expected)


def _identity(logit, **options):
    """Images of one pixel that equals the latent, judged by a function of the pixel."""
    return Sampler(
        lambda inputs, training: inputs[0][:, :, None, None],
        1,
        (1, 1, 1),
        logits=lambda x, y: logit(x[:, 0, 0]),
        **options,
    )


def _refined(sampler, refinement, count):
    return dataclasses.replace(sampler, refinement=refinement).draw_latents(count, seed=0)[:, 0]


def test_chains_follow_the_density_of_the_discriminator():
    """Uniform latents with density ratio 1 + z have the mean 1/3 and variance 2/9.

    Three standard errors of 1,000 samples.
    """
    sampler = _identity(lambda x: ops.log(1 + x))
    z = _refined(sampler, MetropolisHastings(steps=10, slope=1), 1000)
    assert np.mean(z) == pytest.approx(1 / 3, abs=0.045)
    # A slope of 0 ignores the logits, and takes every new sample.
    z = _refined(sampler, MetropolisHastings(steps=1, slope=0.0), 1000)
    assert np.mean(z) == pytest.approx(0.0, abs=0.055)


def _with_images(sampler, density_ratio):
    """Held-out images of one pixel with a density ratio to uniform ones in [-1, 1] of at most 2."""
    random = np.random.default_rng(0)
    pixels = random.uniform(-1, 1, 20_000).astype(np.float32)
    pixels = pixels[2 * random.random(20_000) < density_ratio(pixels)][:5000]
    images, labels = pixels[:, None, None, None], np.zeros(5000, np.int32)
    splits = {"train": (images[:1], labels[:1]), "test": (images, labels)}
    source = ArraySource.from_arrays(splits, eval_split="test")
    held_out = HeldOutImages(Dataset("pixels", source), sampler.num_classes)
    return dataclasses.replace(sampler, held_out=held_out)


def test_a_miscalibrated_discriminator_is_calibrated_on_held_out_images():
    """Chains reach the mean 1/3 of the density ratio 1 + z; the logit is three times its logarithm.

    The logit as it is has the density ratio (1 + z)³, with the mean 3/5. Three standard errors of
    1,000 samples, and for the slope, whose standard error is 0.03 of it, 0.01 more.
    """
    sampler = _with_images(_identity(lambda x: 3 * ops.log(1 + x)), lambda z: 1 + z)
    z = _refined(sampler, MetropolisHastings(steps=10), 1000)
    assert np.mean(z) == pytest.approx(1 / 3, abs=0.055)
    z = _refined(sampler, MetropolisHastings(steps=20, slope=1), 1000)
    assert np.mean(z) == pytest.approx(3 / 5, abs=0.045)


def test_a_discriminator_that_is_wrong_accepts_every_sample(caplog):
    sampler = _with_images(_identity(lambda x: -x), lambda z: 1 + z)
    assert np.mean(_refined(sampler, MetropolisHastings(steps=2), 1000)) == pytest.approx(
        0, abs=0.055
    )
    assert "the calibrated slope is 0, and all new samples are accepted" in caplog.text


def test_labels_of_held_out_images_are_given_to_the_discriminator(sampler):
    images = np.linspace(0, 1, 6, dtype=np.float32)[:, None, None, None] * np.ones([1, 8, 8, 1])
    labels = np.array([0, 1, 2, -1, 1, 0], np.int32)
    splits = {"train": (images, labels), "test": ((255 * images).astype(np.uint8), labels)}
    source = ArraySource.from_arrays(splits, eval_split="test", num_classes=3)
    sampler = dataclasses.replace(
        sampler,
        logits=lambda x, y: ops.mean(x, axis=(1, 2)) + 10 * y[:, 1:2],
        held_out=HeldOutImages(Dataset("six", source), 3),
    )
    found = Judge(sampler).held_out_logits(6)
    expected = [0, 10.2, 0.4, 10.8, 1.0]  # Not the one without a label.
    np.testing.assert_allclose(np.sort(found), np.sort(expected), atol=1 / 255)


def test_calibration_without_held_out_images_is_refused():
    packaged = get_dataset("fashion_mnist_10k")
    other = get_dataset("synthetic", num_examples=10, image_size=8, num_classes=5)
    clusters = dataclasses.replace(other, inferred=InferredLabels(num_clusters=3))
    for held_out, reason in (
        (None, "none are at hand"),
        (HeldOutImages(packaged, None), "the data set 'fashion_mnist_10k' has no split besides"),
        (
            HeldOutImages(other, 3),
            "the discriminator has 3 classes, the data set 'synthetic' 5",
        ),
        (HeldOutImages(clusters, 3), "the discriminator's labels are clusters"),
    ):
        with pytest.raises(UserError, match=f"trained on, but {reason}.*: set .*slope = 1"):
            MetropolisHastings().check(held_out)
        MetropolisHastings(slope=1).check(held_out)
    MetropolisHastings().check(HeldOutImages(other, None))


def test_langevin_sampling_follows_its_energy():
    """A logit 2z under normal latents gives normal ones of mean 2; as above, 128 samples.

    The discretization at rate 0.3 makes the variance 1 / (1 - 0.3 / 4).
    """
    sampler = _identity(lambda x: 2 * x, distribution=NORMAL)
    z = _refined(sampler, LangevinSampling(steps=25, rate=0.3, noise=1.0), 128)
    assert np.mean(z) == pytest.approx(2.0, abs=0.3)
    assert np.var(z) == pytest.approx(1 / 0.925, abs=0.4)


def test_uniform_latents_stay_in_their_interval():
    sampler = _identity(lambda x: 50 * x, truncation=0.5)
    assert np.all(_refined(sampler, LangevinSampling(steps=3, rate=0.1), 5) == 0.5)


def test_truncated_styles_leave_latents_alone():
    def network(inputs, training, truncation):
        assert truncation == 0.5
        return inputs[0][:, :, None, None]

    sampler = dataclasses.replace(
        _identity(lambda x: x, truncation=0.5, distribution=NORMAL), network=network
    )
    z = _refined(sampler, LangevinSampling(steps=1, rate=1e-4, noise=0.0), 50)
    np.testing.assert_allclose(z, sampler.draw_z(50, 0)[:, 0], atol=1e-3)  # The step's length.
    assert np.abs(z).max() > 1


def test_rejection_accepts_the_better_half():
    """With a logit that jumps by 60, the lower samples have a chance of exp(-78)."""
    sampler = _identity(lambda x: 30 * ops.sign(x))
    z = _refined(sampler, RejectionSampling(percentile=90.0, burn_in=200), 100)
    assert np.all(z > 0)


def test_samples_that_are_always_rejected_are_reported(caplog):
    sampler = _identity(lambda x: 30 * ops.sign(x - 0.9))
    refinement = RejectionSampling(percentile=100.0, burn_in=200, most_rounds=2)
    assert len(_refined(sampler, refinement, 20)) == 20
    assert "of 20 samples were rejected 2 times and are taken nevertheless" in caplog.text


@pytest.mark.parametrize(
    "refinement",
    (
        RejectionSampling(percentile=60.0, burn_in=100),
        LangevinSampling(steps=2, rate=0.1, noise=1.0),
        MetropolisHastings(steps=2, slope=0.5),
    ),
    ids=lambda refinement: refinement.name,
)
def test_a_sample_does_not_depend_on_others(sampler, refinement):
    sampler = dataclasses.replace(
        sampler,
        refinement=refinement,
        logits=lambda x, y: ops.mean(x, axis=(1, 2)) + ops.sum(y, axis=1, keepdims=True),
    )
    labels = np.arange(70) % 3
    whole = sampler.draw_latents(70, 5, labels)
    assert whole.shape == (70, 4) and not np.array_equal(whole, sampler.draw_z(70, 5))
    rows = [66, 2, 40]
    some = sampler.draw_latents(70, 5, labels[rows], rows)
    np.testing.assert_allclose(some, whole[rows], rtol=1e-5, atol=1e-6)


def test_a_round_draws_few_samples_beside_those_that_are_refined():
    drawn = []

    def counted(shape, seed):
        drawn.append(shape[0])
        return uniform(shape, seed)

    sampler = _identity(lambda x: x, distribution=LatentDistribution(counted))
    draws = Draws(sampler, 7, 100_000, np.array([99_999, 3, 4]))
    np.testing.assert_array_equal(draws.latents(0), sampler.draw_z(100_000, 7)[[99_999, 3, 4]])
    del drawn[:]
    for draw in (draws.latents, draws.normal, draws.uniform):
        first, other = draw(1), draw(2)
        assert len(np.unique([*first, *other])) == 6  # None of them twice.
    assert sum(drawn) < 2000
    np.testing.assert_array_equal(draws.of([2, 0]).latents(1), draws.latents(1)[[2, 0]])


def test_the_slope_is_that_of_logistic_regression():
    """Against scikit-learn without regularization and with equal weights of both classes."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    real, fake = random.normal(1.0, 2.0, 300), random.normal(-0.5, 1.0, 200)
    model = LogisticRegression(C=1e10, class_weight="balanced")
    model.fit(np.append(real, fake)[:, None], np.repeat([1, 0], [300, 200]))
    assert calibrated_slope(real, fake) == pytest.approx(model.coef_[0, 0], rel=1e-3)
    assert calibrated_slope(fake, real) == 0.0


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: RejectionSampling(percentile=101.0), "drs.percentile must be between 0 and 100"),
        (lambda: LangevinSampling(steps=0), "ddls.steps must be a positive integer"),
        (lambda: MetropolisHastings(slope=-1.0), "metropolis_hastings.slope must be at least 0"),
        (
            lambda: MetropolisHastings(slope="calibrate"),
            "or 'calibrated', received 'calibrate'. Did",
        ),
    ),
)
def test_options_out_of_range_are_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()


def test_a_sampler_without_discriminator_is_refused(sampler):
    with pytest.raises(UserError, match="refined by the discriminator: this sampler has none"):
        dataclasses.replace(sampler, refinement=MetropolisHastings()).sample(3)


def test_latents_of_unknown_density_are_refused():
    def other(shape, seed):
        return np.zeros(shape, np.float32)

    sampler = _identity(lambda x: x, distribution=LatentDistribution(other))
    with pytest.raises(UserError, match=r"ddls needs normal or uniform latents.* other\(\)"):
        _refined(sampler, LangevinSampling(), 3)
