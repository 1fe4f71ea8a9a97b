"""Adversarial losses: functions from real and fake logits to the losses of both networks."""

from compare_gan.losses.adversarial import hinge, least_squares, non_saturating, wasserstein
from compare_gan.losses.base import Losses
from compare_gan.losses.choice import get_losses

__all__ = ["Losses", "get_losses", "hinge", "least_squares", "non_saturating", "wasserstein"]
