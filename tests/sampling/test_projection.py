"""Latents of given images: those that generated them are found again."""

import dataclasses

import numpy as np
import pytest

from compare_gan.datasets import InfoCodes
from compare_gan.datasets.latents import LatentDistribution, normal
from compare_gan.errors import UserError
from compare_gan.sampling import ProjectionOptions, Sampler, project


def _linear(inputs, training):
    return 0.5 + 0.1 * inputs[0][:, :, None, None]


def test_generated_images_and_their_classes_are_found_again(sampler):
    """Rounded pixels move the latents by 0.01: their spread over the smallest singular value.

    On average pixels differ by less than half a level.
    """
    z, labels = sampler.draw_z(3, 0), np.array([2, 0, 1])
    images = sampler.generate(z, labels)
    found = project(sampler, images, None, ProjectionOptions(steps=100, candidates=96))
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_allclose(found.z, z, atol=0.03)
    assert np.all(found.errors < 0.5 / 255)
    np.testing.assert_array_equal(found.images, sampler.generate(found.z, found.labels))


@pytest.mark.usefixtures("eagerly")
def test_every_class_has_a_candidate(sampler):
    images = sampler.generate(sampler.draw_z(1, 0), np.array([2]))
    assert project(sampler, images, None, ProjectionOptions(steps=1, candidates=2)).labels == [2]


@pytest.mark.usefixtures("eagerly")
def test_given_classes_are_kept(sampler):
    images = sampler.generate(sampler.draw_z(2, 0), np.array([0, 1]))
    options = ProjectionOptions(steps=2, candidates=8)
    assert project(sampler, images, ["bright", 0], options).labels.tolist() == [2, 0]


def test_the_likeliest_latent_is_found():
    """Images 0.5 + z / 10 and pixels with noise s: z = 0.1 r / (0.01 + s^2) for residues r.

    Features, twice the pixels, count four times their weight, as if there were less noise. At 2e-3,
    where 100 steps end; 200 come ten times as close.
    """
    sampler = Sampler(
        _linear,
        4,
        (4, 1, 1),
        distribution=LatentDistribution(normal),
        features=lambda images: 2 * images[:, :, 0, 0],
    )
    images = np.uint8([90, 120, 150, 128]).reshape(1, 4, 1, 1)
    options = ProjectionOptions(steps=100, rate=0.2, noise=0.1, feature_weight=2.0)
    residues = images.reshape(4) / 255.0 - 0.5
    expected = 0.1 * residues / (0.01 + 0.1**2 / (1 + 4 * 2.0))
    np.testing.assert_allclose(project(sampler, images, None, options).z[0], expected, atol=2e-3)


def test_uniform_latents_stay_in_their_interval():
    """At 2e-3, where 80 steps end."""
    sampler = Sampler(_linear, 4, (4, 1, 1), truncation=0.5)
    images = np.uint8([0, 255, 120, 128]).reshape(1, 4, 1, 1)
    found = project(sampler, images, None, ProjectionOptions(steps=80))
    expected = np.clip((images.reshape(4) / 255.0 - 0.5) / 0.1, -0.5, 0.5)
    np.testing.assert_allclose(found.z[0], expected, atol=2e-3)


def test_truncated_normal_latents_stay_in_their_interval():
    sampler = Sampler(_linear, 4, (4, 1, 1), distribution=LatentDistribution(normal, stddev=0.5))
    sampler = dataclasses.replace(sampler, truncation=0.5)
    images = np.uint8([0, 255, 0, 255]).reshape(1, 4, 1, 1)
    found = project(sampler, images, None, ProjectionOptions(steps=20, noise=0.0))
    assert np.array_equal(found.z[0], [-0.5, 0.5, -0.5, 0.5])


def test_codes_and_weights_of_missing_features_are_refused():
    sampler = Sampler(_linear, 4, (4, 1, 1), distribution=LatentDistribution(InfoCodes((2,), 1)))
    images = np.zeros([1, 4, 1, 1], np.uint8)
    with pytest.raises(UserError, match=r"A projection needs normal or uniform latents, .*info_co"):
        project(sampler, images)
    sampler = Sampler(_linear, 4, (4, 1, 1))
    with pytest.raises(UserError, match=r"feature_weight = 2 needs an extractor: set Sampler\.fe"):
        project(sampler, images, None, ProjectionOptions(feature_weight=2.0))


def test_images_of_another_shape_are_refused(sampler):
    with pytest.raises(UserError, match=r"must be uint8 \[n, 8, 8, 1\] as those of the generator"):
        project(sampler, np.zeros([2, 8, 8, 3], np.uint8))
    with pytest.raises(UserError, match="received float64"):
        project(sampler, np.zeros([2, 8, 8, 1]))
