"""What a loss returns."""

from typing import Any, NamedTuple


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
