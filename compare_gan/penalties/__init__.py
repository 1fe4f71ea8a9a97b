"""Penalties on the discriminator, added to its loss with the weight `options.lamba`."""

from compare_gan.penalties.choice import get_penalty
from compare_gan.penalties.regularizers import (
    dragan_penalty,
    l2_penalty,
    no_penalty,
    wgangp_penalty,
)

__all__ = ["dragan_penalty", "get_penalty", "l2_penalty", "no_penalty", "wgangp_penalty"]
