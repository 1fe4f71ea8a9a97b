"""The loss of U-Net discriminators: that of the whole image plus that of its pixels."""

import inspect
from collections.abc import Callable

from compare_gan import registry
from compare_gan.errors import UserError, check_range
from compare_gan.losses.base import (
    Losses,
    decides_at_zero,
    is_mean_over_images,
    requested,
    sees_real,
)
from compare_gan.types import Tensor


@registry.register("loss", "unet", paper="https://arxiv.org/abs/2002.12655")
class UNetLoss:
    """A loss of the logits of images plus its mean over the logits of pixels (Schönfeld, 2020).

    For discriminators such as `unet_biggan` that have a logit for each pixel in addition to that of
    the image. With others it is the loss itself.

    Paper: https://arxiv.org/abs/2002.12655.

    Args:
      loss: Loss of logits, a mean over them; a function or a registered name.
      pixel_weight: Weight of the pixels' part.

    Raises:
      UserError: No loss has this name, it is not a function of logits alone (such as
        `multi_hinge`), or the weight is negative.

    Example:
      >>> import numpy as np
      >>> from compare_gan.losses import UNetLoss
      >>> real = np.float32([[2.0, 1.0, 0.0]])  # One image of two pixels.
      >>> float(UNetLoss("hinge")(real, -real).d_loss)
      1.0
    """

    def __init__(self, loss: Callable[..., Losses] | str = "hinge", pixel_weight: float = 1.0):
        check_range("unet.pixel_weight", pixel_weight)
        self.loss: Callable[..., Losses] = registry.get("loss", loss)
        if inspect.isclass(self.loss) or requested(self.loss):
            name = getattr(self.loss, "__name__", type(self.loss).__name__)
            raise UserError(f"unet.loss must be a function of logits alone, received {name}.")
        self.pixel_weight = pixel_weight
        self.generator_sees_real = sees_real(self.loss)
        self.is_mean_over_images = is_mean_over_images(self.loss)
        self.without_zero = not decides_at_zero(self.loss)

    def __call__(self, d_real_logits: Tensor, d_fake_logits: Tensor) -> Losses:
        """The losses of both networks.

        Args:
          d_real_logits: Float [b, 1 + n], logits of real images and of their n pixels.
          d_fake_logits: Float [b, 1 + n], those of generated images.
        """
        whole = self.loss(d_real_logits[:, :1], d_fake_logits[:, :1])
        if d_real_logits.shape[1] == 1:
            return whole
        pixels = self.loss(d_real_logits[:, 1:], d_fake_logits[:, 1:])
        return Losses(*(a + self.pixel_weight * b for a, b in zip(whole, pixels, strict=True)))
