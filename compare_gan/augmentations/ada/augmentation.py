"""ADA: 18 transformations, with a probability that adapts to overfitting."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.augmentations.ada.color import COLORFUL, recolor
from compare_gan.augmentations.ada.corruption import add_noise, cut_out, filter_bands
from compare_gan.augmentations.ada.draws import COUNTS, Draws
from compare_gan.augmentations.ada.geometry import source_map, warp
from compare_gan.augmentations.adaptive import AdaptiveAugmentation
from compare_gan.errors import UserError, unknown_name
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor

_ROTATIONS = ("prerotate", "postrotate")
_GROUPS: dict[str, tuple[str, ...]] = {
    "blit": ("xflip", "rotate90", "xint"),
    "geometry": ("scale", *_ROTATIONS, "aniso", "xfrac"),
    "color": ("brightness", "contrast", "lumaflip", "hue", "saturation"),
    "rotate": _ROTATIONS,
}
_KNOWN = [*_GROUPS, *(name for name in COUNTS if name not in _ROTATIONS)]


@registry.register("augmentation", "ada", paper="https://arxiv.org/abs/2006.06676")
class ADA(AdaptiveAugmentation):
    """Changes of geometry and colour, more of them as D overfits (Karras et al., 2020).

    Each transformation of the policy applies to an image with probability p. Whatever the policy's
    order, they come in this one:

    - `blit`: `xflip`, mirrored left to right or not; `rotate90`, 0 to 3 quarter turns; `xint`, a
      shift of up to an eighth of each side by whole pixels;
    - `geometry`: `scale` by 2^N(0, 0.2²); `rotate` by any angle, before and after `aniso`, a
      stretch by 2^N(0, 0.2²) of the width and its inverse of the height; `xfrac`, a shift by
      N(0, 0.125²) of each side;
    - `color`: `brightness` plus N(0, 0.1²) (the paper's 0.2 for images in [-1, 1]), `contrast`
      times 2^N(0, 0.5²), `lumaflip`, `hue` by any angle, `saturation` times 2^N(0, 1);
    - `filter`: four octaves of frequencies, each scaled by 2^N(0, 1);
    - `noise`: of standard deviation |N(0, 0.05²)|;
    - `cutout`: a grey box of half the height and width.

    Images are mirrored at their borders, and grey beyond the mirror images. Values are not clipped.
    A factor after a name multiplies its probability: `"blit,geometry,color:0.5,cutout"`. In gray
    images `hue` and `saturation` change nothing. All shapes are static: images are mirrored as far
    as possible, where the paper's program mirrors as far as the images of a batch need.

    Paper: https://arxiv.org/abs/2006.06676.

    Args:
      policy: Names of groups and transformations, separated by commas, each with a factor in [0, 1]
        after a colon or without. The default is the paper's choice.
      p: Probability, a number or a schedule; None = it adapts, beginning at 0.
      target: Mean sign of D's logits of real images at which p stays as it is.
      images: Number of real images, shown to D, in which p can rise from 0 to 1.
      interval: Number of discriminator steps between two changes of p.

    Raises:
      UserError: The policy names an unknown transformation, or none; or a value is out of range.

    Example:
      >>> import keras, numpy as np
      >>> from compare_gan.augmentations import ADA
      >>> augment = ADA("xflip", p=1.0)
      >>> images = np.zeros((2, 8, 8, 3), "float32")
      >>> augment(images, keras.random.uniform, keras.random.normal, step=0).shape
      TensorShape([2, 8, 8, 3])
    """

    name = "ada"

    def __init__(
        self,
        policy: str = "blit,geometry,color",
        p: Scheduled | None = None,
        target: float = 0.6,
        images: int = 500_000,
        interval: int = 4,
    ):
        super().__init__(p, target, images, interval)
        self.strengths = _strengths(policy)

    def __call__(
        self,
        images: Tensor,
        uniform: Callable[..., Any],
        normal: Callable[..., Any],
        step: Any = 0,
    ) -> Tensor:
        images = ops.convert_to_tensor(images)
        b, height, width, channels = images.shape
        strengths = self.strengths
        if channels == 1:
            strengths = {name: s for name, s in strengths.items() if name not in COLORFUL}
        if not strengths:
            return images
        draws = Draws(strengths, self.probability(step), uniform, normal, b)
        changed = 2.0 * ops.cast(images, "float32") - 1.0
        matrix = source_map(draws, height, width)
        if matrix is not None:
            changed = warp(changed, matrix)
        changed = recolor(changed, draws)
        if "filter" in strengths:
            changed = filter_bands(changed, draws)
        if "noise" in strengths:
            changed = add_noise(changed, draws, normal)
        if "cutout" in strengths:
            changed = cut_out(changed, draws)
        return ops.cast(0.5 * changed + 0.5, images.dtype)


def _strengths(policy: Any) -> dict[str, float]:
    """The factor of the probability of each transformation that a policy names."""
    entries = [each.strip() for each in policy.split(",")] if isinstance(policy, str) else []
    if not any(entries):
        raise UserError(
            "ada.policy must name transformations separated by commas, received "
            f"{policy!r}. Known: {', '.join(_KNOWN)}."
        )
    strengths = {}
    for entry in entries:
        name, colon, factor = (each.strip() for each in entry.partition(":"))
        if name not in _KNOWN:
            raise unknown_name("transformation of ada.policy", name, _KNOWN)
        for each in _GROUPS.get(name, (name,)):
            strengths[each] = _factor(entry, factor) if colon else 1.0
    return strengths


def _factor(entry: str, text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = -1.0
    if not 0 <= factor <= 1:
        raise UserError(f"ada.policy has '{entry}': a factor must be a number in [0, 1].")
    return factor
