"""Decoding and resizing without TensorFlow, against TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from compare_gan.datasets import resizing, transforms
from compare_gan.datasets.decoding import decode
from compare_gan.errors import UserError

_MODES = {"1": (), "L": (), "LA": (2,), "I;16": (), "P": (3,), "RGB": (3,), "RGBA": (4,)}


def _image(mode, height=33, width=21, seed=0):
    rng = np.random.default_rng(seed)
    shape = [height, width, *_MODES[mode]]
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 2**16, shape).astype(np.uint16))
    if mode == "1":
        return Image.fromarray(rng.integers(0, 2, shape).astype(bool))
    pixels = rng.integers(0, 256, shape, np.uint8)
    pixels[:5] = pixels[:5, :1, ..., :1] if pixels.ndim == 3 else 7  # Gray ones among the colours.
    image = Image.fromarray(pixels)
    return image.quantize(17) if mode == "P" else image


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", _MODES)
def test_png_files_decode_to_the_pixels_of_tensorflow(tmp_path, mode, channels):
    path = str(tmp_path / "a.png")
    _image(mode).save(path)
    assert Image.open(path).mode == mode
    expected = tf.io.decode_image(tf.io.read_file(path), channels, expand_animations=False)
    np.testing.assert_array_equal(decode(path, (33, 21, channels), None), expected.numpy())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, dict(quality=95, subsampling=0), dict(progressive=True)])
def test_jpeg_files_decode_to_the_exact_pixels_of_tensorflow(tmp_path, mode, channels, options):
    """Which are not those that TensorFlow decodes by default."""
    path = str(tmp_path / "a.jpg")
    _image(mode).save(path, **options)
    expected = tf.io.decode_jpeg(
        tf.io.read_file(path), channels=channels, dct_method="INTEGER_ACCURATE"
    )
    np.testing.assert_array_equal(decode(path, (33, 21, channels), None), expected.numpy())


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(64, 64, 32), (37, 53, 16), (53, 37, 64), (200, 300, 64), (17, 17, 64), (100, 100, 99),
     (8, 6, 4), (1, 5, 3), (375, 500, 128), (64, 64, 64), (64, 65, 64)],
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_resized_images_are_those_of_tensorflow(height, width, size, channels):
    pixels = np.random.default_rng(height).integers(0, 256, [height, width, channels], np.uint8)
    expected = transforms.resize(tf.constant(pixels), size)
    np.testing.assert_array_equal(resizing.resize(pixels, size), expected.numpy())
    expected = transforms.middle_square(size)(tf.constant(pixels), None)
    np.testing.assert_array_equal(resizing.middle_square(pixels, size), expected.numpy())


def test_a_damaged_file_is_reported(tmp_path):
    path = tmp_path / "a.png"
    _image("RGB").save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"a\.png' cannot be decoded"):
        decode(str(path), (33, 21, 3), None)


def test_an_image_of_another_size_than_before_is_reported(tmp_path):
    path = str(tmp_path / "a.png")
    _image("RGB").save(path)
    with pytest.raises(UserError, match=r"a\.png' has changed: it is 21x33 now"):
        decode(path, (21, 33, 3), None)
