"""ADA's changes after geometry and colour: frequency bands, noise, cutout."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from compare_gan.augmentations.ada.draws import Draws
from compare_gan.types import Tensor

# The low-pass filter of the wavelet sym2.
_SYM2 = np.array(
    [-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025]
)
_BANDS = 4
# The power of natural images falls with the frequency: the share of each band, lowest first.
_POWER = np.array([10, 1, 1, 1], np.float32) / 13


def filter_bands(images: Tensor, draws: Draws) -> Tensor:
    """Images [b, H, W, C] with each of four octaves of frequencies scaled by 2^N(0, 1).

    A band is scaled at about unchanged power of the whole.
    """
    amounts = draws.gated("filter", ops.exp(math.log(2.0) * draws.values("filter")), 1.0)
    gains: Tensor = 1.0
    for band in range(_BANDS):
        single = np.arange(_BANDS) == band
        scaled = ops.where(single, amounts[:, band, None], 1.0)
        power = ops.sum(ops.square(scaled) * _POWER, axis=1, keepdims=True)
        gains = gains * scaled / ops.sqrt(power)
    rows, columns = (
        ops.einsum("bk,kij->bij", gains, ops.convert_to_tensor(_band_matrices(size)))
        for size in images.shape[1:3]
    )
    images = ops.einsum("bij,bjwc->biwc", rows, images)
    return ops.einsum("bij,bhjc->bhic", columns, images)


def add_noise(images: Tensor, draws: Draws, normal: Callable[..., Any]) -> Tensor:
    """Images [b, H, W, C] with noise of a standard deviation |N(0, 0.1)| for each image."""
    deviation = draws.gated("noise", 0.1 * ops.abs(draws.value("noise")), 0.0)
    return images + deviation[:, None, None, None] * normal(tuple(images.shape))


def cut_out(images: Tensor, draws: Draws) -> Tensor:
    """Images [b, H, W, C] with a box of half the height and width set to zero.

    Its centre is anywhere in the image, so that it may lie partly outside.
    """
    centres = draws.values("cutout")
    half = draws.gated("cutout", ops.full((centres.shape[0],), 0.25), 0.0)[:, None]
    inside = []
    for axis, side in ((1, images.shape[1]), (0, images.shape[2])):  # Centres are (x, y).
        places = (ops.arange(side, dtype="float32") + 0.5) / side
        inside.append(ops.abs(places[None, :] - centres[:, axis, None]) < half)
    box = inside[0][:, :, None] & inside[1][:, None, :]
    return ops.where(box[..., None], 0.0, images)


@functools.lru_cache(maxsize=8)
def _band_matrices(size: int) -> np.ndarray:
    """For each band, its filter as a matrix on mirrored borders, float32 [4, size, size]."""
    filters = _band_filters()
    reach = filters.shape[1] // 2
    matrices = np.zeros((_BANDS, size, size))
    period = max(2 * (size - 1), 1)
    for pixel in range(size):
        for tap in range(-reach, reach + 1):
            source = (pixel + tap) % period
            source = min(source, period - source) if size > 1 else 0
            matrices[:, pixel, source] += filters[:, reach + tap]
    return matrices.astype(np.float32)


def _band_filters() -> np.ndarray:
    """The filters of the four bands, from the lowest octave to the highest, [4, 43].

    They are built from the wavelet's autocorrelation l and the complement h = 1 - l: the highest
    band is h(z), the next ones l(z) h(z²) and l(z) l(z²) h(z⁴), and the rest is the lowest.
    """
    low = np.convolve(_SYM2, _SYM2[::-1]) / 2
    high = -low
    high[len(low) // 2] += 1
    passed, bands = np.ones(1), []
    for level in range(_BANDS - 1):
        bands.append(np.convolve(passed, _stretched(high, 2**level)))
        passed = np.convolve(passed, _stretched(low, 2**level))
    bands.append(passed)
    return np.stack([_centred(band, len(passed)) for band in reversed(bands)])


def _stretched(taps: np.ndarray, factor: int) -> np.ndarray:
    """The taps with `factor - 1` zeros between each two."""
    stretched = np.zeros(factor * (len(taps) - 1) + 1)
    stretched[::factor] = taps
    return stretched


def _centred(taps: np.ndarray, length: int) -> np.ndarray:
    return np.pad(taps, (length - len(taps)) // 2)
