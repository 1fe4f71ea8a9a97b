"""Opening image files with Pillow, within limits that protect from hostile ones."""

import contextlib
from collections.abc import Iterator
from typing import IO

from PIL import Image

# Pillow knows many more, of which some start other programs (EPS) or are hardly tested. It goes by
# a file's content, whatever its name.
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


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
        opened = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(refusal) from error
    except Image.UnidentifiedImageError as error:  # Pillow's text names an object in memory.
        raise ImageError("it is of no known format") from error
    with opened as image:
        if limit and image.width * image.height > limit:
            raise ImageError(refusal)
        yield image
