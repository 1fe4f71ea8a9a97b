"""How a penalty is chosen in a config and given what it asks for."""

from collections.abc import Callable
from typing import Any

import gin
import keras

from compare_gan import registry
from compare_gan.penalties.regularizers import no_penalty
from compare_gan.registry import call_with_requested


@gin.configurable("penalty", allowlist=["fn"])
def get_penalty(fn: Callable[..., Any] | str = no_penalty, **available: Any):
    """The penalty by the function that the config names (`penalty.fn = @wgangp_penalty`).

    Args:
      fn: A penalty function, or the registered name of one. It gets those of the `available`
        values that its parameters are named after.
      **available: `discriminator` (from images [b, H, W, C] to logits [b, 1], in training mode,
        labels bound), `x` and `x_fake` (real and generated images [b, H, W, C] in [0, 1]), `y`
        (labels [b, k] or None), `uniform` (from a shape to float draws in [0, 1); Keras's by
        default), `kernels` (the discriminator's kernels).

    Returns:
      A scalar, not yet weighted.

    Raises:
      UserError: No penalty has this name.
    """
    available.setdefault("uniform", keras.random.uniform)
    return call_with_requested(registry.get("penalty", fn), **available)
