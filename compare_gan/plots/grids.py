"""Images laid out in one picture, and written as PNG."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from compare_gan import files

_GAP = 2  # Pixels between images.
_SMALLEST_SIDE = 56  # Smaller images are enlarged to at least this, for people to look at.
_BACKGROUND, _INK = 255, 0


def image_grid(images: np.ndarray, columns: int) -> np.ndarray:
    """Images in rows, left to right and top to bottom.

    Args:
      images: uint8 [n, H, W, C], C = 1 or 3. Small ones are enlarged by a whole number.
      columns: Images a row.

    Returns:
      uint8 [height, width, C].
    """
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    return _lay_out(rows, columns)


def class_grid(rows: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """One class a row, its name in front.

    Args:
      rows: One uint8 [n, H, W, C] a class; n may differ between rows and be 0, though not for all.
      names: As many names as rows.

    Returns:
      uint8 [height, width, C].
    """
    grid = _lay_out(rows, max(len(row) for row in rows))
    row_height = (grid.shape[0] - _GAP) / len(rows)
    font = ImageFont.load_default(size=min(16, max(10, int(row_height / 3))))
    margin = 2 * _GAP + math.ceil(max(font.getlength(name) for name in names))
    labels = Image.new("L", (margin, grid.shape[0]), _BACKGROUND)
    draw = ImageDraw.Draw(labels)
    for i, name in enumerate(names):
        middle = _GAP + (i + 0.5) * row_height - _GAP / 2
        draw.text((margin - _GAP, middle), name, fill=_INK, font=font, anchor="rm")
    labels = np.repeat(np.asarray(labels)[:, :, None], grid.shape[-1], axis=-1)
    return np.concatenate([labels, grid], axis=1)


def save_png(picture: np.ndarray, path: str, compress_level: int = 6) -> None:
    """Writes uint8 [h, w, 1 or 3] as PNG, whole or not at all; makes the folder if need be.

    Args:
      picture: The pixels.
      path: Of the file, which is replaced if there is one.
      compress_level: 0 to 9, as zlib has them: faster to smaller.
    """
    if picture.shape[-1] == 1:
        picture = picture[:, :, 0]
    # In memory first: for small pictures that is faster than Pillow's writing to a file.
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="PNG", compress_level=compress_level)
    # Not flushed to disk, which would take longer than drawing a small picture again.
    with files.atomic(path, durable=False) as temporary, open(temporary, "wb") as file:
        file.write(encoded.getbuffer())


def _lay_out(rows: Sequence[np.ndarray], columns: int) -> np.ndarray:
    height, width, channels = next(row for row in rows if len(row)).shape[1:]
    scale = math.ceil(_SMALLEST_SIDE / min(height, width))
    height, width = scale * height, scale * width
    canvas = np.full(
        (_GAP + len(rows) * (height + _GAP), _GAP + columns * (width + _GAP), channels),
        _BACKGROUND,
        np.uint8,
    )
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            top, left = _GAP + i * (height + _GAP), _GAP + j * (width + _GAP)
            large = image.repeat(scale, axis=0).repeat(scale, axis=1)
            canvas[top : top + height, left : left + width] = large
    return canvas
