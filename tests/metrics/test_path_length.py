"""Perceptual path length of generators with paths in closed form."""

import types

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.metrics import PerceptualPathLength, lerp, path_distances, slerp, trimmed_mean

_SCALES = np.float32([0.1, 0.3, 0.2, 0.4])


def _images(z, y):
    """Maps latents linearly to images [n, 2, 2, 1]."""
    scaled = z * _SCALES if y is None else z * _SCALES * (1 + y[:, 1:])
    return tf.reshape(scaled, [-1, 2, 2, 1])


def _pixels(images):
    return tf.reshape(images, [-1, 4])


def _ends(sampler, num):
    """Returns the latents at the ends of the paths of `path_distances`."""
    return sampler.latents(num, 0).astype(float), sampler.latents(num, 1).astype(float)


# Float32 rounds z and pixels by 1e-8; steps are about 1e-5.
_ROUNDING = 5e-3


@pytest.mark.parametrize("num_classes", [None, 2])
def test_along_lines(make_sampler, num_classes):
    sampler = make_sampler(_images, 4, num_classes, "uniform", features=_pixels)
    distances = path_distances(sampler, num_samples=50, interpolation="lerp", batch_size=8)
    z0, z1 = _ends(sampler, 50)
    expected = np.sum(((z1 - z0) * _SCALES) ** 2, axis=1)
    if num_classes:
        expected[1::2] *= 4
    np.testing.assert_allclose(distances, expected, rtol=_ROUNDING)


def test_along_arcs(make_sampler):
    sampler = make_sampler(lambda z, y: tf.reshape(0.1 * z, [-1, 2, 2, 1]), 4, features=_pixels)
    distances = path_distances(sampler, num_samples=50)
    z0, z1 = _ends(sampler, 50)
    length0, length1 = np.linalg.norm(z0, axis=1), np.linalg.norm(z1, axis=1)
    angle = np.arccos(np.sum(z0 * z1, axis=1) / (length0 * length1))
    t = np.random.default_rng(0).uniform(size=50)
    length = length0 + t * (length1 - length0)
    # In polar coordinates: speed along the radius, and radius times angular speed.
    expected = 0.1**2 * ((length1 - length0) ** 2 + (length * angle) ** 2)
    np.testing.assert_allclose(distances, expected, rtol=_ROUNDING)


def test_paths_between_latents():
    rng = np.random.default_rng(0)
    z0, z1 = rng.normal(size=[2, 6, 3])
    for between in (lerp, slerp):
        np.testing.assert_allclose(between(z0, z1, np.zeros(6)), z0, rtol=1e-12)
        np.testing.assert_allclose(between(z0, z1, np.ones(6)), z1, rtol=1e-12)
    quarter = slerp([[2.0, 0.0]], [[0.0, 2.0]], [1 / 3])
    np.testing.assert_allclose(quarter, [[np.sqrt(3), 1.0]], rtol=1e-12)
    same = slerp(z0, 2 * z0, np.full(6, 0.5))
    np.testing.assert_allclose(same, 1.5 * z0, rtol=1e-12)


def test_the_ends_are_trimmed():
    distances = np.random.default_rng(0).permutation(np.arange(1000.0) ** 2)
    # NumPy: the 1st percentile is at 9.99 and the 99th at 989.01 of 0 ... 999.
    assert trimmed_mean(distances) == pytest.approx(np.mean(np.arange(9.0, 991.0) ** 2), rel=1e-12)
    assert trimmed_mean([3.0]) == 3.0


@pytest.mark.parametrize(("latents", "usual"), [("uniform", "lerp"), ("normal", "slerp")])
def test_the_metric(make_sampler, latents, usual):
    sampler = make_sampler(_images, 4, latents=latents, features=_pixels, seed=2)
    values = {
        name: PerceptualPathLength(200, 1e-3, name).value(sampler)[""]
        for name in (None, "slerp", "lerp")
    }
    assert values[None] == values[usual] != values["lerp" if usual == "slerp" else "slerp"]
    distances = path_distances(sampler, num_samples=200, epsilon=1e-3, interpolation=usual)
    # The batch sizes differ.
    assert values[None] == pytest.approx(trimmed_mean(distances), rel=1e-4)


def test_invalid_options_are_refused(make_sampler):
    with pytest.raises(UserError, match=r"Unknown ppl\.interpolation 'slurp'"):
        PerceptualPathLength(interpolation="slurp")
    with pytest.raises(UserError, match=r"ppl\.epsilon must be between"):
        PerceptualPathLength(epsilon=0.0)
    sampler = make_sampler(_images, 4, features=lambda images: np.nan * _pixels(images))
    extractor = types.SimpleNamespace(name="x", takes_floats=False)
    assert "'x' takes only" in PerceptualPathLength().inapplicable(extractor, None)
    with pytest.raises(UserError, match="must be finite"):
        PerceptualPathLength(5).value(sampler)
