"""The adversarial loss of both halves of a batch, or of the generated images that look best."""

import functools
from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan.backend import gathered
from compare_gan.errors import UserError
from compare_gan.gans.examples import Half
from compare_gan.losses import Losses, needs_class_logits
from compare_gan.penalties.base import function_name
from compare_gan.registry import call_with_requested
from compare_gan.types import Tensor

# Name of the head whose logits a loss requests as `real_class_logits` and `fake_class_logits`.
CLASS_LOGITS = "class_logits"


def adversarial_losses(loss: Callable[..., Losses], real: Half, fake: Half) -> Losses:
    """The losses of both networks.

    Args:
      loss: Function of real and fake logits, and of those of `losses.AVAILABLE` that it requests.
      real: Real images after the forward of the discriminator.
      fake: Generated images after it.

    Raises:
      UserError: The loss classifies images, and the discriminator judges pixels too.
    """
    if needs_class_logits(loss) and fake.logits.shape[1] > 1:
        name = getattr(loss, "name", function_name(loss))
        raise UserError(
            f"The loss '{name}' classifies images, but the discriminator also has a logit for each "
            "pixel: choose another architecture or the loss 'unet'."
        )
    available: dict[str, Any] = {}
    for side, half in (("real", real), ("fake", fake)):
        available[f"{side}_labels"] = half.labels
        available[f"{side}_features"] = half.features
        if CLASS_LOGITS in half.seen:
            available[f"{side}_class_logits"] = half.seen[CLASS_LOGITS].outputs
    return call_with_requested(functools.partial(loss, real.logits, fake.logits), **available)


def generator_loss(loss: Callable[..., Losses], real: Half, fake: Half, share: Any) -> Tensor:
    """The generator's loss over all generated images or a share of the best; a scalar.

    Args:
      loss: See `adversarial_losses`.
      real: Real images after the forward of the discriminator.
      fake: Generated images after it.
      share: 1 for all images, or see `loss_of_the_best`.
    """
    if isinstance(share, (int, float)) and share == 1:
        return adversarial_losses(loss, real, fake).g_loss
    return loss_of_the_best(loss, real.logits, fake.logits, share)


def loss_of_the_best(
    loss: Callable[[Tensor, Tensor], Losses], real_logits: Tensor, fake_logits: Tensor, share: Any
) -> Tensor:
    """The generator's loss over the generated images with the highest logits (Sinha et al., 2020).

    Paper: https://arxiv.org/abs/2002.06224.

    Args:
      loss: Function of real and fake logits, a mean over images.
      real_logits: Float [b, n]; the i-th row goes with the i-th generated image.
      fake_logits: Float [b, n]; the first column judges the images.
      share: Share in (0, 1] of the images of all replicas, rounded down, but at least one image.

    Returns:
      A scalar: as a mean over replicas, the mean over these images.
    """
    b, everyone = fake_logits.shape[0], gathered(ops.stop_gradient(fake_logits))[:, 0]
    n = everyone.shape[0]
    # 0.7 * 10 is 6.9999999 in float32.
    k = ops.clip(ops.cast(ops.floor(share * n + 1e-4), "int32"), 1, n)
    threshold = ops.take(ops.sort(everyone), n - k)
    kept, count = fake_logits[:, :1] >= threshold, ops.sum(everyone >= threshold)
    # The number of images varies, but shapes cannot: the best image stands in for those left out,
    # and its loss is subtracted as often.
    best = ops.cast(ops.argmax(fake_logits[:, 0]), "int32")
    of_the_best = [ops.take(each, best, axis=0)[None] for each in (real_logits, fake_logits)]
    pairs = zip((real_logits, fake_logits), of_the_best, strict=True)
    mean = loss(*(ops.where(kept, logits, one) for logits, one in pairs)).g_loss
    left_out = ops.sum(ops.cast(ops.logical_not(kept), mean.dtype))
    total = b * mean - left_out * loss(*of_the_best).g_loss
    return total * (n // b) / ops.cast(count, mean.dtype)
