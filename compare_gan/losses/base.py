"""The result of a loss, and the mark of losses whose generator part needs real logits."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from compare_gan.types import Tensor

_Loss = TypeVar("_Loss", bound=Callable[..., Any])


class Losses(NamedTuple):
    """The adversarial losses of both networks, scalars in the dtype of the logits.

    Attributes:
      d_loss: Loss that the discriminator minimises.
      d_loss_real: Part from real examples.
      d_loss_fake: Part from generated examples.
      g_loss: Loss that the generator minimises. It may depend on the logits of real examples only
        if the loss is marked with `generator_sees_real`: otherwise a generator step shows the
        discriminator no real examples.

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import wasserstein
      >>> losses = wasserstein(ops.ones((4, 1)), ops.zeros((4, 1)))
      >>> type(losses).__name__, float(losses.d_loss)
      ('Losses', -1.0)
    """

    d_loss: Tensor
    d_loss_real: Tensor
    d_loss_fake: Tensor
    g_loss: Tensor


def generator_sees_real(loss: _Loss) -> _Loss:
    """Decorator that declares that the generator's loss depends on the logits of real images.

    The generator's steps then also show the discriminator fresh real images. It works on functions
    and on classes with a `__call__`; setting the attribute `generator_sees_real = True` does the
    same. Apply it below `registry.register`, so that the registered function is marked.

    Example:
      >>> from keras import ops
      >>> from compare_gan.losses import Losses, generator_sees_real, sees_real
      >>> @generator_sees_real
      ... def difference(d_real_logits, d_fake_logits):
      ...     gap = ops.mean(d_real_logits - d_fake_logits)
      ...     return Losses(-gap, -gap / 2, -gap / 2, gap)
      >>> sees_real(difference)
      True
    """
    loss.generator_sees_real = True  # type: ignore[attr-defined]
    return loss


def sees_real(loss: Callable[..., Any]) -> bool:
    """Whether a loss declares that its generator's part depends on the logits of real images.

    Example:
      >>> from compare_gan.losses import hinge, rp_gan, sees_real
      >>> sees_real(hinge), sees_real(rp_gan)
      (False, True)
    """
    while isinstance(loss, functools.partial):
        loss = loss.func
    return bool(getattr(loss, "generator_sees_real", False))
