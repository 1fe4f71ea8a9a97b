"""Adversarial losses: functions from real and fake logits to the losses of both networks."""

from compare_gan.losses.adversarial import hinge, least_squares, non_saturating, wasserstein
from compare_gan.losses.base import Losses, generator_sees_real, sees_real
from compare_gan.losses.relativistic import rp_gan
from compare_gan.losses.unet import UNetLoss

__all__ = [
    "Losses",
    "UNetLoss",
    "generator_sees_real",
    "hinge",
    "least_squares",
    "non_saturating",
    "rp_gan",
    "sees_real",
    "wasserstein",
]
