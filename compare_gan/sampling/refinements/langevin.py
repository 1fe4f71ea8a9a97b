"""Langevin dynamics in the latent space, driven by the discriminator."""

import dataclasses

import numpy as np

from compare_gan import registry
from compare_gan.datasets.latents import LatentDistribution, normal, uniform
from compare_gan.engine.progress import tracked
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.refinements.base import Judge, Refinement


@registry.register("refinement", "ddls", paper="https://arxiv.org/abs/2003.06060")
@dataclasses.dataclass(frozen=True)
class LangevinSampling(Refinement):
    """Discriminator-driven latent sampling, DDLS (Che et al., 2020).

    Moves latents towards low energy E = -log p(z) - D(G(z)), where D is the logit:
    z <- z - rate / 2 * dE/dz + sqrt(rate) * noise * n, with standard normal n. With noise 1 and
    small rates, latents then follow exp(-E). Latents must be normal or uniform; uniform ones, whose
    density is constant, stay in their interval.

    Paper: https://arxiv.org/abs/2003.06060, rate 0.01, noise 0.1, 1,000 steps on CIFAR-10.

    Attributes:
      steps: Number of steps.
      rate: Size of a step.
      noise: Standard deviation of the noise.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.sampling.refinements import LangevinSampling
      >>> LangevinSampling(steps=100).describe()
      'ddls(steps=100, rate=0.01, noise=0.1)'
    """

    steps: int = 1000
    rate: float = 0.01
    noise: float = 0.1
    name = "ddls"

    def __post_init__(self) -> None:
        check_positive_integer("ddls.steps", self.steps)
        check_range("ddls.rate", self.rate)
        check_range("ddls.noise", self.noise)

    def refine(self, judge: Judge, draws: Draws, labels: np.ndarray | None) -> np.ndarray:
        """See `Refinement.refine`.

        Raises:
          UserError: The density of the latents is not known.
        """
        sampler = judge.sampler
        distribution, truncation = sampler.distribution, sampler.latent_truncation
        _check(distribution)
        z = draws.latents(0)
        for number in tracked(range(self.steps), "Langevin steps", self.steps):
            slopes = judge.slopes(z, labels)
            if distribution.is_normal:
                slopes = slopes - z / distribution.stddev**2
            moved = z + 0.5 * self.rate * slopes
            z = moved + np.sqrt(self.rate) * self.noise * draws.normal(number)
            if not distribution.is_normal:
                limits = truncation * distribution.minval, truncation * distribution.maxval
                z = np.clip(z, *limits)
            elif truncation < 1:
                limit = 2 * truncation * distribution.stddev
                z = np.clip(z, -limit, limit)
        return z.astype(np.float32)


def _check(distribution: LatentDistribution) -> None:
    if distribution.distribution_fn not in (normal, uniform):
        raise UserError(
            f"ddls needs normal or uniform latents, whose density it knows; received "
            f"{distribution.describe()}."
        )
