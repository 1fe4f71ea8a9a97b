"""Image files of any common format: their sizes, their pixels."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar

import numpy as np
from PIL import Image

from compare_gan.datasets.image_headers import open_image

_GRAY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B")
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")

Open = Callable[[], IO[bytes]]  # A new binary file to read.
Shape = tuple[int, int, int]
_T = TypeVar("_T")


class BrokenImageError(Exception):
    """A file that cannot be read as an image; the message is the reason."""


def look(open_file: Open, whole: bool) -> Shape:
    """Reads the shape (H, W, C) of an image, C = 1 for gray and 3 for colour.

    Args:
      open_file: Function that opens the file.
      whole: Decode all of it, to find out whether it is broken; False = read the header only.

    Raises:
      BrokenImageError: It cannot be read.
    """
    return _read(open_file, lambda image: _shape(image, whole))


def decode(open_file: Open, channels: int) -> np.ndarray:
    """Reads the pixels of an image; drops transparency, and the lower 8 of 16 bits.

    Args:
      open_file: Function that opens the file.
      channels: 1, or 3, to which gray is repeated.

    Returns:
      uint8 [H, W, channels].

    Raises:
      BrokenImageError: It cannot be read.
    """
    return _read(open_file, lambda image: _pixels(image, channels))


def look_at_all(
    opens: Sequence[Open], whole: bool, progress: Callable[[int], None] = lambda count: None
) -> list[Shape | BrokenImageError]:
    """Calls `look` for many files, in threads; an error takes the place of a shape.

    Args:
      opens: Functions that open the image_files.
      whole: See `look`.
      progress: Called with the number of files that have been read.
    """

    def look_or_error(open_file: Open) -> Shape | BrokenImageError:
        try:
            return look(open_file, whole)
        except BrokenImageError as error:
            return error

    found: list[Shape | BrokenImageError] = []
    with ThreadPoolExecutor(threads(), "look") as pool:
        # In pieces, because each task has a cost.
        pieces = [opens[start : start + 64] for start in range(0, len(opens), 64)]
        for shapes in pool.map(lambda piece: [look_or_error(each) for each in piece], pieces):
            found += shapes
            progress(len(found))
    return found


def threads() -> int:
    """Number of threads that decode: Pillow releases the interpreter while it does."""
    return min(16, os.cpu_count() or 1)


def _read(open_file: Open, use: Callable[[Image.Image], _T]) -> _T:
    try:
        with open_file() as file, open_image(file) as image:
            return use(image)
    except Exception as error:  # Pillow raises many kinds for damaged image_files.
        reason = str(error).strip().split("\n", 1)[0] or type(error).__name__
        raise BrokenImageError(reason) from error


def _shape(image: Image.Image, whole: bool) -> Shape:
    if image.mode not in _GRAY + _COLOUR:
        raise ValueError(f"images of mode {image.mode} are not supported")
    if whole:
        image.load()
    return (image.height, image.width, 1 if image.mode in _GRAY else 3)


def _pixels(image: Image.Image, channels: int) -> np.ndarray:
    gray = _shape(image, whole=True)[-1] == 1
    if image.mode.startswith("I;16"):
        pixels = (np.asarray(image) >> 8).astype(np.uint8)
    else:
        mode = "L" if gray else "RGB"
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    if gray:
        pixels = pixels[..., None]
    return np.repeat(pixels, 3, axis=-1) if gray and channels == 3 else pixels
