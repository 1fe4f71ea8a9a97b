"""The summary of a study and its comparisons as tables of text."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import TypeAlias

from compare_gan.studies.formats import TextTable
from compare_gan.studies.pairwise import Comparison
from compare_gan.studies.statistics import Interval
from compare_gan.studies.summary import VariantSummary
from compare_gan.types import Direction

_NO_VALUE = "–"
IQM_SEEDS = 4  # With fewer the interquartile mean is the mean.
_ENOUGH_SEEDS = 20  # From here on the bootstrap's interval has nearly its nominal coverage.
_MOST_GROUPS = 3  # Of variants with equal scores, in a note.
_HUGE = 1e9  # From here on numbers have an exponent.
_COMPARISON_HEADER = (
    "pairs", "difference", "95 % interval", "p", "p (Holm)", "p (Benjamini-Hochberg)",
    "P(better)", "95 % bootstrap",
)  # fmt: skip

_Column: TypeAlias = tuple[str, Callable[[VariantSummary], str]]


def summary_table(
    rows: Sequence[VariantSummary], steps: Sequence[int], notes: Sequence[str] = ()
) -> TextTable:
    """The summary of variants as text.

    Example:
      >>> from compare_gan.studies.records import RunRecord
      >>> from compare_gan.studies.summary import summarize
      >>> from compare_gan.studies.summary_text import summary_table
      >>> run = RunRecord(name="a-seed1", variant="a", axes={}, seed=1, steps=10, state="diverged")
      >>> table = summary_table(summarize([run], "fid", "lower"), [10])
      >>> table.caption
      'fid at the final step (10), lower is better.'

    Args:
      rows: One for each variant, all of the same score.
      steps: Final steps of the runs.
      notes: Further sentences below the table.
    """
    number = score_format(rows)

    def interval(value: Interval | None) -> str:
        return _NO_VALUE if value is None else f"[{number(value.low)}, {number(value.high)}]"

    def of_seed(row: VariantSummary, seed: int | None) -> str:
        return _NO_VALUE if seed is None else f"{number(row.scores[seed])} ({seed})"

    axes = list(dict.fromkeys(axis for row in rows for axis in row.axes))
    names: list[_Column] = [
        (axis, lambda row, axis=axis: row.axes.get(axis, _NO_VALUE))  # type: ignore[misc]
        for axis in axes
    ] or [("variant", lambda row: row.variant)]
    iqm: list[_Column] = [
        ("IQM", lambda row: number(row.iqm)),
        ("95 % bootstrap of IQM", lambda row: interval(row.iqm_interval)),
    ]
    if all(row.seeds < IQM_SEEDS for row in rows):
        iqm = []
    columns: list[_Column] = [
        ("seeds", lambda row: str(row.seeds)),
        *_counts(rows),
        ("mean", lambda row: number(row.mean)),
        ("std", lambda row: number(row.std)),
        ("95 % interval", lambda row: interval(row.interval)),
        ("95 % bootstrap", lambda row: interval(row.bootstrap_interval)),
        ("median", lambda row: number(row.median)),
        *iqm,
        ("best seed", lambda row: of_seed(row, row.best_seed)),
        ("worst seed", lambda row: of_seed(row, row.worst_seed)),
        *_costs(rows),
    ]
    return TextTable(
        caption=_caption(rows, steps),
        header=[name for name, _ in (*names, *columns)],
        rows=[[cell(row) for _, cell in (*names, *columns)] for row in rows],
        texts=len(names),
        notes=[*_interval_notes(rows), *_equality_notes(rows), *notes],
    )


def score_format(rows: Sequence[VariantSummary]) -> Callable[[float | None], str]:
    """A function that writes scores, deviations and ends of intervals with as many decimals as fit.

    Example:
      >>> from compare_gan.studies.records import RunRecord
      >>> from compare_gan.studies.summary import summarize
      >>> from compare_gan.studies.summary_text import score_format
      >>> run = RunRecord(name="a-seed1", variant="a", axes={}, seed=1, steps=10, state="diverged")
      >>> score_format(summarize([run], "fid", "lower"))(2 / 3)
      '0.6667'

    Args:
      rows: One for each variant, all of the same score.
    """
    digits = _digits([row.std for row in rows], [row.mean for row in rows])

    def text(value: float | None) -> str:
        if value is None:
            return _NO_VALUE
        return f"{value:.{digits}f}" if abs(value) < _HUGE else f"{value:.3g}"

    return text


def variants_table(
    comparisons: Sequence[Comparison], score: str, better: Direction, against: str
) -> TextTable:
    """Comparisons of variants with one of them as text.

    Example:
      >>> from compare_gan.studies.summary_text import variants_table
      >>> variants_table([], "fid", "lower", against="hinge").caption
      "fid minus that of 'hinge' over common seeds, lower is better."

    Args:
      comparisons: The comparisons.
      score: Name of the score.
      better: Whether lower or higher scores are better.
      against: The second variant of all comparisons.
    """
    caption = f"{score} minus that of '{against}' over common seeds{_direction(better)}."
    names = [[each.first] for each in comparisons]
    return _comparison_table(comparisons, caption, ["variant"], names)


def difference_format(comparisons: Sequence[Comparison]) -> Callable[[float], str]:
    """A function that writes differences and ends of their intervals with as many decimals as fit.

    Example:
      >>> from compare_gan.studies.summary_text import difference_format
      >>> difference_format([])(0.5)
      '+0.5000'

    Args:
      comparisons: The comparisons of one table.
    """
    found = [each.difference for each in comparisons if each.difference]
    digits = _digits([each.std for each in found], [each.mean for each in found])
    return lambda value: f"{value:+.{digits}f}"


def labels_table(
    comparisons: Sequence[Comparison], score: str, better: Direction, axis: str
) -> TextTable:
    """Comparisons of labels of an axis as text.

    Example:
      >>> from compare_gan.studies.summary_text import labels_table
      >>> labels_table([], "fid", "lower", axis="norm").header[:4]
      ['first', 'second', 'pairs', 'difference']

    Args:
      comparisons: The comparisons.
      score: Name of the score.
      better: Whether lower or higher scores are better.
      axis: The axis.
    """
    caption = (
        f"{score} of runs that differ only in {axis}, over all combinations of the other axes: "
        f"first minus second{_direction(better)}."
    )
    names = [[each.first, each.second] for each in comparisons]
    return _comparison_table(comparisons, caption, ["first", "second"], names)


def _comparison_table(
    comparisons: Sequence[Comparison],
    caption: str,
    header: Sequence[str],
    names: Sequence[Sequence[str]],
) -> TextTable:
    text = difference_format(comparisons)
    return TextTable(
        caption=caption,
        header=[*header, *_COMPARISON_HEADER],
        rows=[
            [*name, *_comparison_cells(each, text)]
            for name, each in zip(names, comparisons, strict=True)
        ],
        texts=len(header),
        notes=_comparison_notes(comparisons),
    )


def _comparison_cells(comparison: Comparison, text: Callable[[float], str]) -> list[str]:
    d, wins = comparison.difference, comparison.improvement_interval
    low_high = d.interval if d else None
    return [
        str(d.pairs) if d else "0",
        text(d.mean) if d else _NO_VALUE,
        f"[{text(low_high.low)}, {text(low_high.high)}]" if low_high else _NO_VALUE,
        p_value_text(d.p_value if d else None),
        p_value_text(comparison.p_holm),
        p_value_text(comparison.p_benjamini_hochberg),
        _NO_VALUE if comparison.improvement is None else f"{comparison.improvement:.2f}",
        f"[{wins.low:.2f}, {wins.high:.2f}]" if wins else _NO_VALUE,
    ]


def _caption(rows: Sequence[VariantSummary], steps: Sequence[int]) -> str:
    score = rows[0] if rows else None
    where = " or ".join(f"{step:,}" for step in steps)
    name = f"{score.score} at the final step ({where})" if score else "No runs"
    return f"{name}{_direction(score.better if score else None)}."


def _direction(better: Direction) -> str:
    return f", {better} is better" if better else ""


def _counts(rows: Sequence[VariantSummary]) -> list[_Column]:
    """Runs without a score by their fate: diverged ones always, others where there are some."""
    columns: list[_Column] = [("diverged", lambda row: str(row.diverged))]
    if any(row.pruned for row in rows):
        columns.append(("pruned", lambda row: str(row.pruned)))
    if any(row.failed for row in rows):
        columns.append(("failed", lambda row: str(row.failed)))
    if any(row.unfinished for row in rows):
        columns.append(("unfinished", lambda row: str(row.unfinished)))
    if any(row.unscored for row in rows):
        columns.append(("without score", lambda row: str(row.unscored)))
    return columns


def _costs(rows: Sequence[VariantSummary]) -> list[_Column]:
    columns: list[_Column] = []
    if any(row.wall_seconds for row in rows):
        columns.append(("minutes per run", lambda row: _minutes(row.wall_seconds)))
    if any(row.cpu_seconds for row in rows):
        columns.append(("CPU minutes", lambda row: _minutes(row.cpu_seconds)))
    if any(row.gpu_seconds for row in rows):
        columns.append(("GPU minutes", lambda row: _minutes(row.gpu_seconds)))
    if any(row.images_per_second for row in rows):
        columns.append(
            (
                "images/s",
                lambda row: (
                    _NO_VALUE if row.images_per_second is None else f"{row.images_per_second:,.0f}"
                ),
            )
        )
    return columns


def _interval_notes(rows: Sequence[VariantSummary]) -> list[str]:
    notes = ["Interval: Student's t of the mean over seeds, for scores that are about normal."]
    counts = [row.seeds for row in rows if row.seeds > 1]
    if counts and min(counts) < _ENOUGH_SEEDS:
        notes.append(
            f"With {min(counts)} seeds the bootstrap's intervals are too narrow: trust Student's t."
        )
    if counts and max(counts) < IQM_SEEDS:
        notes.append(
            f"The interquartile mean has columns from {IQM_SEEDS} seeds on: with fewer it is the "
            "mean."
        )
    if any(row.seeds == 1 for row in rows):
        notes.append("A single seed has no spread: nothing is known about other seeds.")
    return notes


def _equality_notes(rows: Sequence[VariantSummary]) -> list[str]:
    """Names variants that differ only in their bindings: those of an option without effect."""
    alike: dict[tuple[tuple[int, float], ...], list[str]] = {}
    for row in rows:
        if row.scores:
            alike.setdefault(tuple(sorted(row.scores.items())), []).append(row.variant)
    groups = [" and ".join(names) for names in alike.values() if len(names) > 1]
    if not groups:
        return []
    shown = "; ".join(groups[:_MOST_GROUPS])
    more = f"; and {len(groups) - _MOST_GROUPS} more groups" if len(groups) > _MOST_GROUPS else ""
    return [
        f"Equal to the last digit in every seed: {shown}{more}. What differs between them seems to "
        "have no effect."
    ]


def _comparison_notes(comparisons: Sequence[Comparison]) -> list[str]:
    pairs = [each.difference for each in comparisons if each.difference]
    corrected = f"; corrected for {len(pairs)} comparisons" if len(pairs) > 1 else ""
    notes = [
        f"P values: permutation test of the differences, two-sided{corrected}.",
        "P(better): share of pairs of runs, over all seeds, that the first wins; a diverged run "
        "loses. Its interval describes these runs: if one side always wins, it has no width.",
    ]
    few = [each for each in pairs if each.smallest_p_value > 0.05]
    if few:
        least = min(few, key=lambda each: each.pairs)
        notes.append(
            f"{least.pairs} {'pair' if least.pairs == 1 else 'pairs'} cannot give a p value below "
            f"{least.smallest_p_value:g}: more seeds are needed, whatever the difference."
        )
    return notes


def p_value_text(value: float | None) -> str:
    """A p value with the digits that matter; a dash for None.

    Example:
      >>> from compare_gan.studies.summary_text import p_value_text
      >>> p_value_text(0.03125), p_value_text(0.00004)
      ('0.031', '4e-05')
    """
    if value is None:
        return _NO_VALUE
    return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"


def _minutes(seconds: float | None) -> str:
    return _NO_VALUE if seconds is None else f"{seconds / 60:,.1f}"


def _digits(spreads: Sequence[float | None], values: Sequence[float | None]) -> int:
    """Decimals with which the smallest spread has two digits, and a typical value at most five.

    Without a spread a typical value has four. It is the median, so that a variant whose scores are
    beyond all others does not cost them their digits.
    """
    known = [spread for spread in spreads if spread and math.isfinite(spread)]
    sizes = [abs(value) for value in values if value]
    decimals = 4
    if sizes:
        decimals = 3 - math.floor(math.log10(statistics.median_low(sizes)))
        if known:
            decimals = min(1 - math.floor(math.log10(min(known))), decimals + 1)
    return min(max(decimals, 0), 8)
