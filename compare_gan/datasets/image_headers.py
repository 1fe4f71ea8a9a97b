"""Image files as they are opened: size and kind, within limits that protect from hostile ones."""

import contextlib
import dataclasses
import io
import logging
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from PIL import Image

from compare_gan.datasets.colours import WHITE, Colour, colour_name, has_hue
from compare_gan.startup import available_cores

_log = logging.getLogger(__name__)

Open = Callable[[], IO[bytes]]  # A new binary file to read.

# Pillow knows many more, of which some start other programs (EPS) or are hardly tested. It goes by
# a file's content, whatever its name.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")

_GRAY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
_COLOUR_MODES = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
# These formats have no gray of 32 bits: it is how Pillow holds 16 bits, of PNG only before 10.3.
_SIXTEEN_BITS_IN_I = ("PNG", "PPM")

_ORIENTATION = 274  # EXIF's tag.
_LYING = (5, 6, 7, 8)  # Orientations in which height and width change places.


class ImageError(OSError):
    """A file that cannot be opened as an image; the message is the reason."""


@contextlib.contextmanager
def open_image(file: str | IO[bytes]) -> Iterator[Image.Image]:
    """Opens an image; its pixels are not decoded before they are used.

    Args:
      file: Path, or binary file.

    Raises:
      ImageError: The file is of no known format, or declares more pixels than
        `PIL.Image.MAX_IMAGE_PIXELS`, where Pillow suspects a decompression bomb.
      OSError: It cannot be read.

    Example:
      >>> import io
      >>> from PIL import Image
      >>> from compare_gan.datasets.image_headers import open_image
      >>> file = io.BytesIO()
      >>> Image.new("RGB", (4, 3)).save(file, "PNG")
      >>> with open_image(file) as image:
      ...     image.size
      (4, 3)
    """
    limit = Image.MAX_IMAGE_PIXELS
    refusal = f"it declares more than {limit:,} pixels" if limit else ""
    try:
        found = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(refusal) from error
    except Image.UnidentifiedImageError as error:  # Pillow's text names an object in memory.
        raise ImageError("it is of no known format") from error
    with found as image:
        if limit and image.width * image.height > limit:
            raise ImageError(refusal)
        yield image


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
      >>> from compare_gan.datasets.image_headers import look
      >>> file = io.BytesIO()
      >>> Image.new("LA", (4, 3)).save(file, "PNG")
      >>> look(lambda: io.BytesIO(file.getvalue()))
      Header(height=3, width=4, channels=1, transparent=True)
    """
    with opened(open_file) as (image, file):
        header = header_of(image, background)
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
      >>> from compare_gan.datasets.image_headers import Header, common_channels
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


def threads() -> int:
    """Number of threads that read image files: Pillow releases the interpreter meanwhile."""
    return min(16, available_cores())


@contextlib.contextmanager
def opened(open_file: Open) -> Iterator[tuple[Image.Image, IO[bytes]]]:
    """Opens an image and its file; whatever then fails inside is an ImageError."""
    try:
        with open_file() as file, open_image(file) as image:
            yield image, file
    except ImageError:
        raise
    except Exception as error:  # Pillow raises many kinds for damaged files.
        text = getattr(error, "strerror", None) or str(error).strip()
        raise ImageError(text.split("\n", 1)[0] or type(error).__name__) from error


def header_of(image: Image.Image, background: Colour) -> Header:
    """The size and kind of an open image; ImageError if there is no rule for its mode."""
    if not (is_gray(image) or image.mode in _COLOUR_MODES):
        raise ImageError(f"images of mode {image.mode} are not supported")
    orientation = orientation_of(image)
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_ORIENTATION, 1) != 1:
        image.load()  # Pillow turns it, and changes its size at once or only here.
    width, height = image.size
    if orientation in _LYING:
        width, height = height, width
    transparent = image.has_transparency_data
    stays_gray = is_gray(image) and not (transparent and has_hue(background))
    return Header(height, width, 1 if stays_gray else 3, transparent)


def is_gray(image: Image.Image) -> bool:
    """Whether an image has one channel, besides an alpha channel."""
    return image.mode in _GRAY_MODES or has_sixteen_bits(image)


def has_sixteen_bits(image: Image.Image) -> bool:
    """Whether it is gray of 16 bits; in colour Pillow itself reduces them to the upper 8."""
    in_i = image.mode == "I" and image.format in _SIXTEEN_BITS_IN_I
    return image.mode.startswith("I;16") or in_i


def orientation_of(image: Image.Image) -> int:
    """EXIF's orientation of the stored pixels, 1 if they are upright."""
    content = image.info.get("exif")
    if content is None:  # As for all TIFF files, which Pillow turns itself.
        return 1
    exif = Image.Exif()
    try:
        exif.load(content)
        return int(exif.get(_ORIENTATION, 1))
    except Exception:  # Damaged, which is no damage to the image.
        return 1


def _version(file: IO[bytes]) -> str:
    if isinstance(file, io.BytesIO):
        return str(zlib.crc32(file.getbuffer()))
    status = os.fstat(file.fileno())
    return f"{status.st_size} {status.st_mtime_ns}"
