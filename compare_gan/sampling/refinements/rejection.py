"""Rejection sampling by the discriminator."""

import dataclasses
import logging

import numpy as np

from compare_gan import registry
from compare_gan.errors import check_positive_integer, check_range
from compare_gan.sampling.classes import labels_in_turn
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.refinements.base import Judge, Refinement

_log = logging.getLogger(__name__)

_BURN_IN_SEED = 0x647273


@registry.register("refinement", "drs", paper="https://arxiv.org/abs/1810.06758")
@dataclasses.dataclass(frozen=True)
class RejectionSampling(Refinement):
    """Accepts samples with a probability that grows with D's logit (Azadi et al., 2019).

    With the logit d of a sample, the largest logit M and F = d - M - log(1 - exp(d - M - epsilon)),
    a sample is accepted with probability sigmoid(F - gamma); rejected ones are drawn again. gamma
    is a percentile of F: a larger one accepts less. M and gamma come from samples drawn before. It
    assumes logits that are log density ratios, as those of the non-saturating loss are at its
    optimum.

    Paper: https://arxiv.org/abs/1810.06758, percentile 80 (95 for a mixture of Gaussians), 10,000
    samples before.

    Attributes:
      percentile: Percentile of F that gamma is, in [0, 100].
      burn_in: Number of samples that M and gamma are estimated from.
      epsilon: Number that keeps F finite.
      most_rounds: Number of draws for a sample, of which the last is accepted in any case.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.sampling.refinements import RejectionSampling
      >>> RejectionSampling(percentile=95.0).describe()
      'drs(percentile=95.0, burn_in=10000, epsilon=1e-08, most_rounds=1000)'
    """

    percentile: float = 80.0
    burn_in: int = 10_000
    epsilon: float = 1e-8
    most_rounds: int = 1000
    name = "drs"

    def __post_init__(self) -> None:
        check_range("drs.percentile", self.percentile, most=100)
        check_range("drs.epsilon", self.epsilon, most=1)
        check_positive_integer("drs.burn_in", self.burn_in)
        check_positive_integer("drs.most_rounds", self.most_rounds)

    def refine(self, judge: Judge, draws: Draws, labels: np.ndarray | None) -> np.ndarray:
        """See `Refinement.refine`."""
        sampler = judge.sampler
        first = judge.logits(
            sampler.draw_z(self.burn_in, _BURN_IN_SEED),
            labels_in_turn(self.burn_in, sampler.num_classes),
        )
        greatest = float(first.max())
        gamma = np.percentile(self.ratios(first, greatest), self.percentile)
        z = draws.latents(0)
        rejected = np.arange(len(z))
        rounds = 0
        for number in range(self.most_rounds):
            rounds += 1
            again = draws.of(rejected)
            if number:
                z[rejected] = again.latents(number)
            some = None if labels is None else labels[rejected]
            ratios = self.ratios(judge.logits(z[rejected], some), greatest)
            accepted = again.uniform(number) < 1 / (1 + np.exp(gamma - ratios))
            rejected = rejected[~accepted]
            if not len(rejected):
                break
        if len(rejected):
            _log.warning(
                "%d of %d samples were rejected %d times and are taken nevertheless: a smaller "
                "drs.percentile accepts more.",
                len(rejected),
                len(z),
                rounds,
            )
        return z

    def ratios(self, logits: np.ndarray, greatest: float) -> np.ndarray:
        """The values F of logits; those above the greatest logit count as equal to it."""
        below = np.minimum(np.asarray(logits, np.float64) - greatest, 0.0)
        return below - np.log1p(-np.exp(below - self.epsilon))
