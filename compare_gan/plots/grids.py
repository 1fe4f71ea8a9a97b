"""Images laid out in one picture, and written as PNG or GIF."""

import io
import math
from collections.abc import Sequence
from typing import Any

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
      columns: Number of images in a row.

    Returns:
      uint8 [height, width, C].

    Example:
      >>> import numpy as np
      >>> from compare_gan.plots import image_grid
      >>> image_grid(np.zeros((6, 64, 64, 3), np.uint8), columns=3).shape
      (134, 200, 3)
    """
    rows = [images[start : start + columns] for start in range(0, len(images), columns)]
    return _lay_out(rows, columns)


def class_grid(rows: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """One class per row, with its name in front.

    Args:
      rows: For each class, uint8 [n, H, W, C]; n may differ between rows and may be 0, though not
        for all of them.
      names: Names of the rows.

    Returns:
      uint8 [height, width, C].

    Example:
      >>> import numpy as np
      >>> from compare_gan.plots import class_grid
      >>> rows = np.zeros((2, 5, 64, 64, 3), np.uint8)
      >>> picture = class_grid(rows, ["cat", "dog"])
      >>> picture.shape[0], picture.shape[1] > 5 * 64
      (134, True)
    """
    grid = _lay_out(rows, max(len(row) for row in rows))
    row_height = (grid.shape[0] - _GAP) / len(rows)
    margin, font = _margin(names, row_height)
    label_image = Image.new("L", (margin, grid.shape[0]), _BACKGROUND)
    draw = ImageDraw.Draw(label_image)
    for i, name in enumerate(names):
        middle = _GAP + (i + 0.5) * row_height - _GAP / 2
        draw.text((margin - _GAP, middle), name, fill=_INK, font=font, anchor="rm")
    labels = np.repeat(np.asarray(label_image)[:, :, None], grid.shape[-1], axis=-1)
    return np.concatenate([labels, grid], axis=1)


def cut_grid(
    picture: np.ndarray,
    image_shape: Sequence[int],
    columns: int | None = None,
    names: Sequence[str] = (),
) -> np.ndarray:
    """The images in a picture of `image_grid` or `class_grid`, in their own size.

    Args:
      picture: uint8 [height, width, C].
      image_shape: Shape of an image, [H, W, C].
      columns: Number of images in a row; None = as many as there is room for beside the names.
      names: Names of the rows; not needed with `columns`.

    Returns:
      uint8 [rows, columns, H, W, C]; the place of an image that is missing in its row is white.

    Raises:
      ValueError: The picture is no such grid.

    Example:
      >>> import numpy as np
      >>> from compare_gan.plots import class_grid, cut_grid
      >>> rows = np.arange(2 * 3 * 8 * 8, dtype=np.uint8).reshape(2, 3, 8, 8, 1)
      >>> picture = class_grid(rows, ["cat", "dog"])
      >>> bool((cut_grid(picture, (8, 8, 1), names=["cat", "dog"]) == rows).all())
      True
    """
    height, width, channels = image_shape
    scale = math.ceil(_SMALLEST_SIDE / min(height, width))
    step_down, step_right = scale * height + _GAP, scale * width + _GAP
    rows, rest = divmod(picture.shape[0] - _GAP, step_down)
    if columns is None:
        margin = _margin(names, step_down)[0] if names else 0
        columns, wrong = divmod(picture.shape[1] - _GAP - margin, step_right)
        rest = rest or wrong or (names and rows != len(names))
    margin = picture.shape[1] - _GAP - columns * step_right
    if rows < 1 or columns < 1 or rest or margin < 0 or picture.shape[2] != channels:
        raise ValueError(f"A picture of shape {picture.shape} is no grid of images {image_shape}.")
    cells = picture[_GAP:, margin + _GAP :].reshape(rows, step_down, columns, step_right, channels)
    cells = cells[:, : scale * height : scale, :, : scale * width : scale]
    return cells.transpose(0, 2, 1, 3, 4)


def _margin(names: Sequence[str], row_height: float) -> tuple[int, Any]:
    """The width of the margin for names of rows, and their font."""
    font = ImageFont.load_default(size=min(16, max(10, int(row_height / 3))))
    return 2 * _GAP + math.ceil(max(font.getlength(name) for name in names)), font


def encode_png(picture: np.ndarray, compress_level: int = 6) -> bytes:
    """A picture as the content of a PNG file.

    Args:
      picture: uint8 [h, w, 1 or 3].
      compress_level: Compression level of zlib, 0 (fast) to 9 (small).

    Example:
      >>> import numpy as np
      >>> from compare_gan.plots import encode_png
      >>> encode_png(np.zeros((8, 8, 3), np.uint8))[1:4]
      b'PNG'
    """
    if picture.shape[-1] == 1:
        picture = picture[:, :, 0]
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, format="PNG", compress_level=compress_level)
    return encoded.getvalue()


def write_png(png: bytes, path: str, durable: bool = True) -> None:
    """Writes an encoded picture, whole or not at all.

    Args:
      png: Content of the file.
      path: Path of the file, which is replaced if it exists; its folder is created if needed.
      durable: Whether to flush the file to disk, see `files.atomic`.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.plots import encode_png, write_png
      >>> png = encode_png(np.zeros((8, 8, 3), np.uint8))
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_png(png, os.path.join(folder, "black.png"))
      ...     print(os.listdir(folder))
      ['black.png']
    """
    with files.atomic(path, durable=durable) as temporary, open(temporary, "wb") as file:
        file.write(png)


def save_png(picture: np.ndarray, path: str, compress_level: int = 6, durable: bool = True) -> None:
    """Writes a picture as PNG, whole or not at all.

    Args:
      picture: uint8 [h, w, 1 or 3].
      path: Path of the file, which is replaced if it exists; its folder is created if needed.
      compress_level: Compression level of zlib, 0 (fast) to 9 (small).
      durable: Whether to flush the file to disk, see `files.atomic`.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.plots import save_png
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save_png(np.zeros((8, 8, 3), np.uint8), os.path.join(folder, "black.png"))
      ...     print(os.listdir(folder))
      ['black.png']
    """
    # Encoded in memory first: for small pictures this is faster than Pillow's writing to a file.
    write_png(encode_png(picture, compress_level), path, durable)


def save_gif(pictures: Sequence[np.ndarray], path: str, duration: float) -> None:
    """Writes pictures as an endless GIF, whole or not at all.

    Gray pictures keep their levels; of a picture in colour a GIF holds the 256 best colours.

    Args:
      pictures: uint8 [h, w, 1 or 3], all of one shape.
      path: Path of the file, which is replaced if it exists; its folder is created if needed.
      duration: Duration of all pictures together, in seconds.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.plots import save_gif
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     save_gif([np.full((8, 8, 3), i, np.uint8) for i in (0, 9)], f"{folder}/a.gif", 0.5)
      ...     print(os.listdir(folder))
      ['a.gif']
    """
    first, *others = (
        Image.fromarray(picture[:, :, 0] if picture.shape[-1] == 1 else picture)
        for picture in pictures
    )
    # The file counts hundredths of a second.
    times = np.round(np.linspace(0, 100 * duration, len(pictures) + 1))
    milliseconds = (10 * np.diff(times)).astype(int).tolist()
    with files.atomic(path) as temporary, open(temporary, "wb") as file:
        first.save(file, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)


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
