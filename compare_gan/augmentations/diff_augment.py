"""DiffAugment: colour, translation and cutout."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.augmentations.base import Augmentation
from compare_gan.errors import UserError, check_range, unknown_name
from compare_gan.types import Tensor

Uniform = Callable[..., Any]
_COLOR = ("brightness", "saturation", "contrast")


@registry.register("augmentation", "diff_augment", paper="https://arxiv.org/abs/2006.10738")
class DiffAugment(Augmentation):
    """Changes of colour, shifts and grey boxes, each drawn for every image (Zhao et al., 2020).

    The operations of the policy are applied in its order:

    - `brightness`: adds a number in ±0.25 (the paper's ±0.5 for images in [-1, 1]);
    - `saturation`: multiplies the distance of each channel from the pixel's mean by 0 to 2, which
      changes nothing in grey images;
    - `contrast`: multiplies the distance from the image's mean by 0.5 to 1.5;
    - `color`: these three;
    - `translation`: shifts by up to an eighth of each side; the uncovered border is filled;
    - `cutout`: fills a box of half the height and half the width.

    Values are not clipped. Paper: https://arxiv.org/abs/2006.10738.

    Args:
      policy: Names of operations, separated by commas. In configs `DiffAugment.policy` is another
        spelling, which also adds this augmentation to the GAN, with black filling.
      fill: Value of filled pixels; 0.5 is the paper's grey, 0 black.

    Raises:
      UserError: The policy names an unknown operation, or none, or `fill` is not in [0, 1].

    Example:
      >>> import numpy as np
      >>> from compare_gan.augmentations import DiffAugment
      >>> augment = DiffAugment("brightness,cutout")
      >>> images = np.zeros((2, 8, 8, 3), "float32")
      >>> augment(images, lambda shape: np.full(shape, 0.5, "float32")).shape
      TensorShape([2, 8, 8, 3])
    """

    name = "diff_augment"

    def __init__(self, policy: str = "color,translation,cutout", fill: float = 0.5):
        super().__init__()
        check_range("diff_augment.fill", fill, 0, 1)
        self.fill = fill
        names = [name.strip() for name in policy.split(",")] if isinstance(policy, str) else []
        if not any(names):
            raise UserError(
                "diff_augment.policy must name operations separated by commas, received "
                f"{policy!r}. Known: color, {', '.join(_OPERATIONS)}."
            )
        self.operations: list[str] = []
        known = ["color", *_OPERATIONS]
        for name in names:
            if name not in known:
                raise unknown_name("operation of diff_augment.policy", name, known)
            self.operations += _COLOR if name == "color" else [name]

    def __call__(
        self, images: Tensor, uniform: Uniform, normal: Any = None, step: Any = 0
    ) -> Tensor:
        images = ops.convert_to_tensor(images)
        for name in self.operations:
            images = registry.call_with_requested(
                _OPERATIONS[name], images=images, uniform=uniform, fill=self.fill
            )
        return images


def brightness(images: Tensor, uniform: Uniform) -> Tensor:
    """Adds a number in [-0.25, 0.25) to each image, [b, H, W, C]."""
    return images + 0.5 * (_draw(images, uniform) - 0.5)


def saturation(images: Tensor, uniform: Uniform) -> Tensor:
    """Scales the distance of channels from the pixel's mean by [0, 2) in each image."""
    factor = 2.0 * _draw(images, uniform)
    if images.shape[-1] == 1:
        return images
    mean = ops.mean(images, axis=3, keepdims=True)
    return (images - mean) * factor + mean


def contrast(images: Tensor, uniform: Uniform) -> Tensor:
    """Scales the distance from the image's mean by [0.5, 1.5) in each image."""
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return (images - mean) * (_draw(images, uniform) + 0.5) + mean


def translation(images: Tensor, uniform: Uniform, fill: float = 0.5) -> Tensor:
    """Shifts each image by up to an eighth of its height and width."""
    b, height, width, _ = images.shape
    most = [int(size * 0.125 + 0.5) for size in (height, width)]
    rows, columns = (_integers(uniform, b, -m, m) for m in most)
    # Products with 0/1 matrices pick rows and columns: their gradient is faster than that of a
    # gather.
    images = images - fill
    images = ops.einsum("bij,bjwc->biwc", _shift_matrix(rows, height, images.dtype), images)
    images = ops.einsum("bij,bhjc->bhic", _shift_matrix(columns, width, images.dtype), images)
    return images + fill


def cutout(images: Tensor, uniform: Uniform, fill: float = 0.5) -> Tensor:
    """Fills a box of half the height and half the width of each image.

    The box may lie partly outside; then the row or column at the border is covered in any case, as
    in the authors' program.
    """
    b, height, width, _ = images.shape
    covered = []
    for size in (height, width):
        box = int(size * 0.5 + 0.5)
        centre = _integers(uniform, b, 0, size - box % 2)
        covered.append(_covered(centre - box // 2, box, size))
    inside = ops.cast(covered[0][:, :, None] & covered[1][:, None, :], images.dtype)[..., None]
    return images * (1.0 - inside) + fill * inside


_OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "brightness": brightness,
    "saturation": saturation,
    "contrast": contrast,
    "translation": translation,
    "cutout": cutout,
}


def _draw(images: Tensor, uniform: Uniform) -> Tensor:
    """A draw in [0, 1) for each image, [b, 1, 1, 1]."""
    return ops.cast(uniform((images.shape[0], 1, 1, 1)), images.dtype)


def _integers(uniform: Uniform, b: int, least: int, most: int) -> Tensor:
    """An integer from `least` to `most`, both included, for each image; int32 [b]."""
    draws = uniform((b, 1, 1, 1))[:, 0, 0, 0]
    return ops.cast(ops.floor(draws * (most - least + 1)), "int32") + least


def _shift_matrix(shift: Tensor, size: int, dtype: Any) -> Tensor:
    """Matrices [b, size, size] with row i picking entry i + shift; zero where there is none."""
    source = ops.arange(size, dtype="int32")[None, :] + shift[:, None]
    # Outside of the range one_hot is zero on every backend only for negative indices.
    source = ops.where(source < size, source, -1)
    return ops.one_hot(source, size, dtype=dtype)


def _covered(start: Tensor, box: int, size: int) -> Tensor:
    """Mask of the rows in a box, with its bounds clamped to the image; bool [b, size]."""
    first = ops.clip(start, 0, size - 1)[:, None]
    last = ops.clip(start + box - 1, 0, size - 1)[:, None]
    rows = ops.arange(size, dtype="int32")[None, :]
    return (rows >= first) & (rows <= last)
