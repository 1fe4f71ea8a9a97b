"""Comparisons of variants, or of the labels of an axis: paired differences, and who wins."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

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
    Strata,
    stratified_improvement,
    stratified_improvement_interval,
)
from compare_gan.studies.summary import by_variant, scores_by_seed
from compare_gan.types import Direction


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """The comparison of two variants, or of two labels of an axis, by a score at the final step.

    Attributes:
      first: Name of a variant, or a label.
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
    cells = {name: _Cell(runs, score, better) for name, runs in variants.items()}
    return _corrected(
        [
            _comparison(first, second, [(cells[first], cells[second])], better)
            for first, second in pairs
        ]
    )


def compare_labels(
    records: Sequence[RunRecord], score: str, better: Direction, axis: str
) -> list[Comparison]:
    """Compares all pairs of labels of an axis, over runs that differ only in this label.

    A pair has the same seed and the same labels of all other axes. So a study of 3 seeds has many
    pairs, and says more about a value of an axis than about a single variant. The difference is the
    mean over these combinations; its permutation test asks whether the label makes any difference
    in any of them. The probability of improvement is the mean over combinations.

    Example:
      >>> from compare_gan.studies.pairwise import compare_labels
      >>> compare_labels([], "fid", "lower", "loss.fn")
      Traceback (most recent call last):
      ...
      compare_gan.errors.UserError: Unknown axis 'loss.fn'. Known: none.

    Args:
      records: Runs; `table.StudyTable` has checked that they were measured alike.
      score: Name of the score.
      better: Whether `lower` or `higher` scores are better; None if neither is as such.
      axis: Name of the axis.

    Raises:
      UserError: There is no such axis.
    """
    by_label: dict[str, dict[frozenset[tuple[str, str]], list[RunRecord]]] = {}
    for record in records:
        if axis in record.axes:
            others = frozenset(item for item in record.axes.items() if item[0] != axis)
            of_label = by_label.setdefault(record.axes[axis], {})
            of_label.setdefault(others, []).append(record)
    if not by_label:
        raise unknown_name("axis", axis, {name for record in records for name in record.axes})
    cells = {
        label: {others: _Cell(runs, score, better) for others, runs in found.items()}
        for label, found in by_label.items()
    }
    comparisons = []
    for first, second in itertools.combinations(cells, 2):
        common = [others for others in cells[first] if others in cells[second]]
        matched = [(cells[first][others], cells[second][others]) for others in common]
        comparisons.append(_comparison(first, second, matched, better))
    return _corrected(comparisons)


class _Cell:
    """The runs of one combination of labels.

    Attributes:
      scores: Scores of finished runs, by seed.
      ranked: The same without seeds, and for each diverged run a score that is worse than any.
    """

    def __init__(self, runs: Sequence[RunRecord], score: str, better: Direction):
        self.scores = scores_by_seed(runs, score)
        worst = math.inf if better == "lower" else -math.inf
        diverged = [worst for run in runs if run.state == DIVERGED]
        self.ranked = [*self.scores.values(), *diverged]


def _comparison(
    first: str, second: str, matched: Sequence[tuple[_Cell, _Cell]], better: Direction
) -> Comparison:
    pairs = [
        (x.scores[seed], y.scores[seed])
        for x, y in matched
        for seed in sorted(x.scores.keys() & y.scores.keys())
    ]
    differences = paired_difference([x for x, _ in pairs], [y for _, y in pairs]) if pairs else None
    strata: Strata = [(x.ranked, y.ranked) for x, y in matched if x.ranked and y.ranked]
    ranked = better is not None and strata
    return Comparison(
        first=first,
        second=second,
        difference=differences,
        improvement=stratified_improvement(strata, better) if ranked else None,
        improvement_interval=stratified_improvement_interval(strata, better) if ranked else None,
    )


def _corrected(comparisons: list[Comparison]) -> list[Comparison]:
    p_values = np.array([each.difference.p_value for each in comparisons if each.difference])
    corrected = iter(zip(holm(p_values), benjamini_hochberg(p_values), strict=True))
    return [
        dataclasses.replace(each, p_holm=float(p[0]), p_benjamini_hochberg=float(p[1]))
        if each.difference and (p := next(corrected))
        else each
        for each in comparisons
    ]
