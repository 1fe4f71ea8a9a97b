"""Comparisons of variants with each other: differences over common seeds, and who wins."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from compare_gan.errors import unknown_name
from compare_gan.studies.differences import (
    PairedDifference,
    benjamini_hochberg,
    holm,
    paired_difference,
)
from compare_gan.studies.records import DIVERGED, RunRecord
from compare_gan.studies.statistics import (
    Interval,
    improvement_interval,
    probability_of_improvement,
)
from compare_gan.studies.summary import by_variant, scores_by_seed
from compare_gan.types import Direction


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """The comparison of two variants by a score at the final step.

    Attributes:
      first: Name of a variant.
      second: Name of the other one.
      difference: Score of the first minus score of the second over seeds with which both finished;
        None without a common one.
      p_holm: P value of the difference, corrected for all comparisons made together by Holm's
        method; None without a difference. So is the next one.
      p_benjamini_hochberg: The same by the method of Benjamini and Hochberg.
      improvement: Probability that a run of the first is better than one of the second, over all
        seeds; diverged runs lose. None if no direction is better, or one has no such runs.
      improvement_interval: Its percentile interval by the bootstrap, 95 %; None with a single run.

    Example:
      >>> from compare_gan.studies.pairwise import Comparison
      >>> Comparison(first="a", second="b", difference=None).improvement is None
      True
    """

    first: str
    second: str
    difference: PairedDifference | None
    p_holm: float | None = None
    p_benjamini_hochberg: float | None = None
    improvement: float | None = None
    improvement_interval: Interval | None = None


def compare_variants(
    records: Sequence[RunRecord], score: str, better: Direction, against: str | None = None
) -> list[Comparison]:
    """Compares all pairs of variants, or all variants with one of them.

    P values are corrected for the number of comparisons that are returned together: compare with
    one variant alone if that is the question, and decide so before looking.

    Example:
      >>> from compare_gan.studies.pairwise import compare_variants
      >>> compare_variants([], "fid", "lower")
      []

    Args:
      records: Runs; `table.StudyTable` has checked that they were measured alike.
      score: Name of the score.
      better: Whether `lower` or `higher` scores are better; None if neither is as such.
      against: Name of the second variant of all comparisons; None = all pairs.

    Raises:
      UserError: There is no variant `against`.
    """
    variants = by_variant(records)
    if against is not None and against not in variants:
        raise unknown_name("variant", against, variants)
    pairs = (
        itertools.combinations(variants, 2)
        if against is None
        else ((name, against) for name in variants if name != against)
    )
    scores = {name: scores_by_seed(runs, score) for name, runs in variants.items()}
    ranked = {name: _with_diverged(runs, scores[name], better) for name, runs in variants.items()}
    comparisons = [
        Comparison(
            first=first,
            second=second,
            difference=_difference(scores[first], scores[second]),
            **_improvement(ranked[first], ranked[second], better),
        )
        for first, second in pairs
    ]
    return _corrected(comparisons)


def _difference(first: dict[int, float], second: dict[int, float]) -> PairedDifference | None:
    common = sorted(first.keys() & second.keys())
    if not common:
        return None
    return paired_difference([first[seed] for seed in common], [second[seed] for seed in common])


def _with_diverged(
    runs: Sequence[RunRecord], scores: dict[int, float], better: Direction
) -> list[float]:
    """The scores, and for each diverged run one that is worse than any."""
    worst = math.inf if better == "lower" else -math.inf
    return [*scores.values(), *(worst for run in runs if run.state == DIVERGED)]


def _improvement(first: list[float], second: list[float], better: Direction) -> dict[str, Any]:
    if better is None or not first or not second:
        return {}
    return {
        "improvement": probability_of_improvement(first, second, better),
        "improvement_interval": improvement_interval(first, second, better),
    }


def _corrected(comparisons: list[Comparison]) -> list[Comparison]:
    p_values = np.array([each.difference.p_value for each in comparisons if each.difference])
    corrected = iter(zip(holm(p_values), benjamini_hochberg(p_values), strict=True))
    return [
        dataclasses.replace(each, p_holm=float(p[0]), p_benjamini_hochberg=float(p[1]))
        if each.difference and (p := next(corrected))
        else each
        for each in comparisons
    ]
