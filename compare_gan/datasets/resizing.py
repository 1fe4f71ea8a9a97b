"""Resizing with antialiasing, without TensorFlow; bilinear with the bits of `tf.image.resize`."""

import functools

import numpy as np
from PIL import Image

_PILLOW = {
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}
FILTERS = ("bilinear", *_PILLOW)

_HALF = np.float32(0.5)


def middle_square(image: np.ndarray) -> np.ndarray:
    """The largest square in the middle, the same as that of `transforms.middle_square`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.resizing import middle_square
      >>> middle_square(np.array([[[0], [1], [2], [3]], [[4], [5], [6], [7]]], np.uint8))[..., 0]
      array([[1, 2],
             [5, 6]], dtype=uint8)
    """
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    return image[top : top + side, left : left + side]


def resize(image: np.ndarray, size: int, resample: str = "bilinear") -> np.ndarray:
    """The image at size x size, antialiased and rounded; the aspect ratio may change.

    Args:
      image: uint8 [h, w, C].
      size: Height and width of the result.
      resample: The filter, one of `FILTERS`: `bilinear` gives the same bits as `tf.image.resize`,
        the others are those of Pillow.

    Returns:
      uint8 [size, size, C].

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.resizing import resize
      >>> resize(np.arange(16, dtype=np.uint8).reshape(4, 4, 1), 2)[..., 0]
      array([[ 4,  5],
             [10, 11]], dtype=uint8)
    """
    if image.shape[:2] == (size, size):
        return image
    if resample != "bilinear":
        pillow = Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image)
        return np.asarray(pillow.resize((size, size), _PILLOW[resample])).reshape(size, size, -1)
    rows = _resize_rows(image, size)
    resized = _resize_rows(rows.swapaxes(0, 1), size).swapaxes(0, 1)
    return np.clip(np.round(resized), 0, 255).astype(np.uint8)


def _resize_rows(values: np.ndarray, size: int) -> np.ndarray:
    """Resizes along the first axis, adding up the terms of a sum one by one, as TensorFlow does."""
    rows, weights = _taps(len(values), size)
    values = np.ascontiguousarray(values)
    total = np.zeros([size, *values.shape[1:]], np.float32)
    # In buffers: threads that decode images would wait for each other to allocate memory.
    taken, term = np.empty_like(total, values.dtype), np.empty_like(total)
    for row, weight in zip(rows, weights[..., None, None], strict=True):
        np.take(values, row, axis=0, out=taken, mode="clip")
        np.multiply(taken, weight, out=term)
        total += term
    return total


@functools.lru_cache(maxsize=64)  # Photographs come in a few sizes.
def _taps(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """For each term of the weighted sums, its input row and its weight, [terms, new]."""
    one = np.float32(1)
    scale = one / (np.float32(new) / np.float32(old))
    radius = max(scale, one)  # A wider kernel when the image shrinks is the antialiasing.
    centre = (np.arange(new, dtype=np.float32) + _HALF) * scale
    first = np.ceil(centre - radius - _HALF).astype(int).clip(0, old - 1)
    last = np.floor(centre + radius - _HALF).astype(int).clip(0, old - 1)
    rows = first + np.arange((last - first).max() + 1)[:, None]
    distance = np.abs((rows.astype(np.float32) + _HALF - centre) * (one / radius))
    weights = np.where(rows <= last, np.maximum(one - distance, np.float32(0)), np.float32(0))
    total = np.zeros(new, np.float32)
    for weight in weights:
        total += weight
    return rows.clip(max=old - 1), weights * (one / total)
