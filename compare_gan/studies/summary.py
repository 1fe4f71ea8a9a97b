"""A row for each variant: its scores at the final step over seeds, its runs, and their costs."""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from compare_gan.studies.measurements import final_measurement
from compare_gan.studies.records import DIVERGED, ENDED, FAILED, FINISHED, PRUNED, RunRecord
from compare_gan.studies.statistics import (
    Interval,
    bootstrap_interval,
    interquartile_mean,
    standard_deviation,
    student_interval,
)
from compare_gan.types import Direction

_DIGITS = 12


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariantSummary:
    """A score of a variant at the final step, over its finished runs.

    A statistic that is not defined is None: all of them without a score, spread and intervals with
    one. Every run is in exactly one of `seeds`, `unscored`, `diverged`, `pruned`, `failed`,
    `unfinished`.

    Attributes:
      variant: Name of the variant.
      axes: For each axis of the study, the label of the variant.
      score: Name of the score.
      better: Whether `lower` or `higher` scores are better; None if neither is as such.
      runs: Number of runs.
      scores: Score of each finished run, by seed.
      unscored: Number of finished runs without this score, or for which it is not finite.
      diverged: Number of runs that diverged.
      pruned: Number of runs whose trial a search has pruned.
      failed: Number of runs that failed.
      unfinished: Number of runs that wait, train, are paused or were interrupted.
      mean: Mean over seeds.
      std: Standard deviation over seeds, ddof 1.
      median: Median over seeds.
      interval: Student's t interval of the mean, 95 %.
      bootstrap_interval: Percentile interval of the mean by the bootstrap over seeds, 95 %.
      iqm: Interquartile mean; the mean with fewer than 4 seeds.
      iqm_interval: Its percentile interval by the bootstrap over seeds, 95 %.
      best_seed: Seed of the best score; None if no direction is better.
      worst_seed: Seed of the worst one.
      wall_seconds: Mean wall time of finished runs for which it is known; so the next three.
      cpu_seconds: Mean processor time.
      gpu_seconds: Mean GPU time.
      images_per_second: Mean of the runs' images per second.
      total_wall_seconds: Wall time of all runs, whatever became of them; so the next two.
      total_cpu_seconds: Processor time of all runs.
      total_gpu_seconds: GPU time of all runs.

    Example:
      >>> from compare_gan.studies.records import RunRecord
      >>> from compare_gan.studies.summary import summarize
      >>> run = RunRecord(name="a-seed1", variant="a", axes={}, seed=1, steps=10, state="diverged")
      >>> [summary] = summarize([run], "fid", "lower")
      >>> summary.seeds, summary.diverged, summary.mean is None
      (0, 1, True)
    """

    variant: str
    axes: Mapping[str, str]
    score: str
    better: Direction
    runs: int
    scores: Mapping[int, float]
    unscored: int
    diverged: int
    pruned: int
    failed: int
    unfinished: int
    mean: float | None = None
    std: float | None = None
    median: float | None = None
    interval: Interval | None = None
    bootstrap_interval: Interval | None = None
    iqm: float | None = None
    iqm_interval: Interval | None = None
    best_seed: int | None = None
    worst_seed: int | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    gpu_seconds: float | None = None
    images_per_second: float | None = None
    total_wall_seconds: float | None = None
    total_cpu_seconds: float | None = None
    total_gpu_seconds: float | None = None

    @property
    def seeds(self) -> int:
        """Number of finished runs with this score."""
        return len(self.scores)


def summarize(records: Sequence[RunRecord], score: str, better: Direction) -> list[VariantSummary]:
    """A summary of each variant, in the order of the records.

    The headline is the score at the final step, over all finished runs: neither the best checkpoint
    nor the best seed, which get better the more of them there are.

    Example:
      >>> from compare_gan.studies.summary import summarize
      >>> summarize([], "fid", "lower")
      []

    Args:
      records: Runs; `table.StudyTable` has checked that they were measured alike.
      score: Name of the score.
      better: Whether `lower` or `higher` scores are better; None if neither is as such.
    """
    return [_summary(runs, score, better) for runs in by_variant(records).values()]


def by_variant(records: Iterable[RunRecord]) -> dict[str, list[RunRecord]]:
    """The runs of each variant, by its name, in their order.

    Example:
      >>> from compare_gan.studies.summary import by_variant
      >>> by_variant([])
      {}
    """
    variants: dict[str, list[RunRecord]] = {}
    for record in records:
        variants.setdefault(record.variant, []).append(record)
    return variants


def scores_by_seed(runs: Iterable[RunRecord], score: str) -> dict[int, float]:
    """The finite scores of finished runs at their final step, by seed.

    They are rounded to 12 digits: scores that differ by rounding errors alone, such as inception
    scores of collapsed GANs, which are 1, are equal.

    Example:
      >>> from compare_gan.studies.summary import scores_by_seed
      >>> scores_by_seed([], "fid")
      {}
    """
    values = {
        run.seed: float(f"{row.scores[score].mean:.{_DIGITS}g}")
        for run in runs
        if (row := final_measurement(run).get(score)) is not None
    }
    return {seed: value for seed, value in sorted(values.items()) if math.isfinite(value)}


def _summary(runs: Sequence[RunRecord], score: str, better: Direction) -> VariantSummary:
    scores = scores_by_seed(runs, score)
    states = Counter(run.state for run in runs)
    return VariantSummary(
        variant=runs[0].variant,
        axes=runs[0].axes,
        score=score,
        better=better,
        runs=len(runs),
        scores=scores,
        unscored=states[FINISHED] - len(scores),
        diverged=states[DIVERGED],
        pruned=states[PRUNED],
        failed=states[FAILED],
        unfinished=len(runs) - sum(states[each] for each in ENDED),
        **_statistics(scores, better),
        **_costs(runs),
    )


def _statistics(scores: Mapping[int, float], better: Direction) -> dict[str, Any]:
    if not scores:
        return {}
    values = np.array(list(scores.values()))
    lowest, highest = min(scores, key=scores.__getitem__), max(scores, key=scores.__getitem__)
    best, worst = {"lower": (lowest, highest), "higher": (highest, lowest)}.get(
        better or "", (None, None)
    )
    return {
        "mean": float(np.mean(values)),
        "std": standard_deviation(values),
        "median": float(np.median(values)),
        "interval": student_interval(values),
        "bootstrap_interval": bootstrap_interval(values),
        "iqm": float(interquartile_mean(values)),
        "iqm_interval": bootstrap_interval(values, interquartile_mean),
        "best_seed": best,
        "worst_seed": worst,
    }


def _costs(runs: Sequence[RunRecord]) -> dict[str, Any]:
    costs: dict[str, float | None] = {}
    for name in ("wall_seconds", "cpu_seconds", "gpu_seconds", "images_per_second"):
        finished = [getattr(run, name) for run in runs if run.state == FINISHED]
        costs[name] = _mean([value for value in finished if value is not None])
    for name in ("wall_seconds", "cpu_seconds", "gpu_seconds"):
        known = [value for run in runs if (value := getattr(run, name)) is not None]
        costs[f"total_{name}"] = float(sum(known)) if known else None
    return costs


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
