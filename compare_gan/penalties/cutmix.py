"""CutMix consistency: the pixels of a collage are judged like those of its two images."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor


@registry.register("penalty", "cutmix", paper="https://arxiv.org/abs/2002.12655")
class CutMix(Penalty):
    """Difference of the logits of a collage's pixels from a collage of logits (Schönfeld, 2020).

    A box of a random size and place of each real image is replaced by that of a generated one, or
    the other way around. The penalty is the mean squared difference of the logits of the collage's
    pixels from those that the same pixels have in the two images. It is made for discriminators
    with logits of pixels (`unet_biggan`); of others it compares the logit of the collage with the
    mean of the two images' logits, weighted by their areas.

    The paper also lets D classify the collages; here D sees them in this term only. Do not combine
    it with augmentations, whose draws differ for the collage and the generated images.

    Paper: https://arxiv.org/abs/2002.12655.

    Args:
      weight: Weight of the term, a number or a schedule; 1 in the paper.
      interval: Number of discriminator updates between two evaluations.

    Example:
      >>> from compare_gan.penalties import CutMix
      >>> CutMix(weight=0.5).interval
      1
    """

    name = "cutmix"
    compares_forwards = True

    def __init__(self, weight: Scheduled = 1.0, interval: int = 1):
        super().__init__(weight, interval)

    def discriminator_term(
        self,
        logits_with_pixels: Callable[[Tensor], Tensor],
        x: Tensor,
        x_fake: Tensor,
        real_logits_with_pixels: Tensor,
        fake_logits_with_pixels: Tensor,
        uniform: Callable[..., Any],
    ) -> Tensor:
        """The mean squared difference, a scalar in [0, inf).

        Args:
          logits_with_pixels: Function from images to logits [b, 1 + H · W], or [b, 1].
          x: Float [b, H, W, C] in [0, 1], real images.
          x_fake: Float [b, H, W, C] in [0, 1], generated images.
          real_logits_with_pixels: Float [b, 1 + H · W] or [b, 1], logits of the real images and of
            their pixels.
          fake_logits_with_pixels: Those of the generated images, of the same shape.
          uniform: Function from a shape to draws in [0, 1).
        """
        b, height, width, _ = x.shape
        mask = ops.cast(collage_mask(b, height, width, uniform), x.dtype)[..., None]
        found = logits_with_pixels(mask * x + (1.0 - mask) * ops.cast(x_fake, x.dtype))
        real_share = ops.cast(ops.reshape(mask, (b, height * width)), found.dtype)
        real, fake = real_logits_with_pixels, fake_logits_with_pixels
        if found.shape[1] == 1:
            real_share = ops.mean(real_share, axis=1, keepdims=True)
        else:
            found, real, fake = (logits[:, 1:] for logits in (found, real, fake))
        expected = real_share * real + (1.0 - real_share) * fake
        return ops.mean(ops.square(found - expected))


def collage_mask(b: int, height: int, width: int, uniform: Callable[..., Any]) -> Tensor:
    """The pixels that come from the first of two images: a box or all but a box, bool [b, H, W].

    The box covers a uniformly distributed share of the image where it lies inside; its centre is
    anywhere.

    Args:
      b: Number of images.
      height: Height of the images.
      width: Width of the images.
      uniform: Function from a shape to draws in [0, 1).
    """
    share, *centres, swap = ops.split(uniform((b, 4)), 4, axis=1)
    half = 0.5 * ops.sqrt(share)
    sides = []
    for size, centre in zip((height, width), centres, strict=True):
        places = (ops.arange(size, dtype="float32")[None, :] + 0.5) / size
        sides.append(ops.abs(places - centre) < half)
    inside = ops.logical_and(sides[0][:, :, None], sides[1][:, None, :])
    return ops.logical_xor(inside, (swap < 0.5)[:, :, None])
