"""Langevin dynamics in the latent space, driven by the discriminator."""

import dataclasses

import numpy as np

from compare_gan import registry
from compare_gan.engine.progress import tracked
from compare_gan.errors import check_positive_integer, check_range
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.refinements.base import Judge, Refinement


@registry.register("refinement", "ddls", paper="https://arxiv.org/abs/2003.06060")
@dataclasses.dataclass(frozen=True)
class LangevinSampling(Refinement):
    """Discriminator-driven latent sampling, DDLS (Che et al., 2020).

    Moves latents towards low energy E = -log p(z) - D(G(z)), where D is the logit:
    z <- z - rate / 2 * dE/dz + sqrt(rate) * noise * n, with standard normal n. With noise 1 and
    small rates, latents then follow exp(-E). Latents must be normal or uniform; uniform and
    truncated ones stay in their interval.

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
        distribution = sampler.distribution
        limits = distribution.limits("ddls", sampler.latent_truncation)
        z = draws.latents(0)
        for number in tracked(range(self.steps), "Langevin steps", self.steps):
            slopes = judge.slopes(z, labels)
            if distribution.is_normal:
                slopes = slopes - z / distribution.stddev**2
            moved = z + 0.5 * self.rate * slopes
            z = np.clip(moved + np.sqrt(self.rate) * self.noise * draws.normal(number), *limits)
        return z.astype(np.float32)
