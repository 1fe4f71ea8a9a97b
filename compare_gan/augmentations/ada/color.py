"""ADA's colours: one affine map of the colours of each image, about grey = 0."""

import math
from collections.abc import Callable

import numpy as np
from keras import ops

from compare_gan.augmentations.ada.draws import Draws
from compare_gan.types import Tensor

# The unit vector along greys, the projection on it and the cross product with it.
_GREYS = np.full(3, 1 / math.sqrt(3))
_LUMA = np.outer(_GREYS, _GREYS).astype(np.float32)
_CHROMA = np.eye(3, dtype=np.float32) - _LUMA
_TURN = (np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)).astype(np.float32)
# In gray images these change nothing.
COLORFUL = ("hue", "saturation")


def recolor(images: Tensor, draws: Draws) -> Tensor:
    """Images with changed colours.

    Args:
      images: float32 [b, H, W, C] in [-1, 1], C = 1 or 3.
      draws: The draws.

    Returns:
      float32 [b, H, W, C], not clipped.
    """
    names = [name for name in draws.names if name in _MAPS]
    if not names:
        return images
    matrix, shift = _MAPS[names[0]](draws)
    for name in names[1:]:
        factor, offset = _MAPS[name](draws)
        matrix = ops.matmul(factor, matrix)
        shift = ops.matmul(factor, shift) + offset
    if images.shape[-1] == 1:
        # A grey (v, v, v), and the mean of the resulting channels.
        gain = ops.mean(ops.sum(matrix, axis=2), axis=1)[:, None, None, None]
        return images * gain + ops.mean(shift, axis=1)[:, :, None, None]
    return ops.einsum("bhwc,bdc->bhwd", images, matrix) + shift[:, None, None, :, 0]


def _brightness(draws: Draws) -> tuple[Tensor, Tensor]:
    amount = draws.gated("brightness", 0.2 * draws.value("brightness"), 0.0)
    return _combined(ops.ones_like(amount), ops.ones_like(amount)), _shift(amount)


def _contrast(draws: Draws) -> tuple[Tensor, Tensor]:
    factor = ops.exp(0.5 * math.log(2.0) * draws.value("contrast"))
    factor = draws.gated("contrast", factor, 1.0)
    return _combined(factor, factor), _shift(0.0 * factor)


def _lumaflip(draws: Draws) -> tuple[Tensor, Tensor]:
    sign = 1.0 - 2.0 * ops.floor(2.0 * draws.value("lumaflip"))
    sign = draws.gated("lumaflip", sign, 1.0)
    return _combined(sign, ops.ones_like(sign)), _shift(0.0 * sign)


def _hue(draws: Draws) -> tuple[Tensor, Tensor]:
    angle = math.pi * (2.0 * draws.value("hue") - 1.0)
    angle = draws.gated("hue", angle, 0.0)
    turned = ops.sin(angle)[:, None, None] * _TURN
    return _combined(ops.ones_like(angle), ops.cos(angle)) + turned, _shift(0.0 * angle)


def _saturation(draws: Draws) -> tuple[Tensor, Tensor]:
    factor = ops.exp(math.log(2.0) * draws.value("saturation"))
    factor = draws.gated("saturation", factor, 1.0)
    return _combined(ops.ones_like(factor), factor), _shift(0.0 * factor)


def _combined(luma: Tensor, chroma: Tensor) -> Tensor:
    """The maps [b, 3, 3] that scale the grey part and the rest of colours by [b] each."""
    return luma[:, None, None] * _LUMA + chroma[:, None, None] * _CHROMA


def _shift(amount: Tensor) -> Tensor:
    """The same shift of all channels, [b, 3, 1]."""
    return ops.tile(amount[:, None, None], (1, 3, 1))


_MAPS: dict[str, Callable[[Draws], tuple[Tensor, Tensor]]] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "lumaflip": _lumaflip,
    "hue": _hue,
    "saturation": _saturation,
}
