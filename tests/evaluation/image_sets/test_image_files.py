"""Image files: modes and broken files."""

import functools

import numpy as np
import pytest
from PIL import Image

from compare_gan.datasets import decoding
from compare_gan.datasets.image_headers import ImageError, look, look_at_all

_RNG = np.random.default_rng(0)
_GRAY = _RNG.integers(0, 256, (5, 7), dtype=np.uint8)
_RGB = _RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def _saved(tmp_path, image, name="a.png"):
    image.save(tmp_path / name)
    return functools.partial(open, tmp_path / name, "rb")


@pytest.mark.parametrize("ending", (".png", ".bmp", ".tif", ".ppm", ".webp"))
def test_lossless_color_is_read_exactly(tmp_path, ending):
    image = Image.fromarray(_RGB)
    options = {"lossless": True} if ending == ".webp" else {}
    image.save(tmp_path / f"a{ending}", **options)
    opened = functools.partial(open, tmp_path / f"a{ending}", "rb")
    assert look(opened).shape == (5, 7, 3)
    np.testing.assert_array_equal(decoding.decode(opened, 3), _RGB)


def test_gray_stays_gray_or_is_repeated(tmp_path):
    opened = _saved(tmp_path, Image.fromarray(_GRAY))
    assert look(opened, whole=True).shape == (5, 7, 1)
    np.testing.assert_array_equal(decoding.decode(opened, 1)[..., 0], _GRAY)
    np.testing.assert_array_equal(decoding.decode(opened, 3), np.stack([_GRAY] * 3, axis=-1))


def test_transparency_is_composited_over_white(tmp_path):
    alpha = np.full((5, 7, 1), 51, np.uint8)  # A fifth.
    opened = _saved(tmp_path, Image.fromarray(np.concatenate([_RGB, alpha], axis=-1)))
    np.testing.assert_array_equal(decoding.decode(opened, 3), np.round(_RGB / 5 + 255 * 4 / 5))


def test_sixteen_bits_are_reduced_to_the_upper_eight(tmp_path):
    opened = _saved(tmp_path, Image.fromarray(_GRAY.astype(np.uint16) * 256 + 255))
    np.testing.assert_array_equal(decoding.decode(opened, 1)[..., 0], _GRAY)


def test_black_and_white_and_palettes(tmp_path):
    bits = _saved(tmp_path, Image.fromarray(_GRAY).convert("1"), "bits.png")
    assert set(np.unique(decoding.decode(bits, 1))) == {0, 255}
    palette = Image.fromarray(_RGB).quantize(256)
    opened = _saved(tmp_path, palette, "palette.png")
    np.testing.assert_array_equal(decoding.decode(opened, 3), np.asarray(palette.convert("RGB")))


def test_a_cut_file_has_a_header_but_no_pixels(tmp_path):
    large = Image.fromarray(_RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for name in ("a.png", "a.jpg"):
        opened = _saved(tmp_path, large, name)
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        assert look(opened).shape == (64, 64, 3)
        with pytest.raises(ImageError):
            look(opened, whole=True)
        with pytest.raises(ImageError):
            decoding.decode(opened, 3)


@pytest.mark.parametrize("content", (b"", b"not an image"))
def test_a_file_that_is_not_an_image_is_reported(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    opened = functools.partial(open, tmp_path / "a.png", "rb")
    with pytest.raises(ImageError, match="no known format"):
        look(opened, whole=False)
    [found] = look_at_all([opened], whole=False)
    assert isinstance(found, ImageError)


def test_images_of_floats_are_refused(tmp_path):
    opened = _saved(tmp_path, Image.fromarray(_GRAY.astype(np.float32)), "a.tif")
    with pytest.raises(ImageError, match="mode F"):
        look(opened, whole=False)
