"""Statistics of scores over seeds: aggregates, their intervals, probability of improvement.

Scores are arrays [runs], or [runs, tasks] if every run was scored on several tasks, such as data
sets. The interquartile mean, the probability of improvement and the stratified bootstrap are those
of "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
(https://arxiv.org/abs/2108.13264; its program is rliable), except that the direction in which a
score improves is an argument. Scores that are not numbers (NaN) are refused.

With the few seeds of a typical study an interval is mostly a matter of method. The share of 95 %
intervals that contain the true mean, of 4,000 simulated studies each
(benchmarks/interval_coverage.py):

    seeds                             2     3     5     8     10    20
    normal scores, Student's t        95 %  95 %  94 %  95 %  95 %  96 %
    normal scores, bootstrap          51 %  75 %  82 %  88 %  90 %  93 %
    skewed scores, Student's t        94 %  92 %  92 %  91 %  92 %  93 %
    skewed scores, bootstrap          48 %  72 %  80 %  86 %  87 %  91 %

So tables lead with Student's t and show the bootstrap beside it.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike

from compare_gan.errors import UserError, unknown_name
from compare_gan.types import Direction

RESAMPLES = 10_000
# For each task, or other condition, the scores of X [runs] and those of Y [runs].
Strata: TypeAlias = Sequence[tuple[ArrayLike, ArrayLike]]


class Interval(NamedTuple):
    """An interval, both ends included.

    Example:
      >>> from compare_gan.studies.statistics import Interval
      >>> Interval(1.0, 2.0).low
      1.0
    """

    low: float
    high: float


def standard_deviation(scores: ArrayLike) -> float | None:
    """Standard deviation with ddof 1; None for a single score.

    Example:
      >>> from compare_gan.studies.statistics import standard_deviation
      >>> standard_deviation([1.0, 2.0, 3.0])
      1.0

    Args:
      scores: Scores [runs].
    """
    scores = checked(scores).ravel()
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else None


def student_interval(scores: ArrayLike, confidence: float = 0.95) -> Interval | None:
    """Student's t interval of the mean over seeds: exact for normal scores, however few.

    Example:
      >>> from compare_gan.studies.statistics import student_interval
      >>> low, high = student_interval([1.0, 2.0, 3.0])
      >>> round(low, 3), round(high, 3)
      (-0.484, 4.484)

    Args:
      scores: Scores [runs].
      confidence: Share of studies, repeated with other seeds, whose interval contains the mean.

    Returns:
      The interval; None for a single score. It may reach beyond the possible scores.
    """
    scores = checked(scores).ravel()
    if len(scores) < 2:
        return None
    quantile = float(scipy.stats.t.ppf((1 + confidence) / 2, len(scores) - 1))
    half = quantile * float(np.std(scores, ddof=1)) / math.sqrt(len(scores))
    mean = float(np.mean(scores))
    return Interval(mean - half, mean + half)


def interquartile_mean(scores: ArrayLike, axis: int | None = None) -> np.ndarray:
    """Mean without the lowest and the highest quarter of the scores, over all runs and tasks.

    Of n scores `n // 4` are cut at either end, as by rliable: with fewer than 4 it is the mean.

    Example:
      >>> from compare_gan.studies.statistics import interquartile_mean
      >>> float(interquartile_mean([1.0, 2.0, 4.0, 100.0]))
      3.0

    Args:
      scores: Scores of any shape.
      axis: Axis along which to aggregate; None = all.
    """
    return np.asarray(scipy.stats.trim_mean(np.asarray(scores, np.float64), 0.25, axis=axis))


def bootstrap_interval(
    scores: ArrayLike,
    statistic: Callable[..., np.ndarray] = np.mean,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Percentile interval of an aggregate by the stratified bootstrap over runs.

    Each resample draws as many runs as there are, with replacement, for each task by itself. No
    resample leaves the range of the scores, so the interval is too narrow with few seeds (see the
    table of this module): that of the mean of 2 or 3 seeds is their range.

    Example:
      >>> from compare_gan.studies.statistics import bootstrap_interval
      >>> bootstrap_interval([1.0, 2.0, 3.0])
      Interval(low=1.0, high=3.0)

    Args:
      scores: Scores [runs] or [runs, tasks].
      statistic: Function of an array [resamples, runs · tasks] and `axis`: `numpy.mean`,
        `numpy.median`, `interquartile_mean`.
      confidence: Nominal coverage.
      resamples: Number of resamples.
      seed: Seed of the resamples.

    Returns:
      The interval; None for a single run.
    """
    scores = checked(scores)
    runs, tasks = scores.shape
    if runs < 2:
        return None
    indices = np.random.default_rng(seed).integers(0, runs, (resamples, runs, tasks))
    drawn = scores[indices, np.arange(tasks)].reshape(resamples, -1)
    return _percentiles(statistic(drawn, axis=1), confidence)


def probability_of_improvement(x: ArrayLike, y: ArrayLike, better: Direction) -> float:
    """Probability that a run of X is better than a run of Y, averaged over tasks.

    The share of all pairs of a run of X and a run of Y in which X has the better score; a tie
    counts one half. It is the Mann-Whitney statistic U divided by the number of pairs. An infinite
    score stands for a run without one, such as a diverged run: it loses or ties.

    Example:
      >>> from compare_gan.studies.statistics import probability_of_improvement
      >>> probability_of_improvement([9.0, 8.0], [9.0, 12.0], better="lower")  # FID
      0.875

    Args:
      x: Scores of X, [runs] or [runs, tasks].
      y: Scores of Y, [runs] or [runs, tasks]; the number of runs may differ.
      better: `lower` or `higher`: whether lower or higher scores are better.

    Raises:
      UserError: A score is NaN, there is none, or the numbers of tasks differ.
    """
    return stratified_improvement(_tasks(x, y), better)


def improvement_interval(
    x: ArrayLike,
    y: ArrayLike,
    better: Direction,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Percentile interval of `probability_of_improvement` by the stratified bootstrap.

    Runs of X and of Y are drawn independently, for each task by itself. If every run of X is better
    than every run of Y, so it is in every resample, and the interval is [1, 1] even with 2 seeds:
    the interval describes these runs and proves nothing about others.

    Example:
      >>> from compare_gan.studies.statistics import improvement_interval
      >>> interval = improvement_interval([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], better="lower")
      >>> round(interval.low, 2), interval.high
      (0.33, 1.0)

    Args:
      x: Scores of X, as for `probability_of_improvement`.
      y: Scores of Y.
      better: `lower` or `higher`.
      confidence: Nominal coverage.
      resamples: Number of resamples.
      seed: Seed of the resamples.

    Returns:
      The interval; None if X or Y has a single run.
    """
    return stratified_improvement_interval(_tasks(x, y), better, confidence, resamples, seed)


def stratified_improvement(strata: Strata, better: Direction) -> float:
    """`probability_of_improvement` where each task has numbers of runs of its own.

    Example:
      >>> from compare_gan.studies.statistics import stratified_improvement
      >>> stratified_improvement([([1.0], [2.0, 3.0]), ([1.0, 2.0], [1.0])], better="lower")
      0.625

    Args:
      strata: For each task, or other condition, the scores of X [runs] and those of Y [runs].
      better: `lower` or `higher`.
    """
    return float(np.mean([_wins(x, y, better).mean() for x, y in strata]))


def stratified_improvement_interval(
    strata: Strata,
    better: Direction,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """`improvement_interval` where each task has numbers of runs of its own.

    Example:
      >>> from compare_gan.studies.statistics import stratified_improvement_interval
      >>> stratified_improvement_interval([([1.0, 2.0], [3.0, 4.0])], better="lower")
      Interval(low=1.0, high=1.0)

    Args:
      strata: As for `stratified_improvement`.
      better: `lower` or `higher`.
      confidence: Nominal coverage.
      resamples: Number of resamples.
      seed: Seed of the resamples.

    Returns:
      The interval; None if X or Y has a single run in a task.
    """
    wins = [_wins(x, y, better) for x, y in strata]
    if min(min(each.shape) for each in wins) < 2:
        return None
    rng = np.random.default_rng(seed)
    total = np.zeros(resamples)
    for each in wins:
        # How often each run is drawn; the mean over pairs is then a bilinear form of the counts.
        x_counts, y_counts = (rng.multinomial(n, [1 / n] * n, resamples) for n in each.shape)
        total += ((x_counts @ each) * y_counts).sum(axis=1) / each.size
    return _percentiles(total / len(wins), confidence)


def _tasks(x: ArrayLike, y: ArrayLike) -> Strata:
    """The scores of each task."""
    x, y = checked(x, finite=False), checked(y, finite=False)
    if x.shape[1] != y.shape[1]:
        raise UserError(
            f"Scores must have equally many tasks, received {x.shape[1]} and {y.shape[1]}."
        )
    return list(zip(x.T, y.T, strict=True))


def _wins(x: ArrayLike, y: ArrayLike, better: Direction) -> np.ndarray:
    """For each pair of runs of a task, 1 if X is better, 0.5 for a tie, else 0: [x, y]."""
    if better not in ("lower", "higher"):
        raise unknown_name("direction", str(better), ("lower", "higher"))
    first, second = checked(x, finite=False), checked(y, finite=False).T
    is_better = first < second if better == "lower" else first > second
    return is_better + 0.5 * (first == second)


def _percentiles(values: np.ndarray, confidence: float) -> Interval:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def checked(scores: ArrayLike, finite: bool = True) -> np.ndarray:
    """The scores as float64 [runs, tasks].

    Example:
      >>> from compare_gan.studies.statistics import checked
      >>> checked([1, 2]).shape
      (2, 1)

    Args:
      scores: Scores [runs] or [runs, tasks].
      finite: Whether infinite scores are refused.

    Raises:
      UserError: There are none, or one of them is NaN or infinite.
    """
    array = np.asarray(scores, np.float64)
    allowed = "finite" if finite else "numbers"
    if array.ndim not in (1, 2) or not array.size:
        raise UserError(f"Scores must be [runs] or [runs, tasks], received shape {array.shape}.")
    if np.isnan(array).any() or (finite and np.isinf(array).any()):
        raise UserError(f"Scores must be {allowed}, received {array.ravel().tolist()}.")
    return array.reshape(len(array), -1)
