"""ADA's geometry: one affine map of each image, resampled without aliasing.

An image is mirrored at its borders, doubled in size by a wavelet's low-pass filter, sampled along
the map, and halved again by the same filter. The filters are matrices, so that all shapes are
static: mirroring is part of the first one, and always as far as one mirror image reaches.
"""

import math
from collections.abc import Callable

import numpy as np
from keras import ops

from compare_gan.augmentations.ada.draws import Draws
from compare_gan.types import Tensor

# The low-pass filter of the wavelet sym6 (Daubechies, Ten Lectures on Wavelets, 1992).
_SYM6 = np.array(
    [
        0.015404109327027373,
        0.0034907120842174702,
        -0.11799011114819057,
        -0.048311742585633,
        0.4910559419267466,
        0.787641141030194,
        0.3379294217276218,
        -0.07263752278646252,
        -0.021060292512300564,
        0.04472490177066578,
        0.0017677118642428036,
        -0.007800708325034148,
    ]
)
_FILTER = _SYM6 / _SYM6.sum()
_CENTRE = 5  # The tap that falls on a pixel.


def source_map(draws: Draws, height: int, width: int) -> Tensor | None:
    """The map from a pixel of the result to its source, in pixels from the image's centre.

    Returns:
      float32 [b, 3, 3] for columns (x, y, 1); None if no such transformation may apply.
    """
    matrix = None
    for name in draws.names:
        if name in _INVERSES:
            inverse = _INVERSES[name](draws, height, width)
            matrix = inverse if matrix is None else ops.matmul(matrix, inverse)
    return matrix


def warp(images: Tensor, matrix: Tensor) -> Tensor:
    """Images sampled along a map.

    Args:
      images: float32 [b, H, W, C]; beyond its mirror images, an image is zero.
      matrix: Result of `source_map`, float32 [b, 3, 3].

    Returns:
      float32 [b, H, W, C].
    """
    height, width = images.shape[1:3]
    x, y = (ops.convert_to_tensor(_positions(size)) for size in (width, height))
    columns, rows = (
        row[:, 0, None, None] * x[None, None, :]
        + row[:, 1, None, None] * y[None, :, None]
        + row[:, 2, None, None]
        for row in (matrix[:, 0], matrix[:, 1])
    )
    doubled = _along_rows(_doubling(height), _along_columns(_doubling(width), images))
    sampled = _bilinear(doubled, _index(rows, height), _index(columns, width))
    return _along_columns(_halving(width), _along_rows(_halving(height), sampled))


def _along_rows(matrix: np.ndarray, images: Tensor) -> Tensor:
    """The product of a matrix [m, H] and the columns of images [b, H, W, C]; [b, m, W, C]."""
    b, height, width, channels = images.shape
    flat = ops.reshape(images, (b, height, width * channels))
    flat = ops.matmul(ops.convert_to_tensor(matrix), flat)
    return ops.reshape(flat, (b, len(matrix), width, channels))


def _along_columns(matrix: np.ndarray, images: Tensor) -> Tensor:
    """The product of a matrix [n, W] and the rows of images [b, H, W, C]; [b, H, n, C]."""
    planes = ops.transpose(images, (0, 1, 3, 2))
    return ops.transpose(ops.matmul(planes, ops.convert_to_tensor(matrix.T)), (0, 1, 3, 2))


def _doubling(size: int) -> np.ndarray:
    """Matrix from pixels to the doubled image with its mirror images, float32 [k, size].

    The first row and the last two are zero, for positions outside.
    """
    margin = size - 1
    matrix = np.zeros((2 * (size + 2 * margin), size))
    for pixel in range(size + 2 * margin):
        source = margin - abs(margin - abs(pixel - margin))
        for tap, weight in enumerate(_FILTER):
            row = 2 * pixel + tap - _CENTRE
            if 0 <= row < len(matrix):
                matrix[row, source] += 2.0 * weight
    return np.pad(matrix, ((1, 2), (0, 0))).astype(np.float32)


def _halving(size: int) -> np.ndarray:
    """Matrix from the positions of `_positions` to pixels, float32 [size, 2 * size + 10]."""
    matrix = np.zeros((size, 2 * size + len(_FILTER) - 2))
    for pixel in range(size):
        matrix[pixel, 2 * pixel : 2 * pixel + len(_FILTER)] = _FILTER
    return matrix.astype(np.float32)


def _positions(size: int) -> np.ndarray:
    """The half pixels that `_halving` takes, in pixels from the centre, float32 [2 * size + 10]."""
    half_pixels = np.arange(2 * size + len(_FILTER) - 2) - _CENTRE
    return (0.5 * half_pixels - 0.5 * (size - 1)).astype(np.float32)


def _index(positions: Tensor, size: int) -> Tensor:
    """Index in the doubled image of positions in pixels from the centre of the image."""
    end = 2.0 * (3 * size - 2)  # That after the mirror images.
    index = 2.0 * (positions + 0.5 * (size - 1) + (size - 1))
    return ops.clip(index, -1.0, end) + 1.0


def _bilinear(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Values of images [b, K, L, C] at fractional indices [b, m, n] up to K - 2 and L - 2."""
    b, height, width, channels = images.shape
    flat = ops.reshape(images, (b * height * width, channels))
    starts = ops.reshape(ops.arange(b, dtype="int32") * (height * width), (b, 1, 1))
    row, column = ops.floor(rows), ops.floor(columns)
    below, right = (rows - row)[..., None], (columns - column)[..., None]
    first = starts + ops.cast(row, "int32") * width + ops.cast(column, "int32")
    upper, lower = (
        (1.0 - right) * ops.take(flat, first + start, axis=0)
        + right * ops.take(flat, first + (start + 1), axis=0)
        for start in (0, width)
    )
    return (1.0 - below) * upper + below * lower


def _matrix(*entries: Tensor | float) -> Tensor:
    """The matrices [b, 3, 3] with these first two rows, of which each entry is [b] or a number."""
    [first, *_] = [entry for entry in entries if not isinstance(entry, float)]
    zero = ops.zeros_like(first)
    rows = [entry + zero for entry in (*entries, 0.0, 0.0, 1.0)]
    return ops.reshape(ops.stack(rows, axis=1), (-1, 3, 3))


def _scaling(x: Tensor | float, y: Tensor | float) -> Tensor:
    return _matrix(x, 0.0, 0.0, 0.0, y, 0.0)


def _rotation(angle: Tensor) -> Tensor:
    cos, sin = ops.cos(angle), ops.sin(angle)
    return _matrix(cos, -sin, 0.0, sin, cos, 0.0)


def _translation(shift: Tensor) -> Tensor:
    return _matrix(1.0, 0.0, shift[:, 0], 0.0, 1.0, shift[:, 1])


def _xflip(draws: Draws, height: int, width: int) -> Tensor:
    sign = 1.0 - 2.0 * ops.floor(2.0 * draws.value("xflip"))
    return _scaling(draws.gated("xflip", sign, 1.0), 1.0)


def _rotate90(draws: Draws, height: int, width: int) -> Tensor:
    turns = ops.floor(4.0 * draws.value("rotate90"))
    return _rotation(0.5 * math.pi * draws.gated("rotate90", turns, 0.0))


def _xint(draws: Draws, height: int, width: int) -> Tensor:
    share = 0.125 * (2.0 * draws.values("xint") - 1.0)
    pixels = ops.round(share * _sides(width, height))
    return _translation(-draws.gated("xint", pixels, 0.0))


def _scale(draws: Draws, height: int, width: int) -> Tensor:
    factor = draws.gated("scale", _power_of_two(-0.2 * draws.value("scale")), 1.0)
    return _scaling(factor, factor)


def _aniso(draws: Draws, height: int, width: int) -> Tensor:
    factor = draws.gated("aniso", _power_of_two(-0.2 * draws.value("aniso")), 1.0)
    return _scaling(factor, 1.0 / factor)


def _rotate(name: str) -> Callable[[Draws, int, int], Tensor]:
    def inverse(draws: Draws, height: int, width: int) -> Tensor:
        angle = math.pi * (2.0 * draws.value(name) - 1.0)
        return _rotation(draws.gated(name, angle, 0.0))

    return inverse


def _xfrac(draws: Draws, height: int, width: int) -> Tensor:
    pixels = 0.125 * draws.values("xfrac") * _sides(width, height)
    return _translation(-draws.gated("xfrac", pixels, 0.0))


def _sides(width: int, height: int) -> Tensor:
    return ops.convert_to_tensor(np.array([width, height], np.float32))


def _power_of_two(exponent: Tensor) -> Tensor:
    return ops.exp(math.log(2.0) * exponent)


_INVERSES: dict[str, Callable[[Draws, int, int], Tensor]] = {
    "xflip": _xflip,
    "rotate90": _rotate90,
    "xint": _xint,
    "scale": _scale,
    "prerotate": _rotate("prerotate"),
    "aniso": _aniso,
    "postrotate": _rotate("postrotate"),
    "xfrac": _xfrac,
}
