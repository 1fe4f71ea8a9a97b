"""Images on a page: arrays become inline PNG or WebP of bounded size, with alternative texts."""

import base64
import dataclasses
import io
import math
import os
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from PIL import Image

from compare_gan.report.markup import element

_LARGEST_PNG = 150_000  # Bytes; a larger picture becomes a WebP with losses.
_LARGEST_SIDE = 2048  # Pixels of a picture.
_LARGEST_SPRITE = 8192  # Pixels of a side of all frames together; WebP allows 16,383.
_SMALL = 56  # Images with a smaller side are enlarged on the page.
# Errors of Pillow for files that are damaged, of another kind, or larger than any sample grid.
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture with a caption.

    Attributes:
      pixels: uint8 [H, W, C], C = 1 to 4, or float in [0, 1].
      alt: What it shows.
      caption: Text below it.
      scale: Number of CSS pixels per pixel, at most; a narrow page shows it smaller.
    """

    pixels: np.ndarray
    alt: str
    caption: str = ""
    scale: float = 1.0

    def __html__(self) -> str:
        height, width = self.pixels.shape[:2]
        image = element(
            "img", src=data_uri(self.pixels), alt=self.alt, width=round(self.scale * width),
            height=round(self.scale * height), class_="pixels" if self.scale > 1 else None,
        )  # fmt: skip
        caption = element("figcaption", self.caption) if self.caption else ""
        return element("figure", image, caption, class_="picture")


@dataclasses.dataclass(frozen=True)
class PictureFile:
    """A PNG file with a caption.

    Attributes:
      path: The file.
      alt: What it shows.
      caption: Text below it.
    """

    path: str
    alt: str
    caption: str = ""

    def __html__(self) -> str:
        try:
            source, (width, height) = self._read()
        except _UNREADABLE:
            image = element("p", f"{os.path.basename(self.path)} cannot be read.", class_="note")
        else:
            image = element("img", src=source, alt=self.alt, width=width, height=height)
        caption = element("figcaption", self.caption) if self.caption else ""
        return element("figure", image, caption, class_="picture")

    def _read(self) -> tuple[str, tuple[int, int]]:
        """The picture as a data URI, and its size."""
        with open(self.path, "rb") as file:
            content = file.read()
        opened = Image.open(io.BytesIO(content))
        if len(content) <= _LARGEST_PNG:
            opened.verify()
            return _data_uri("png", content), opened.size
        pixels = np.asarray(opened.convert("RGB" if opened.mode == "P" else opened.mode))
        return data_uri(pixels if pixels.ndim == 3 else pixels[:, :, None]), opened.size


def grid(images: np.ndarray, columns: int, alt: str, caption: str = "", gap: int = 1) -> Picture:
    """Images in rows, as one picture; small ones are enlarged on the page.

    Args:
      images: uint8 or float in [0, 1], [n, H, W, C], C = 1 or 3.
      columns: Number of images in a row.
      alt: What they show.
      caption: Text below them.
      gap: Transparent pixels between images.

    Example:
      >>> import numpy as np
      >>> from compare_gan.report.images import grid
      >>> grid(np.zeros((6, 28, 28, 1), np.uint8), columns=3, alt="Six samples").pixels.shape
      (57, 86, 2)
    """
    return Picture(lay_out(images, columns, gap), alt, caption, _scale(images))


def rows(
    images: Sequence[np.ndarray], names: Sequence[str], alt: str, caption: str = "", gap: int = 1
) -> Markup:
    """Rows of images, each with its name in front, such as one per class.

    Args:
      images: For each row, as in `grid`.
      names: Names of the rows.
      alt: What the rows show; each row's name is added.
      caption: Text below them.
      gap: As in `grid`.
    """
    drawn = []
    for row, name in zip(images, names, strict=True):
        picture = Picture(lay_out(row, max(1, len(row)), gap), f"{alt}: {name}", "", _scale(row))
        drawn += [element("dt", name), element("dd", image_of(picture))]
    caption_of = element("figcaption", caption) if caption else ""
    return element("figure", element("dl", *drawn), caption_of, class_="rows")


@dataclasses.dataclass(frozen=True)
class Evolution:
    """Frames with a slider and a button that plays them.

    Attributes:
      frames: [T, H, W, C], as `Picture.pixels`: pictures such as `lay_out` makes.
      names: Name of each frame, such as "step 1,500".
      alt: What the frames show.
      caption: Text below them.
      scale: As in `Picture`.
    """

    frames: Sequence[np.ndarray]
    names: Sequence[str]
    alt: str
    caption: str = ""
    scale: float = 1.0

    def __html__(self) -> str:
        sprite, columns, lines = _sprite(self.frames)
        height, width = self.frames[0].shape[:2]
        last = len(self.frames) - 1
        image = element(
            "img", src=data_uri(sprite, bounded=False), alt=self.alt,
            class_="pixels" if self.scale > 1 else None,
        )  # fmt: skip
        window = element(
            "div", image, class_="frame",
            style=f"aspect-ratio:{width}/{height};width:min(100%,{self.scale * width:.0f}px);"
                  f"--columns:{columns};--lines:{lines};"
                  f"--column:{last % columns};--line:{last // columns}",
        )  # fmt: skip
        slider = element(
            "input", type="range", min=0, max=last, step=1, value=last, aria_label=self.alt,
            aria_valuetext=self.names[-1], data_names="\n".join(self.names),
        )  # fmt: skip
        controls = element(
            "div", element("button", "Play", type="button", class_="play"), slider,
            element("output", self.names[-1]), class_="controls",
        )  # fmt: skip
        caption = element("figcaption", self.caption) if self.caption else ""
        return element("figure", window, controls, caption, class_="evolution")


def lay_out(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Images in rows, left to right and top to bottom, with transparent gaps.

    Args:
      images: uint8 or float in [0, 1], [n, H, W, C], C = 1 or 3.
      columns: Number of images in a row.
      gap: Pixels between images.

    Returns:
      uint8 [height, width, C + 1]: gray or colour, and alpha.
    """
    images = _as_bytes(np.asarray(images))
    count, height, width, channels = images.shape
    lines = max(1, math.ceil(count / columns))
    shape = (lines * (height + gap) - gap, columns * (width + gap) - gap, channels + 1)
    canvas = np.zeros(shape, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + gap), (i % columns) * (width + gap)
        canvas[top : top + height, left : left + width, :channels] = image
        canvas[top : top + height, left : left + width, channels] = 255
    return canvas


def data_uri(pixels: np.ndarray, bounded: bool = True) -> str:
    """A picture as a data URI: PNG if that is small, else WebP.

    Args:
      pixels: As `Picture.pixels`.
      bounded: Whether a side of more than 2,048 pixels is reduced to that.

    Example:
      >>> import numpy as np
      >>> from compare_gan.report.images import data_uri
      >>> data_uri(np.zeros((8, 8, 1), np.uint8))[:22]
      'data:image/png;base64,'
    """
    pixels = _as_bytes(np.asarray(pixels))
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels)
    if bounded and max(image.size) > _LARGEST_SIDE:
        image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    kind, content = "png", _encoded(image, "PNG", optimize=True)
    if len(content) > _LARGEST_PNG:
        colour = image.convert("RGBA" if image.mode in ("LA", "RGBA") else "RGB")
        kind, content = "webp", _encoded(colour, "WEBP", quality=85)
    return _data_uri(kind, content)


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def image_of(picture: Picture) -> Markup:
    """The image alone, without a figure around it."""
    height, width = picture.pixels.shape[:2]
    return element(
        "img", src=data_uri(picture.pixels), alt=picture.alt, width=round(picture.scale * width),
        height=round(picture.scale * height), class_="pixels" if picture.scale > 1 else None,
    )  # fmt: skip


def _sprite(frames: Sequence[np.ndarray]) -> tuple[np.ndarray, int, int]:
    """All frames as one picture, with the numbers of its columns and lines."""
    height, width = frames[0].shape[:2]
    columns = max(1, min(math.ceil(math.sqrt(len(frames))), _LARGEST_SPRITE // width))
    lines = math.ceil(len(frames) / columns)
    shrink = math.ceil(lines * height / _LARGEST_SPRITE)
    frames = [_as_bytes(np.asarray(frame))[::shrink, ::shrink] for frame in frames]
    height, width, channels = frames[0].shape
    canvas = np.zeros((lines * height, columns * width, channels), np.uint8)
    for i, frame in enumerate(frames):
        top, left = (i // columns) * height, (i % columns) * width
        canvas[top : top + height, left : left + width] = frame
    return canvas, columns, lines


def _scale(images: np.ndarray) -> float:
    return float(math.ceil(_SMALL / min(images.shape[1:3])))


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    return np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
