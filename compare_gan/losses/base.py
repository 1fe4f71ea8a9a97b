"""What a loss returns, and how one is chosen in a config."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gin

from compare_gan import registry


class Losses(NamedTuple):
    """The adversarial losses of both networks, scalars in the dtype of the logits.

    Attributes:
      d_loss: What the discriminator minimises.
      d_loss_real: Its part that stems from real examples.
      d_loss_fake: Its part that stems from generated examples.
      g_loss: What the generator minimises. It follows from the logits of generated examples alone:
        a generator step shows the discriminator no real ones.
    """

    d_loss: Any
    d_loss_real: Any
    d_loss_fake: Any
    g_loss: Any


@gin.configurable("loss")
def get_losses(
    d_real_logits, d_fake_logits, fn: Callable[..., Losses] | str = "non_saturating"
) -> Losses:
    """The losses by the function that the config names (`loss.fn = @hinge`).

    Args:
      d_real_logits: Float [batch, 1]: the discriminator's logits of real examples.
      d_fake_logits: Float [batch, 1]: those of generated examples.
      fn: A loss function, or the registered name of one.

    Returns:
      Losses, four scalars.

    Raises:
      UserError: No loss has this name.
    """
    return registry.get("loss", fn)(d_real_logits, d_fake_logits)
