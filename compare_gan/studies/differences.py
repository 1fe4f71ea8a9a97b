"""Differences of two variants over common seeds, and corrections for many comparisons."""

from typing import NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from compare_gan.errors import UserError
from compare_gan.studies.statistics import Interval, checked, standard_deviation, student_interval

_MOST_EXACT = 17  # Pairs up to which the permutation test takes all signs.
_DRAWS = 99_999  # Signs that it draws for more pairs.


class PairedDifference(NamedTuple):
    """Differences of two variants over common seeds; see `paired_difference`.

    Attributes:
      pairs: Number of common seeds.
      mean: Mean of the differences x - y.
      std: Their standard deviation, ddof 1; None for a single pair.
      interval: Student's t interval of the mean; None for a single pair.
      p_value: Two-sided p value of the permutation test.
      smallest_p_value: The smallest p value that so many pairs can give.

    Example:
      >>> from compare_gan.studies.differences import paired_difference
      >>> paired_difference([1.0, 2.0], [2.0, 4.0]).mean
      -1.5
    """

    pairs: int
    mean: float
    std: float | None
    interval: Interval | None
    p_value: float
    smallest_p_value: float


def paired_difference(
    x: ArrayLike, y: ArrayLike, confidence: float = 0.95, seed: int = 0
) -> PairedDifference:
    """Mean difference x - y over common seeds, with interval and permutation test.

    Example:
      >>> from compare_gan.studies.differences import paired_difference
      >>> result = paired_difference([1.0, 2.0, 3.0], [2.0, 3.0, 5.0])
      >>> result.p_value, result.smallest_p_value  # 3 pairs can never reach 0.05.
      (0.25, 0.25)

    Args:
      x: Scores of X [pairs].
      y: Scores of Y [pairs], with the same seeds in the same order.
      confidence: Coverage of the interval.
      seed: Seed of the permutation test, if it draws.

    Raises:
      UserError: A score is not finite, there is none, or the numbers differ.
    """
    x, y = checked(x).ravel(), checked(y).ravel()
    if len(x) != len(y):
        raise UserError(f"Paired scores must be equally many, received {len(x)} and {len(y)}.")
    differences = x - y
    exact = len(x) <= _MOST_EXACT
    return PairedDifference(
        pairs=len(x),
        mean=float(np.mean(differences)),
        std=standard_deviation(differences),
        interval=student_interval(differences, confidence),
        p_value=sign_flip_p_value(differences, seed),
        smallest_p_value=2.0 ** (1 - len(x)) if exact else 1 / (_DRAWS + 1),
    )


def sign_flip_p_value(differences: ArrayLike, seed: int = 0) -> float:
    """Two-sided p value of the permutation test of paired differences.

    If the two variants do not differ, each difference might as well have the other sign. The p
    value is the share of all assignments of signs whose mean is at least as far from 0 as the
    observed one. It assumes no distribution, but n pairs cannot give less than 2^(1-n): 5 pairs
    0.0625, 6 pairs 0.03125. Up to 17 pairs all signs are taken; for more, 99,999 are drawn and the
    observed ones added, so that it stays valid (https://arxiv.org/abs/1603.05766).

    Example:
      >>> from compare_gan.studies.differences import sign_flip_p_value
      >>> sign_flip_p_value([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
      0.03125

    Args:
      differences: Differences [pairs].
      seed: Seed of the draws.
    """
    differences = checked(differences).ravel()
    count = len(differences)
    if count <= _MOST_EXACT:
        # A set of signs and its opposite are equally far from 0: the first sign may be fixed.
        numbers = np.arange(2 ** (count - 1))[:, None]
        signs = 1 - 2 * ((numbers >> np.arange(count)) & 1)
        return float(np.mean(_at_least_as_far(signs, differences)))
    drawn = np.random.default_rng(seed).integers(0, 2, (_DRAWS, count), dtype=np.int8)
    return float((1 + _at_least_as_far(1 - 2 * drawn, differences).sum()) / (_DRAWS + 1))


def holm(p_values: ArrayLike) -> np.ndarray:
    """P values corrected for the number of comparisons by Holm's step-down method.

    To reject where the corrected value is at most α bounds by α the probability of rejecting any
    true hypothesis, whatever the dependence (https://www.jstor.org/stable/4615733).

    Example:
      >>> from compare_gan.studies.differences import holm
      >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
      [0.03, 0.06, 0.06]

    Args:
      p_values: P values [n] in [0, 1].

    Returns:
      Corrected p values [n].
    """
    p_values = _checked_p_values(p_values)
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected


def benjamini_hochberg(p_values: ArrayLike) -> np.ndarray:
    """P values corrected by the step-up method of Benjamini and Hochberg.

    To reject where the corrected value is at most α bounds by α the expected share of true
    hypotheses among the rejected ones, if the tests are independent or positively dependent
    (https://www.jstor.org/stable/2346101). It rejects more than `holm` and promises less.

    Example:
      >>> from compare_gan.studies.differences import benjamini_hochberg
      >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(2).tolist()
      [0.03, 0.04, 0.04]

    Args:
      p_values: P values [n] in [0, 1].

    Returns:
      Corrected p values [n].
    """
    p_values = _checked_p_values(p_values)
    return scipy.stats.false_discovery_control(p_values) if len(p_values) else p_values


def _at_least_as_far(signs: np.ndarray, differences: np.ndarray) -> np.ndarray:
    """Whether the sum with these signs [n, pairs] is at least as far from 0 as that without."""
    rounding = 1e-12 * np.abs(differences).sum()
    return np.abs(signs @ differences) >= abs(differences.sum()) - rounding


def _checked_p_values(p_values: ArrayLike) -> np.ndarray:
    array = np.asarray(p_values, np.float64)
    if array.ndim != 1 or not ((array >= 0) & (array <= 1)).all():
        raise UserError(f"P values must be [n] in [0, 1], received {array.tolist()}.")
    return array
