"""Refinements: latents that the discriminator chooses, for better images from a trained GAN."""

from compare_gan.sampling.refinements.base import Refinement, describe_latents
from compare_gan.sampling.refinements.langevin import LangevinSampling
from compare_gan.sampling.refinements.metropolis_hastings import (
    MetropolisHastings,
    calibrated_slope,
)
from compare_gan.sampling.refinements.rejection import RejectionSampling

__all__ = [
    "LangevinSampling",
    "MetropolisHastings",
    "Refinement",
    "RejectionSampling",
    "calibrated_slope",
    "describe_latents",
]
