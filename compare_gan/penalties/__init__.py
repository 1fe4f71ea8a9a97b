"""Penalties: terms that join the loss of the discriminator or of the generator."""

from compare_gan.penalties.base import AVAILABLE, FunctionPenalty, Penalty
from compare_gan.penalties.cutmix import CutMix
from compare_gan.penalties.lecam import LeCam
from compare_gan.penalties.path_length import PathLength
from compare_gan.penalties.r1 import R1
from compare_gan.penalties.regularizers import (
    dragan_penalty,
    l2_penalty,
    no_penalty,
    wgangp_penalty,
)

__all__ = [
    "AVAILABLE",
    "R1",
    "CutMix",
    "FunctionPenalty",
    "LeCam",
    "PathLength",
    "Penalty",
    "dragan_penalty",
    "l2_penalty",
    "no_penalty",
    "wgangp_penalty",
]
