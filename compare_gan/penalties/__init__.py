"""Penalties: terms that join the loss of the discriminator or of the generator."""

from compare_gan.penalties.base import AVAILABLE, FunctionPenalty, Penalty
from compare_gan.penalties.consistency import BCR, CR
from compare_gan.penalties.cutmix import CutMix
from compare_gan.penalties.latent_consistency import ICR, ZCR
from compare_gan.penalties.lecam import LeCam
from compare_gan.penalties.mode_seeking import ModeSeeking
from compare_gan.penalties.orthogonal import Orthogonal
from compare_gan.penalties.path_length import PathLength
from compare_gan.penalties.r1 import R1, R1R2, R2
from compare_gan.penalties.regularizers import (
    dragan_penalty,
    l2_penalty,
    no_penalty,
    wgangp_penalty,
)
from compare_gan.penalties.slopes import WGANLP, MaxGP

__all__ = [
    "AVAILABLE",
    "BCR",
    "CR",
    "ICR",
    "R1",
    "R1R2",
    "R2",
    "WGANLP",
    "ZCR",
    "CutMix",
    "FunctionPenalty",
    "LeCam",
    "MaxGP",
    "ModeSeeking",
    "Orthogonal",
    "PathLength",
    "Penalty",
    "dragan_penalty",
    "l2_penalty",
    "no_penalty",
    "wgangp_penalty",
]
