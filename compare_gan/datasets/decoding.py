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

import dataclasses
import io
import logging
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, NamedTuple

import numpy as np
from PIL import Image, ImageColor

from compare_gan.datasets.image_headers import ImageError, open_image
from compare_gan.errors import UserError
from compare_gan.startup import available_cores

_log = logging.getLogger(__name__)

Colour = tuple[int, int, int]
Open = Callable[[], IO[bytes]]  # A new binary file to read.

WHITE: Colour = (255, 255, 255)

_GRAY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
_COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
# These formats have no gray of 32 bits: it is how Pillow holds 16 bits, of PNG only before 10.3.
_SIXTEEN_BITS_IN_I = ("PNG", "PPM")

# The weights of red, green and blue in a gray level, of 2^15, as libpng rounds them.
_WEIGHTS = np.array([9797, 19234, 3737], np.int32)

_ORIENTATION = 274  # EXIF's tag.
# By EXIF's orientation, what turns the stored pixels into upright ones.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels[::-1].swapaxes(0, 1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: pixels[:, ::-1].swapaxes(0, 1),
}
_LYING = (5, 6, 7, 8)  # Orientations in which height and width change places.


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


@dataclasses.dataclass(frozen=True)
class Header:
    """Size and kind of an image after decoding.

    Attributes:
      height: Height in pixels.
      width: Width in pixels.
      channels: 1 (gray) or 3 (colour).
      transparent: Whether it has an alpha channel or a transparent colour.
      version: Size and time of the file, or a checksum of its content: another version of the file
        has another one.
    """

    height: int
    width: int
    channels: int
    transparent: bool = False
    version: str = dataclasses.field(default="", compare=False, repr=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.height, self.width, self.channels


def parse_colour(name: str, text: object) -> Colour:
    """The RGB values of a colour.

    Args:
      name: Name of the option, for the message.
      text: Name of a colour in HTML, or `#rrggbb`.

    Raises:
      UserError: It is no colour.

    Example:
      >>> from compare_gan.datasets.decoding import parse_colour
      >>> parse_colour("dataset.background", "white"), parse_colour("dataset.background", "#ff8000")
      ((255, 255, 255), (255, 128, 0))
    """
    try:
        red, green, blue = ImageColor.getrgb(text)  # type: ignore[misc]
    except (ValueError, AttributeError, TypeError):
        raise UserError(
            f"{name} must be the name of a colour, such as 'white', or '#rrggbb', received "
            f"{text!r}."
        ) from None
    return red, green, blue


def colour_name(colour: Colour) -> str:
    """The name under which results record a colour: `white`, `black`, or `#rrggbb`.

    Example:
      >>> from compare_gan.datasets.decoding import colour_name
      >>> colour_name((255, 255, 255)), colour_name((255, 128, 0))
      ('white', '#ff8000')
    """
    names = {WHITE: "white", (0, 0, 0): "black"}
    return names.get(colour) or "#{:02x}{:02x}{:02x}".format(*colour)


def look(open_file: Open, whole: bool = False, background: Colour = WHITE) -> Header:
    """Reads the size and kind of an image.

    Args:
      open_file: Function that opens the file.
      whole: Decode all of it, to find out whether it is broken; False = read the header only.
      background: Colour that transparent images are composited over.

    Raises:
      ImageError: It cannot be read; the message is the reason.

    Example:
      >>> import io
      >>> from PIL import Image
      >>> from compare_gan.datasets.decoding import look
      >>> file = io.BytesIO()
      >>> Image.new("LA", (4, 3)).save(file, "PNG")
      >>> look(lambda: io.BytesIO(file.getvalue()))
      Header(height=3, width=4, channels=1, transparent=True)
    """
    with _opened(open_file) as (image, file):
        header = _header(image, background)
        if whole:
            image.load()
        return dataclasses.replace(header, version=_version(file))


def look_at_all(
    opens: Sequence[Open],
    whole: bool = False,
    background: Colour = WHITE,
    progress: Callable[[int], None] = lambda count: None,
) -> list[Header | ImageError]:
    """Calls `look` for many files, in threads; an error takes the place of a header.

    Args:
      opens: Functions that open the files.
      whole: See `look`.
      background: See `look`.
      progress: Called with the number of files that have been read.
    """

    def look_or_error(open_file: Open) -> Header | ImageError:
        try:
            return look(open_file, whole, background)
        except ImageError as error:
            return error

    found: list[Header | ImageError] = []
    with ThreadPoolExecutor(threads(), "look") as pool:
        # In pieces, because each task has a cost.
        pieces = [opens[start : start + 64] for start in range(0, len(opens), 64)]
        for headers in pool.map(lambda piece: [look_or_error(each) for each in piece], pieces):
            found += headers
            progress(len(found))
    return found


def common_channels(headers: Iterable[Header]) -> int:
    """The number of channels that images of these headers have in common: 3 if one is in colour.

    Example:
      >>> from compare_gan.datasets.decoding import Header, common_channels
      >>> common_channels([Header(2, 2, 1), Header(4, 4, 3)])
      3
    """
    return max(header.channels for header in headers)


def log_conversions(
    place: str, headers: Collection[Header], channels: int, background: Colour
) -> str | None:
    """Logs how many images are composited or converted.

    Args:
      place: Name of the set of images.
      headers: The headers of the images.
      channels: The number of channels that they will have.
      background: Colour that transparent images are composited over.

    Returns:
      The name of the background; None if no image has an alpha channel.
    """
    count, name = len(headers), colour_name(background)
    transparent = sum(header.transparent for header in headers)
    converted = sum(header.channels != channels for header in headers)
    kind, other = ("gray", "colour") if channels == 3 else ("in colour", "gray")
    if transparent:
        have, they_are = ("has", "it is") if transparent == 1 else ("have", "they are")
        _log.info(
            "%d of %d images in '%s' %s an alpha channel or a transparent colour: %s composited "
            "over %s (the option `background`).",
            transparent,
            count,
            place,
            have,
            they_are,
            name,
        )
    if converted:
        are, they_are = ("is", "it is") if converted == 1 else ("are", "they are")
        _log.info(
            "%d of %d images in '%s' %s %s: %s converted to %s.",
            converted,
            count,
            place,
            are,
            kind,
            they_are,
            other,
        )
    return name if transparent else None


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
    with _opened(open_file) as (image, _):
        _header(image, background)
        upright = _UPRIGHT.get(_orientation(image))
        if channels == 1 and image.format in ("JPEG", "MPO"):
            image.draft("L", None)  # The brightness as the file holds it.
        pixels = to_channels(np.asarray(_composited(image, background)), channels)
    return pixels if upright is None else np.ascontiguousarray(upright(pixels))


def threads() -> int:
    """Number of threads that decode: Pillow releases the interpreter while it does."""
    return min(16, available_cores())


@contextmanager
def _opened(open_file: Open) -> Iterator[tuple[Image.Image, IO[bytes]]]:
    try:
        with open_file() as file, open_image(file) as image:
            yield image, file
    except ImageError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files.
        text = getattr(error, "strerror", None) or str(error).strip()
        raise ImageError(text.split("\n", 1)[0] or type(error).__name__) from error


def _version(file: IO[bytes]) -> str:
    if isinstance(file, io.BytesIO):
        return str(zlib.crc32(file.getbuffer()))
    status = os.fstat(file.fileno())
    return f"{status.st_size} {status.st_mtime_ns}"


def _header(image: Image.Image, background: Colour) -> Header:
    if not (_is_gray(image) or image.mode in _COLOUR_MODES):
        raise ImageError(f"images of mode {image.mode} are not supported")
    orientation = _orientation(image)
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_ORIENTATION, 1) != 1:
        image.load()  # Pillow turns it, and changes its size at once or only here.
    width, height = image.size
    if orientation in _LYING:
        width, height = height, width
    transparent = image.has_transparency_data
    stays_gray = _is_gray(image) and not (transparent and _has_hue(background))
    return Header(height, width, 1 if stays_gray else 3, transparent)


def _is_gray(image: Image.Image) -> bool:
    return image.mode in _GRAY_MODES or _has_sixteen_bits(image)


def _has_sixteen_bits(image: Image.Image) -> bool:
    """Whether it is gray of 16 bits; in colour Pillow itself reduces them to the upper 8."""
    in_i = image.mode == "I" and image.format in _SIXTEEN_BITS_IN_I
    return image.mode.startswith("I;16") or in_i


def _has_hue(colour: Colour) -> bool:
    return len(set(colour)) > 1


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation of the stored pixels, 1 if they are upright."""
    content = image.info.get("exif")
    if content is None or image.format == "TIFF":  # Pillow turns TIFF files itself.
        return 1
    exif = Image.Exif()
    try:
        exif.load(content)
        return int(exif.get(_ORIENTATION, 1))
    except Exception:  # Damaged, which is no damage to the image.
        return 1


def _composited(image: Image.Image, background: Colour) -> Image.Image:
    """The image in mode L or RGB, without transparency."""
    opaque, alpha = _layers(image)
    if alpha is None:
        return opaque
    if opaque.mode == "L" and _has_hue(background):
        opaque = opaque.convert("RGB")
    canvas = Image.new(
        opaque.mode, opaque.size, background[0] if opaque.mode == "L" else background
    )
    canvas.paste(opaque, mask=alpha)  # Rounds to the nearest level.
    return canvas


def _layers(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours, in mode L or RGB, and the alpha channel, if there is one."""
    mode = "L" if _is_gray(image) else "RGB"
    if _has_sixteen_bits(image):
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
