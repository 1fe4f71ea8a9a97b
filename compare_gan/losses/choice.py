"""How a loss is chosen in a config."""

from collections.abc import Callable

import gin

from compare_gan import registry
from compare_gan.losses.adversarial import non_saturating
from compare_gan.losses.base import Losses


@gin.configurable("loss", allowlist=["fn"])
def get_losses(
    d_real_logits, d_fake_logits, fn: Callable[..., Losses] | str = non_saturating
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
