"""The U-Net discriminator: BigGAN's encoder, and a decoder that sees the maps of all sizes."""

import keras
import numpy as np
import pytest

from compare_gan.architectures import resnet_biggan, unet_biggan

X = np.random.RandomState(0).uniform(size=(2, 32, 32, 3)).astype(np.float32)
Y = np.eye(10, dtype=np.float32)[[2, 7]]


@pytest.fixture(scope="module")
def discriminator():
    keras.utils.set_random_seed(0)
    network = unet_biggan.Discriminator((32, 32, 3), ch=4)
    network((X, Y))
    for i, v in enumerate(network.trainable_variables):
        v.assign(0.1 * np.random.RandomState(i).normal(size=v.shape))
    return network


def test_the_encoder_is_that_of_biggan(discriminator):
    biggan = resnet_biggan.Discriminator((32, 32, 3), ch=4)
    biggan((X, Y))
    weights = {v.path: v for v in discriminator.variables}
    for v in biggan.variables:
        v.assign(weights[v.path])
    expected = biggan((X, Y))
    for found, value in zip(discriminator((X, Y)), expected, strict=True):
        np.testing.assert_array_equal(found, value)
    logits, _ = discriminator((X, Y), training=True)
    assert logits.shape == (2, 1 + 32 * 32)
    np.testing.assert_array_equal(logits[:, :1], expected[0])


def test_logits_of_pixels_are_by_rows_and_see_their_surroundings_most(discriminator):
    changed = X.copy()
    changed[:, 28:, :4] += 0.5  # The lower left corner.
    logits = [discriminator((x, Y), training=True)[0][:, 1:] for x in (X, changed)]
    change = np.abs(np.subtract(*logits)).reshape(2, 32, 32).mean(axis=0)
    corners = {
        (row, column): change[row : row + 6, column : column + 6].mean()
        for row in (0, 26)
        for column in (0, 26)
    }
    assert max(corners, key=corners.get) == (26, 0)


def test_widths_are_those_of_the_paper():
    discriminator = unet_biggan.Discriminator((128, 128, 3), ch=2)
    assert [block.in_channels for block in discriminator.decoder] == [32, 32, 16, 8, 4]
    assert [block.out_channels for block in discriminator.decoder] == [16, 8, 4, 2, 2]
