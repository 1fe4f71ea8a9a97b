"""Pictures on a page: pixels, sizes, frames."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from compare_gan.report import images


@pytest.fixture(name="rng")
def _rng():
    return np.random.default_rng(0)


def _opened(uri):
    head, _, data = uri.partition(",")
    return head, Image.open(io.BytesIO(base64.b64decode(data)))


def _source(html):
    return re.search(r'src="([^"]+)"', html)[1]


def test_small_pictures_keep_every_pixel(rng):
    for channels in (1, 2, 3, 4):
        pixels = rng.integers(0, 256, (5, 7, channels), dtype=np.uint8)
        head, image = _opened(images.data_uri(pixels))
        assert head == "data:image/png;base64"
        np.testing.assert_array_equal(np.asarray(image).reshape(5, 7, channels), pixels)


def test_floats_are_parts_of_white():
    _, image = _opened(images.data_uri(np.array([[[0.0], [0.5], [1.0], [2.0]]])))
    assert np.asarray(image).tolist() == [[0, 128, 255, 255]]


def test_large_pictures_are_bounded(rng):
    pixels = rng.integers(0, 256, (600, 4000, 3), dtype=np.uint8)
    uri = images.data_uri(pixels)
    head, image = _opened(uri)
    assert head == "data:image/webp;base64" and image.size == (2048, 307)
    assert len(uri) < pixels.nbytes / 5


def test_images_stand_in_rows_with_transparent_gaps(rng):
    pixels = rng.integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    laid_out = images.lay_out(pixels, columns=3, gap=2)
    assert laid_out.shape == (10, 22, 4)
    np.testing.assert_array_equal(laid_out[6:, 8:14, :3], pixels[4])
    assert (laid_out[6:, 8:14, 3] == 255).all()
    assert not laid_out[4:6].any() and not laid_out[6:, 16:].any()


def test_small_images_are_enlarged_on_the_page():
    html = images.grid(np.zeros((4, 28, 28, 1), np.uint8), 2, "Zeros", "Caption").__html__()
    assert 'width="114" height="114" class="pixels"' in html and 'alt="Zeros"' in html
    assert "<figcaption>Caption</figcaption>" in html


def test_rows_have_their_names():
    html = images.rows([np.zeros((3, 8, 8, 1)), np.zeros((2, 8, 8, 1))], ["cat", "dog"], "Samples")
    assert re.findall(r"<dt>(\w+)</dt>", html) == ["cat", "dog"]
    assert re.findall(r'alt="([^"]+)"', html) == ["Samples: cat", "Samples: dog"]


def test_frames_are_one_picture(rng):
    frames = rng.integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    html = images.Evolution(list(frames), list("abcde"), "Frames").__html__()
    _, image = _opened(_source(html))
    columns, lines, column, line = (
        int(re.search(rf"--{name}:(\d+)", html)[1])
        for name in ("columns", "lines", "column", "line")
    )
    assert image.size == (6 * columns, 4 * lines) and (columns, lines) == (3, 2)
    for i, frame in enumerate(frames):
        top, left = i // columns * 4, i % columns * 6
        np.testing.assert_array_equal(np.asarray(image)[top : top + 4, left : left + 6], frame)
    assert (line * columns + column) == 4  # The last one is shown first.


def test_many_frames_fit_into_a_picture_that_browsers_open():
    frames = np.zeros((100, 1200, 1200, 1), np.uint8)
    html = images.Evolution(frames, [str(i) for i in range(100)], "Frames").__html__()
    _, image = _opened(_source(html))
    assert max(image.size) <= 8192


def test_files_are_taken_as_they_are_unless_they_are_large(tmp_path, rng):
    for name, size in (("small", 20), ("large", 400)):
        pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    small = images.PictureFile(str(tmp_path / "small.png"), "Small").__html__()
    content = base64.b64decode(_source(small).partition(",")[2])
    assert content == (tmp_path / "small.png").read_bytes()
    head, image = _opened(_source(images.PictureFile(str(tmp_path / "large.png"), "L").__html__()))
    assert head == "data:image/webp;base64" and image.size == (400, 400)


def _png_with_another_bit(size):
    written = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(written, "PNG")
    content = bytearray(written.getvalue())
    content[100] ^= 1
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no picture",
        b"\x89PNG\r\n\x1a\n damaged",
        _png_with_another_bit(20),
        _png_with_another_bit(400),
    ],
    ids=["missing", "empty", "text", "beginning", "bit", "bit of a large one"],
)
def test_a_damaged_file_costs_its_picture_alone(tmp_path, content):
    if content is not None:
        (tmp_path / "samples.png").write_bytes(content)
    html = images.PictureFile(str(tmp_path / "samples.png"), "Samples", "Best").__html__()
    assert "samples.png cannot be read." in html and "Best" in html and "<img" not in html
