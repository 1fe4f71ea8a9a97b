"""Styles: mixtures of two images, and truncation."""

import dataclasses

import keras
import numpy as np
import pytest

from compare_gan.architectures import dummy, stylegan2
from compare_gan.errors import UserError
from compare_gan.sampling import Sampler
from compare_gan.sampling.style_mixing import style_mixtures

_SHAPE, _Z_DIM = (8, 8, 1), 4


@pytest.fixture(name="sampler", scope="module")
def _sampler():
    keras.utils.set_random_seed(0)
    network = stylegan2.Generator(_SHAPE, ch=4, mapping_layers=2)
    network.build(((1, _Z_DIM), (1, 3)))
    network.mapping.average.assign(np.linspace(-1, 1, 4))
    return Sampler(network, z_dim=_Z_DIM, image_shape=_SHAPE, num_classes=3)


def _images(sampler, styles):
    images = np.clip(sampler.network.synthesize(styles), 0, 1)
    return np.round(255 * images).astype(int)


def test_mixtures_have_the_first_styles_of_their_row_and_the_others_of_their_column(sampler):
    truncated = dataclasses.replace(sampler, truncation=0.5)
    table = style_mixtures(truncated, rows=2, columns=3, layers=2, seed=1, classes=[0, 2])
    y = np.eye(3, dtype=np.float32)[[0, 2, 0, 2, 0]]
    styles = np.array(sampler.network.styles(sampler.draw_z(5, 1), y, truncation=0.5))
    # Up to one level, where compiled sums round differently.
    close = {"atol": 1, "rtol": 0}
    np.testing.assert_allclose(table[1:, 0].astype(int), _images(sampler, styles[:2]), **close)
    np.testing.assert_allclose(table[0, 1:].astype(int), _images(sampler, styles[2:]), **close)
    for i, j in np.ndindex(2, 3):
        mixed = np.concatenate([styles[i, :2], styles[2 + j, 2:]])[None]
        own = table[i + 1, j + 1].astype(int)
        np.testing.assert_allclose(own, _images(sampler, mixed)[0], **close)
    assert (table[0, 0] == 255).all()


def test_a_sampler_truncates_the_styles_in_place_of_the_latents(sampler):
    z, y = sampler.draw_z(2, 0), np.eye(3, dtype=np.float32)[:2]
    truncated = dataclasses.replace(sampler, truncation=0.5)
    np.testing.assert_array_equal(truncated.draw_z(2, 0), z)
    network = sampler.network
    average = np.array(network.mapping.average)
    w = average + 0.5 * (np.array(network.mapping(z, y)) - average)
    expected = network.synthesize(np.repeat(w[:, None], network.synthesis.num_styles, axis=1))
    np.testing.assert_allclose(truncated(z, y), expected, rtol=1e-5, atol=1e-6)
    assert truncated.marginal.support() == sampler.marginal.support()


def test_mistakes(sampler):
    with pytest.raises(UserError, match=r"with 4 styles need fewer coarse layers .* received 4\."):
        style_mixtures(sampler, 1, 1)
    other = dataclasses.replace(sampler, network=dummy.Generator(_SHAPE))
    with pytest.raises(UserError, match=r"need a generator with styles, .* received one of dummy"):
        style_mixtures(other, 1, 1)
