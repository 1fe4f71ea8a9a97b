"""From an image file to its pixels: one decoder, by one rule for each kind of file.

Training and metrics read every file with it, so that a file has the same pixels in both:

- JPEG is decoded exactly (not by the approximation that TensorFlow prefers).
- An image with an alpha channel, or with a transparent colour, is composited over a background.
- Of 16 bits per channel the upper 8 are used.
- Palettes, CMYK and YCbCr become RGB. LAB, 32-bit integers and floats are refused.
- EXIF's orientation is applied, as viewers do; colour profiles are ignored.
- Of an animation the first frame is used.
- Gray becomes colour by repetition; colour becomes gray by libpng's weights or, in a JPEG file, by
  the brightness that it stores.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from compare_gan.datasets.colours import WHITE, Colour, has_hue
from compare_gan.datasets.image_headers import (
    Open,
    has_sixteen_bits,
    header_of,
    is_gray,
    opened,
    orientation_of,
)

# The weights of red, green and blue in a gray level, of 2^15, as libpng rounds them.
_WEIGHTS = np.array([9797, 19234, 3737], np.int32)

# Functions that turn the stored pixels upright, by EXIF's orientation.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}


class ImageFile(NamedTuple):
    """An image file, in a folder or in an archive.

    Attributes:
      name: Its name in messages.
      open: Function that opens it.
    """

    name: str
    open: Open


def file_at(path: str) -> ImageFile:
    """The image file at a path.

    Example:
      >>> from compare_gan.datasets.decoding import file_at
      >>> file_at("photos/a.png").name
      'photos/a.png'
    """
    return ImageFile(path, lambda: open(path, "rb"))


def decode(open_file: Open, channels: int, background: Colour = WHITE) -> np.ndarray:
    """Reads the pixels of an image.

    Args:
      open_file: Function that opens the file.
      channels: 1 (gray) or 3 (colour), to which the image is converted.
      background: Colour that transparent images are composited over.

    Returns:
      uint8 [H, W, channels].

    Raises:
      ImageError: It cannot be read; the message is the reason.

    Example:
      >>> import io
      >>> from PIL import Image
      >>> from compare_gan.datasets.decoding import decode
      >>> file = io.BytesIO()
      >>> Image.new("RGBA", (2, 1), (255, 0, 0, 0)).save(file, "PNG")
      >>> decode(lambda: io.BytesIO(file.getvalue()), channels=3).tolist()
      [[[255, 255, 255], [255, 255, 255]]]
    """
    with opened(open_file) as (image, _):
        header_of(image, background)
        upright = _UPRIGHT.get(orientation_of(image))
        if channels == 1 and image.format in ("JPEG", "MPO"):
            image.draft("L", None)  # The brightness as the file holds it.
        pixels = to_channels(np.asarray(_composited(image, background)), channels)
    return pixels if upright is None else np.ascontiguousarray(upright(pixels))


def _composited(image: Image.Image, background: Colour) -> Image.Image:
    """The image in mode L or RGB, without transparency."""
    opaque, alpha = _layers(image)
    if alpha is None:
        return opaque
    if opaque.mode == "L" and has_hue(background):
        opaque = opaque.convert("RGB")
    canvas = Image.new(
        opaque.mode, opaque.size, background[0] if opaque.mode == "L" else background
    )
    canvas.paste(opaque, mask=alpha)  # Rounds to the nearest level.
    return canvas


def _layers(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours, in mode L or RGB, and the alpha channel, if there is one."""
    mode = "L" if is_gray(image) else "RGB"
    if has_sixteen_bits(image):
        values = np.asarray(image)
        transparent = image.info.get("transparency")
        alpha = None if transparent is None else _mask(values != transparent)
        return Image.fromarray((values >> 8).astype(np.uint8)), alpha
    if image.has_transparency_data:
        # Also divides colours that were multiplied by alpha.
        image = image.convert("LA" if mode == "L" else "RGBA")
        return image.convert(mode), image.getchannel("A")
    return (image if image.mode == mode else image.convert(mode)), None


def _mask(opaque: np.ndarray) -> Image.Image:
    return Image.fromarray(opaque.astype(np.uint8) * np.uint8(255))


def to_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3] as [H, W, channels].

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.decoding import to_channels
      >>> to_channels(np.array([[7]], np.uint8), 3).tolist()
      [[[7, 7, 7]]]
    """
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], channels, axis=-1)
    if channels == 3:
        return pixels
    colours = pixels.astype(np.int32)
    # What is gray already stays as it is.
    same = (colours == colours[..., :1]).all(-1)
    return np.where(same, colours[..., 0], colours @ _WEIGHTS >> 15).astype(np.uint8)[..., None]
