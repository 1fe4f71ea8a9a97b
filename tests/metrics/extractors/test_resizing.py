"""Resizers against TensorFlow's bicubic filter and clean-fid."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.metrics.extractors import resizing


def _images(height=40, width=24, channels=3):
    return np.random.default_rng(0).integers(0, 256, (3, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("size", [(99, 75), (16, 20), (40, 24)])
def test_clean_is_an_antialiased_bicubic(size):
    images = _images()
    expected = tf.image.resize(images, size, "bicubic", antialias=True).numpy()
    # Positions are float64 in Pillow and float32 in TensorFlow.
    np.testing.assert_allclose(resizing.clean(images, size), expected.clip(0, 255), atol=2e-2)


def test_clean_is_clipped_and_not_rounded():
    resized = resizing.clean(_images() // 128 * 255, (99, 75))
    assert resized.dtype == np.float32
    assert resized.min() == 0 and resized.max() == 255
    assert np.any(resized != np.round(resized))


def test_clean_equals_clean_fid():
    reference = pytest.importorskip("cleanfid.resize").build_resizer("clean")
    for images in (_images(32, 32), _images(500, 330)):
        expected = np.stack([reference(image) for image in images])
        np.testing.assert_array_equal(resizing.clean(images, (299, 299)), expected)


def test_channels():
    gray, colour = _images(channels=1), _images()
    np.testing.assert_array_equal(resizing.to_channels(gray, 3), np.repeat(gray, 3, axis=-1))
    luma = resizing.to_channels(colour, 1)
    np.testing.assert_allclose(luma[..., 0], colour @ [0.299, 0.587, 0.114], rtol=1e-5)
    assert resizing.to_channels(colour, 3) is colour
    with pytest.raises(UserError, match="needs images with 3 channels, received 4"):
        resizing.to_channels(_images(channels=4), 3)
