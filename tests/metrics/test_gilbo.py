"""GILBO of generators for which the best encoder of the family is known."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import tensorflow as tf

from compare_gan.datasets.latents import LatentDistribution
from compare_gan.errors import UserError
from compare_gan.metrics import Gilbo, gilbo
from compare_gan.sampling import Sampler

# With 20,000 images the estimate has a standard deviation of 0.006.
_SMALL = dict(steps=200, learning_rate=3e-3, num_samples=20_000, width=4)


def _images(values):
    """Makes constant images."""
    return 0.5 + 0.1 * tf.reshape(values, [-1, 1, 1, 1]) * tf.ones([1, 6, 6, 1])


def _projection(z, y):
    return _images((z[:, 0] + z[:, 1]) / np.sqrt(2))


@pytest.mark.slow  # `test_the_encoder_knows_the_class` has such a generator for one of its classes.
def test_a_linear_generator_of_normal_latents(make_sampler):
    # Given the mean, each coordinate keeps half of its variance: ½ log 2 nats each.
    value = gilbo(make_sampler(_projection, 2), **_SMALL)
    assert value == pytest.approx(np.log(2), abs=0.02)


@pytest.mark.slow
def test_a_generator_that_shows_the_sign_of_a_uniform_latent(make_sampler):
    sampler = make_sampler(lambda z, y: _images(tf.sign(z[:, 0])), 2, latents="uniform")
    # A Beta distribution has no edge in the middle, so the best one gains less than log 2.
    half = 0.5 + (np.arange(20_000) + 0.5) / 40_000
    best = scipy.optimize.minimize(
        lambda logs: -scipy.stats.beta.logpdf(half, *np.exp(logs)).mean(), [1.0, 0.0]
    )
    assert best.fun == pytest.approx(-0.535, abs=1e-3)
    assert gilbo(sampler, **_SMALL) == pytest.approx(-best.fun, abs=0.02)


def test_the_encoder_knows_the_class(make_sampler):
    # Images of class 1 hold no information; without the class, they look like projections of 0.
    sampler = make_sampler(
        lambda z, y: 0.5 + (_projection(z, y) - 0.5) * y[:, :1, None, None], 2, 2
    )
    assert gilbo(sampler, **_SMALL) == pytest.approx(np.log(2) / 2, abs=0.02)


def test_a_generator_that_ignores_the_latent(make_sampler):
    sampler = make_sampler(lambda z, y: _images(0 * z[:, 0]), 2, latents="uniform")
    # Noise in the encoder's training makes the bound slightly negative.
    assert gilbo(sampler, **_SMALL | {"steps": 50}) == pytest.approx(0.0, abs=0.02)


def test_the_metric_is_the_function_and_repeatable(make_sampler):
    metric = Gilbo(steps=5, batch_size=8, num_samples=30, width=2, seed=3)
    value = metric.value(make_sampler(_projection, 2))[""]
    assert value == gilbo(make_sampler(_projection, 2), **metric.options())


def _of_a_user(shape, seed):
    return tf.zeros(shape)


def test_latents_without_a_known_density(make_sampler):
    assert Gilbo().inapplicable_to_generator(make_sampler(None, 2)) is None
    sampler = Sampler(None, 2, (1, 1, 1), distribution=LatentDistribution(_of_a_user))
    assert "density" in Gilbo().inapplicable_to_generator(sampler)
    with pytest.raises(UserError, match="density of the generator's latents is not known"):
        gilbo(sampler)


def test_invalid_options_are_refused(make_sampler):
    with pytest.raises(UserError, match=r"gilbo\.steps must be a positive integer"):
        Gilbo(steps=0)
    with pytest.raises(UserError, match=r"gilbo\.learning_rate must be at least 0"):
        Gilbo(learning_rate=-1)
    with pytest.raises(UserError, match="is not finite"):
        gilbo(make_sampler(lambda z, y: _images(np.nan * z[:, 0]), 2), steps=1, width=2)
