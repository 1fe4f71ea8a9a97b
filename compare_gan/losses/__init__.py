"""Adversarial losses: functions from real and fake logits to the losses of both networks."""

from compare_gan.losses.adversarial import (
    hinge,
    least_squares,
    ls_gan,
    non_saturating,
    wasserstein,
)
from compare_gan.losses.base import (
    AVAILABLE,
    Losses,
    decides_at_zero,
    generator_sees_real,
    is_mean_over_images,
    needs_class_logits,
    not_mean_over_images,
    requested,
    sees_real,
    without_zero,
)
from compare_gan.losses.multi_hinge import MultiHinge
from compare_gan.losses.relativistic import ra_gan, rp_gan
from compare_gan.losses.unet import UNetLoss

__all__ = [
    "AVAILABLE",
    "Losses",
    "MultiHinge",
    "UNetLoss",
    "decides_at_zero",
    "generator_sees_real",
    "hinge",
    "is_mean_over_images",
    "least_squares",
    "ls_gan",
    "needs_class_logits",
    "non_saturating",
    "not_mean_over_images",
    "ra_gan",
    "requested",
    "rp_gan",
    "sees_real",
    "wasserstein",
    "without_zero",
]
