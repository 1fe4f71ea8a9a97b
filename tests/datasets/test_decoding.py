"""Decoding and resizing against TensorFlow, and the rule for each kind of image."""

import functools
import io
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from compare_gan.datasets import resizing, transforms
from compare_gan.datasets.colours import parse_colour
from compare_gan.datasets.decoding import decode, file_at
from compare_gan.datasets.image_headers import Header, ImageError, look
from compare_gan.datasets.image_source import Preparation
from compare_gan.datasets.streams import decode_tensor
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


def test_transparency_that_tensorflow_ignores():
    """The exceptions that `decode_tensor` states."""
    palette = Image.new("P", (1, 1))
    palette.putpalette([255, 0, 0])
    for image, options, channels, pixel in (
        (palette, dict(transparency=0), 3, [255, 0, 0]),
        (Image.new("RGB", (1, 1), (9, 9, 9)), dict(transparency=(9, 9, 9)), 3, [9, 9, 9]),
        (Image.new("LA", (1, 1), (9, 0)), {}, 1, [9]),
        (Image.new("LA", (1, 1), (9, 0)), {}, 3, [255, 255, 255]),
    ):
        file = io.BytesIO()
        image.save(file, "PNG", **options)
        assert decode_tensor(tf.constant(file.getvalue()), channels).numpy().tolist() == [[pixel]]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", _MODES)
def test_png_files_decode_to_the_pixels_of_tensorflow(tmp_path, mode, channels):
    path = str(tmp_path / "a.png")
    _image(mode).save(path)
    # Pillow before 10.3 opens gray of 16 bits in another mode.
    assert Image.open(path).mode in (mode, "I" if mode == "I;16" else mode)
    content = tf.io.read_file(path)
    decoded = decode(file_at(path).open, channels)
    if channels == 3 or mode not in ("LA", "RGBA"):
        np.testing.assert_array_equal(decoded, decode_tensor(content, channels).numpy())
    if mode not in ("LA", "RGBA"):  # Of which TensorFlow drops transparency.
        expected = tf.io.decode_image(content, channels, expand_animations=False)
        np.testing.assert_array_equal(decoded, expected.numpy())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, dict(quality=95, subsampling=0), dict(progressive=True)])
def test_jpeg_files_decode_to_the_exact_pixels_of_tensorflow(tmp_path, mode, channels, options):
    """Which are not those that TensorFlow decodes by default."""
    path = str(tmp_path / "a.jpg")
    _image(mode).save(path, **options)
    content = tf.io.read_file(path)
    expected = tf.io.decode_jpeg(content, channels=channels, dct_method="INTEGER_ACCURATE")
    decoded = decode(file_at(path).open, channels)
    np.testing.assert_array_equal(decoded, expected.numpy())
    np.testing.assert_array_equal(decoded, decode_tensor(content, channels).numpy())


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
    square = resizing.middle_square(pixels)
    np.testing.assert_array_equal(resizing.resize(square, size), expected.numpy())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resample", ["bicubic", "lanczos", "box"])
def test_other_filters_are_antialiased(resample, channels):
    """A pattern of single pixels becomes its mean, where a filter of few pixels aliases."""
    pixels = np.zeros([32, 32, channels], np.uint8)
    pixels[::2, ::2] = 200
    resized = resizing.resize(pixels, 8, resample)
    assert resized.shape == (8, 8, channels) and resized.dtype == np.uint8
    np.testing.assert_allclose(resized[2:-2, 2:-2], 50, atol=2)
    noise = np.random.default_rng(0).integers(0, 256, [9, 9, channels], np.uint8)
    assert (resizing.resize(noise, 4, resample) != resizing.resize(noise, 4)).any()


def test_a_damaged_file_is_reported(tmp_path):
    path = tmp_path / "a.png"
    _image("RGB").save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"a\.png' cannot be decoded"):
        Preparation((33, 21, 3)).read(file_at(str(path)))


def test_an_image_of_another_size_than_before_is_reported(tmp_path):
    path = str(tmp_path / "a.png")
    _image("RGB").save(path)
    with pytest.raises(UserError, match=r"a\.png' has changed: it is 21x33 now"):
        Preparation((21, 33, 3)).read(file_at(path))


_RNG = np.random.default_rng(1)
_RGBA = _RNG.integers(0, 256, (5, 7, 4), np.uint8)
_RGBA[0, :, 3] = 0
_RGBA[1, :, 3] = 255


def _opens(image, kind="PNG", **options):
    """A function that opens the image as a file of this format."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return functools.partial(io.BytesIO, file.getvalue())


def _over(rgba, background):
    """The definition of compositing, rounded to the nearest level; there are no ties."""
    alpha = rgba[..., -1:] / 255
    return np.round(rgba[..., :-1] * alpha + np.array(background) * (1 - alpha)).astype(np.uint8)


@pytest.mark.parametrize("background", ["white", "black", "#ff8000"])
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", dict(lossless=True, exact=True))]
)
def test_transparent_images_are_composited_over_the_background(kind, options, background):
    colour = parse_colour("background", background)
    opened = _opens(Image.fromarray(_RGBA), kind, **options)
    assert look(opened) == Header(5, 7, 3, transparent=True)
    np.testing.assert_array_equal(decode(opened, 3, colour), _over(_RGBA, colour))


def test_transparent_gray_stays_gray_over_a_gray_background_only():
    image = _opens(Image.fromarray(_RGBA[..., 2:]))
    assert look(image) == Header(5, 7, 1, transparent=True)
    np.testing.assert_array_equal(decode(image, 1), _over(_RGBA[..., 2:], 255))
    repeated = np.concatenate([_RGBA[..., [2, 2, 2]], _RGBA[..., 3:]], axis=-1)
    orange = parse_colour("background", "orange")
    assert look(image, background=orange).shape == (5, 7, 3)
    np.testing.assert_array_equal(decode(image, 3, orange), _over(repeated, orange))


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "P", "RGB"])
def test_a_transparent_colour_is_the_background(mode):
    image = _image(mode)
    transparent = image.getpixel((0, 0))
    if mode == "I;16":  # Pillow before 10.3 does not write the transparent colour of this mode.
        content, chunk = _opens(image)().getvalue(), b"tRNS" + transparent.to_bytes(2, "big")
        chunk = (2).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        opened = functools.partial(io.BytesIO, content[:33] + chunk + content[33:])  # After IHDR.
    else:
        image.info["transparency"] = transparent
        opened = _opens(image)
    header = look(opened)
    assert header.transparent
    opaque = decode(_opens(_image(mode)), header.channels)
    seen = decode(opened, header.channels)
    stored = np.asarray(image)
    hidden = stored == stored[0, 0]
    hidden = hidden.all(-1) if mode == "RGB" else hidden
    assert hidden.any() and not hidden.all() and (seen[hidden] == 255).all()
    np.testing.assert_array_equal(seen[~hidden], opaque[~hidden])


def test_a_palette_with_alpha_is_composited():
    image = Image.fromarray(_RGBA).quantize(20)
    opened = _opens(image)
    assert Image.open(opened()).mode == "P" and look(opened) == Header(5, 7, 3, transparent=True)
    np.testing.assert_array_equal(
        decode(opened, 3), _over(np.asarray(image.convert("RGBA")), (255, 255, 255))
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_images_are_upright(kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    opened = _opens(Image.fromarray(_RGBA[..., :3]), kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(opened())).convert("RGB"))
    np.testing.assert_array_equal(decode(opened, 3), expected)
    assert look(opened).shape == expected.shape


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_does_not_matter():
    image = Image.fromarray(_RGBA[..., :3])
    opened = _opens(image, exif=b"Exif\0\0II*\0garbage")
    np.testing.assert_array_equal(decode(opened, 3), np.asarray(image))


def test_sixteen_bits_are_reduced_to_the_upper_eight():
    values = _RNG.integers(0, 2**16, (5, 7)).astype(np.uint16)
    files = [_opens(Image.fromarray(values), kind) for kind in ("PNG", "TIFF")]
    pgm = b"P5 7 5 65535\n" + values.astype(">u2").tobytes()
    for opened in (*files, functools.partial(io.BytesIO, pgm)):
        assert look(opened) == Header(5, 7, 1)
        np.testing.assert_array_equal(decode(opened, 1)[..., 0], values >> 8)


def test_sixteen_bits_in_colour_are_reduced_to_the_upper_eight(tmp_path):
    values = _RNG.integers(0, 2**16, (5, 7, 3)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(tf.io.encode_png(values).numpy())
    decoded = decode(file_at(str(tmp_path / "a.png")).open, 3)
    np.testing.assert_array_equal(decoded, values >> 8)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(kind):
    colour = Image.new("RGB", (8, 8), (200, 100, 50)).convert("CMYK")
    opened = _opens(colour, kind)
    assert Image.open(opened()).mode == "CMYK" and look(opened) == Header(8, 8, 3)
    # JPEG loses some levels.
    np.testing.assert_allclose(decode(opened, 3)[4, 4], (200, 100, 50), atol=3)


@pytest.mark.parametrize("mode", ["LAB", "F", "I"])
def test_images_without_a_rule_are_refused(mode):
    opened = _opens(Image.new(mode, (4, 4)), "TIFF")
    for read in (look, functools.partial(decode, channels=3)):
        with pytest.raises(ImageError, match=f"images of mode {mode} are not supported"):
            read(opened)


def test_the_first_frame_of_an_animation_is_used():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for kind, options in (("GIF", {}), ("PNG", {}), ("TIFF", {}), ("WEBP", dict(lossless=True))):
        opened = _opens(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert (decode(opened, 3) == (255, 0, 0)).all(), kind


@pytest.mark.parametrize("text", ["whitish", "#12", "", None, 3, (1, 2), "#ff000080"])
def test_a_background_that_is_no_colour_is_refused(text):
    with pytest.raises(UserError, match=r"dataset\.background must be the name of a colour"):
        parse_colour("dataset.background", text)
