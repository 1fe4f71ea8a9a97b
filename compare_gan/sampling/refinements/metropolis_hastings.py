"""Metropolis-Hastings sampling by the discriminator."""

import dataclasses
from typing import Any

import numpy as np
import scipy  # It imports its parts when they are first used.

from compare_gan import registry
from compare_gan.engine.progress import tracked
from compare_gan.errors import check_positive_integer, check_range
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.refinements.base import Judge, Refinement


@registry.register("refinement", "metropolis_hastings", paper="https://arxiv.org/abs/1811.11357")
@dataclasses.dataclass(frozen=True)
class MetropolisHastings(Refinement):
    """A chain of samples for each image, of which the last one is taken (Turner et al., 2019).

    A new sample x' takes the place of x with probability min(1, (1/D(x) - 1) / (1/D(x') - 1)),
    where D is the probability that an image is real. For D = sigmoid(slope * logit + offset), a
    calibrated discriminator, that is min(1, exp(slope * (logit' - logit))): the offset has no
    effect. `calibrated_slope` gives the slope. The paper's chains begin with real images; these
    begin with generated ones.

    Paper: https://arxiv.org/abs/1811.11357, 640 steps.

    Attributes:
      steps: Number of new samples in a chain.
      slope: Factor of the logits.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.sampling.refinements import MetropolisHastings
      >>> MetropolisHastings(steps=100).describe()
      'metropolis_hastings(steps=100, slope=1.0)'
    """

    steps: int = 640
    slope: float = 1.0
    name = "metropolis_hastings"

    def __post_init__(self) -> None:
        check_positive_integer("metropolis_hastings.steps", self.steps)
        check_range("metropolis_hastings.slope", self.slope)

    def refine(self, judge: Judge, draws: Draws, labels: np.ndarray | None) -> np.ndarray:
        """See `Refinement.refine`."""
        z = draws.latents(0)
        logits = judge.logits(z, labels)
        for number in tracked(range(1, self.steps + 1), "steps of the chains", self.steps):
            proposed = draws.latents(number)
            proposed_logits = judge.logits(proposed, labels)
            # A logarithm of 0 is -inf, and accepts.
            with np.errstate(divide="ignore"):
                chances = np.log(draws.uniform(number))
            accepted = chances < self.slope * (proposed_logits - logits)
            z = np.where(accepted[:, None], proposed, z)
            logits = np.where(accepted, proposed_logits, logits)
        return z


def calibrated_slope(real_logits: Any, fake_logits: Any) -> float:
    """The slope of a discriminator's calibration by logistic regression, at least 0.

    Args:
      real_logits: Logits of real images that were not trained on, [n].
      fake_logits: Logits of generated images, [m].

    Returns:
      The factor a for which sigmoid(a * logit + b) predicts best which images are real.

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling.refinements import calibrated_slope
      >>> random = np.random.default_rng(0)
      >>> logits = 2 * random.normal(size=100_000)
      >>> real = random.random(100_000) < 1 / (1 + np.exp(-0.5 * logits))
      >>> round(calibrated_slope(logits[real], logits[~real]), 1)
      0.5
    """
    groups = [np.asarray(each, np.float64).ravel() for each in (real_logits, fake_logits)]
    # Negative for what is wrong by its sign; the two groups weigh the same.
    signs = [-1.0, 1.0]

    def loss(parameters: np.ndarray) -> float:
        slope, offset = parameters
        terms = (
            np.mean(np.logaddexp(0.0, sign * (slope * each + offset)))
            for sign, each in zip(signs, groups, strict=True)
        )
        return float(sum(terms))

    start = np.array([1.0, 0.0])
    found = scipy.optimize.minimize(loss, start, bounds=[(0.0, None), (None, None)])
    return float(found.x[0])
