"""Metropolis-Hastings sampling by the discriminator."""

import dataclasses
import logging
from typing import Any

import numpy as np
import scipy  # It imports its parts when they are first used.

from compare_gan import registry
from compare_gan.engine.progress import tracked
from compare_gan.errors import UserError, check_positive_integer, check_range, with_suggestion
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.held_out import HeldOutImages
from compare_gan.sampling.refinements.base import Judge, Refinement

CALIBRATED = "calibrated"
_CALIBRATION_SEED = 0x6D68
_NUM_CALIBRATION = 5_000  # Held-out images, and generated ones.

_log = logging.getLogger(__name__)


@registry.register("refinement", "metropolis_hastings", paper="https://arxiv.org/abs/1811.11357")
@dataclasses.dataclass(frozen=True)
class MetropolisHastings(Refinement):
    """A chain of samples for each image, of which the last one is taken (Turner et al., 2019).

    A new sample x' takes the place of x with probability min(1, (1/D(x) - 1) / (1/D(x') - 1)),
    where D is the probability that an image is real. For D = sigmoid(slope * logit + offset), a
    calibrated discriminator, that is min(1, exp(slope * (logit' - logit))): the offset has no
    effect. As in the paper, the slope is that of a logistic regression on the logits of up to 5,000
    real images that were not trained on (`Sampler.held_out`) and of as many generated ones. The
    paper's chains begin with real images; these begin with generated ones.

    Paper: https://arxiv.org/abs/1811.11357, 640 steps.

    Attributes:
      steps: Number of new samples in a chain.
      slope: Factor of the logits, at least 0 (1 = the logits as they are), or `calibrated`.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.sampling.refinements import MetropolisHastings
      >>> MetropolisHastings(steps=100).describe()
      'metropolis_hastings(steps=100, slope=calibrated)'
    """

    steps: int = 640
    slope: float | str = CALIBRATED
    name = "metropolis_hastings"

    def __post_init__(self) -> None:
        check_positive_integer("metropolis_hastings.steps", self.steps)
        if self.slope == CALIBRATED:
            return
        if isinstance(self.slope, str):
            sentence = (
                f"metropolis_hastings.slope must be a number or '{CALIBRATED}', received "
                f"'{self.slope}'."
            )
            raise UserError(with_suggestion(sentence, self.slope, [CALIBRATED]))
        check_range("metropolis_hastings.slope", self.slope)

    @property
    def needs_held_out(self) -> bool:
        """Whether the slope comes from real images that were not trained on."""
        return self.slope == CALIBRATED

    def check(self, held_out: HeldOutImages | None) -> None:
        """See `Refinement.check`."""
        missing = "none are at hand (Sampler.held_out)" if held_out is None else held_out.missing
        if self.needs_held_out and missing:
            raise UserError(
                f"metropolis_hastings.slope = '{CALIBRATED}' needs real images that were not "
                f"trained on, but {missing}: set metropolis_hastings.slope = 1 for the logits as "
                "they are."
            )

    def refine(self, judge: Judge, draws: Draws, labels: np.ndarray | None) -> np.ndarray:
        """See `Refinement.refine`.

        Raises:
          UserError: There are no real images that were not trained on to calibrate with.
        """
        self.check(judge.sampler.held_out)
        slope = _slope(judge) if isinstance(self.slope, str) else self.slope
        z = draws.latents(0)
        logits = judge.logits(z, labels)
        for number in tracked(range(1, self.steps + 1), "steps of the chains", self.steps):
            proposed = draws.latents(number)
            proposed_logits = judge.logits(proposed, labels)
            # A logarithm of 0 is -inf, and accepts.
            with np.errstate(divide="ignore"):
                chances = np.log(draws.uniform(number))
            accepted = chances < slope * (proposed_logits - logits)
            z = np.where(accepted[:, None], proposed, z)
            logits = np.where(accepted, proposed_logits, logits)
        return z


def _slope(judge: Judge) -> float:
    """The slope of the calibration on held-out images and as many generated ones."""
    sampler = judge.sampler
    real = judge.held_out_logits(_NUM_CALIBRATION)
    if not len(real):
        raise UserError(
            "The discriminator cannot be calibrated: no held-out image has a label; set "
            "metropolis_hastings.slope = 1 for the logits as they are."
        )
    z = sampler.draw_z(len(real), _CALIBRATION_SEED)
    slope = calibrated_slope(real, judge.logits(z, sampler.draw_labels(len(real))))
    if slope == 0:
        _log.warning(
            "The logits of real images that were not trained on are no higher than those of "
            "generated ones: the calibrated slope is 0, and all new samples are accepted."
        )
    else:
        _log.info("Slope of the logits, calibrated on %d real images: %.3g", len(real), slope)
    return slope


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
