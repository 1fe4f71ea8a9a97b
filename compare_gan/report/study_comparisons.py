"""Comparisons on the page of a study: of the values of each axis, and of all pairs of variants."""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

from compare_gan.report.charts import Chart, Interval, forest, heatmap
from compare_gan.report.markup import Block, number
from compare_gan.report.page import Details, Section, Side
from compare_gan.report.study_scores import ranked
from compare_gan.report.tables import Cell, Table
from compare_gan.studies.pairwise import Comparison
from compare_gan.studies.summary import VariantSummary
from compare_gan.studies.summary_text import (
    difference_format,
    labels_table,
    p_value_text,
    variants_table,
)
from compare_gan.studies.table import StudyTable
from compare_gan.types import Direction

_MOST_MATRICES = 9
_MOST_OPEN = 6  # Rows of a table that is shown without a click.
_MOST_VARIANTS = 60  # Of a matrix: more cells than that cannot be seen apart.


def axes_section(table: StudyTable, score: str) -> Section | None:
    """The effect of each axis; None with fewer than two axes of several values."""
    rows = table.summary(score)
    axes = {axis: list(dict.fromkeys(row.axes[axis] for row in rows)) for axis in rows[0].axes}
    axes = {axis: labels for axis, labels in axes.items() if len(labels) > 1}
    if len(axes) < 2:
        return None
    tables: list[Block | str] = []
    for axis in axes:
        differences = _axis_table(table, score, axis)
        is_short = len(differences.rows) <= _MOST_OPEN
        title = f"Differences between the values of {axis}"
        tables.append(Details(title, [differences], open=is_short))
    return Section(
        "Axes",
        [
            *_axis_charts(rows, axes),
            *tables,
            Side(_matrices(rows, axes)),
        ],
        intro="Values of an axis are compared over the combinations of the other axes that have a "
        "score under each of them, so that a value is not favoured because its hard combinations "
        "diverged or were left out. Scores of one combination may still differ from this average: "
        "the matrices show them.",
    )


def _axis_table(table: StudyTable, score: str, axis: str) -> Table:
    compared = table.axis_comparisons(axis, score)
    text = labels_table(compared, score, table.better(score), axis)
    return _pairs_table(compared, text.caption, " ".join(text.notes))


def _axis_charts(
    rows: Sequence[VariantSummary], axes: Mapping[str, Sequence[str]]
) -> list[Block | str]:
    """A chart for each axis, or the axes that have none because every combination is incomplete."""
    charts = {axis: axis_chart(rows, axis, labels) for axis, labels in axes.items()}
    blocks: list[Block | str] = []
    if drawn := [chart for chart in charts.values() if chart is not None]:
        blocks.append(Side(drawn))
    if missing := [axis for axis, chart in charts.items() if chart is None]:
        blocks.append(
            f"No chart of {' and '.join(missing)}: no combination of the other axes has a score "
            "under every value."
        )
    return blocks


def axis_chart(rows: Sequence[VariantSummary], axis: str, labels: Sequence[str]) -> Chart | None:
    """The means of variants by their value of an axis, over complete combinations of the others.

    None if no combination is complete.
    """
    combinations: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        rest = tuple(label for name, label in row.axes.items() if name != axis)
        of_rest = combinations.setdefault(rest, {})
        if row.mean is not None:
            of_rest[row.axes[axis]] = row.mean
    complete = [means for means in combinations.values() if len(means) == len(labels)]
    if not complete:
        return None
    return forest(
        axis,
        [
            Interval(
                label,
                statistics.fmean(means[label] for means in complete),
                points=[means[label] for means in complete],
            )
            for label in labels
        ],
        xlabel=rows[0].score,
        note=f"Mean over {len(complete)} of {len(combinations)} combinations, which are the small "
        "points.",
    )


def _matrices(
    rows: Sequence[VariantSummary], axes: Mapping[str, Sequence[str]]
) -> list[Block | str]:
    """The means by two axes, a matrix for each combination of further ones."""
    (first, down), (second, across), *rest = axes.items()
    drawn: list[Block | str] = []
    means = sorted(
        (row.mean for row in rows if row.mean is not None), reverse=rows[0].better != "higher"
    )
    digits = _digits(means)
    for labels in itertools.product(*(values for _, values in rest)):
        chosen = dict(zip((name for name, _ in rest), labels, strict=True))
        found = {
            (row.axes[first], row.axes[second]): row.mean
            for row in rows
            if all(row.axes[axis] == label for axis, label in chosen.items())
        }
        matrix = [[found.get((a, b)) for b in across] for a in down]
        if any(value is not None for line in matrix for value in line):
            where = ", ".join(f"{axis} {label}" for axis, label in chosen.items())
            drawn.append(
                heatmap(
                    f"{rows[0].score}, {where}" if where else f"{rows[0].score} by two axes",
                    matrix, down, across, xlabel=second, ylabel=first,
                    limits=(means[0], means[-1]),
                    texts=[[number(value, digits) for value in line] for line in matrix],
                    note="" if rows[0].better is None else "The stronger the colour, the better.",
                )
            )  # fmt: skip
    if len(drawn) > _MOST_MATRICES:
        left_out = f"The first {_MOST_MATRICES} of {len(drawn)} matrices; the table above has all."
        return [*drawn[:_MOST_MATRICES], left_out]
    return drawn


def _digits(values: Sequence[float]) -> int:
    """Significant digits that show how sorted values differ: 3 to 6."""
    spread = abs(values[-1] - values[0]) if values else 0.0
    largest = max(map(abs, values), default=0.0)
    if not spread or not largest:
        return 3
    return min(6, max(3, 2 + math.ceil(math.log10(largest / spread))))


def comparison_section(table: StudyTable, score: str) -> Section | None:
    """All pairs of variants; None with a single one."""
    rows = ranked(table.summary(score))
    names = [row.variant for row in rows if row.mean is not None or row.diverged]
    if len(names) < 2:
        return None
    compared = table.comparisons(score)
    better = table.better(score)
    text = variants_table(compared, score, better, "")
    blocks: list[Block | str] = []
    if len(names) <= _MOST_VARIANTS:
        matrices: list[Chart | None] = [
            _improvements(compared, names),
            _differences(compared, names, score, better),
        ]
        blocks.append(Side([each for each in matrices if each is not None]))
    title = f"Differences of {score} between all pairs of variants"
    blocks += [" ".join(text.notes), Details("All pairs", [_pairs_table(compared, title)])]
    return Section(
        "Comparisons",
        blocks,
        intro="Each variant (row) against each other one (column), sorted by their means.",
    )


def _improvements(compared: Sequence[Comparison], names: Sequence[str]) -> Chart | None:
    wins: dict[tuple[str, str], float] = {}
    for each in compared:
        if each.improvement is not None:
            wins[each.first, each.second] = each.improvement
            wins[each.second, each.first] = 1 - each.improvement
    if not wins:
        return None
    return heatmap(
        "Probability that a run of the row is better, in %",
        [[wins.get((a, b)) for b in names] for a in names],
        names,
        names,
        centre=0.5,
        texts=[[f"{100 * wins.get((a, b), 0):.0f}" for b in names] for a in names],
        note="Share of all pairs of runs of the two: 50 % is a tie, and a diverged run loses.",
    )


def _differences(
    compared: Sequence[Comparison], names: Sequence[str], score: str, better: Direction
) -> Chart | None:
    found: dict[tuple[str, str], float] = {}
    for each in compared:
        if each.difference is not None:
            found[each.first, each.second] = each.difference.mean
            found[each.second, each.first] = -each.difference.mean
    if not found:
        return None
    return heatmap(
        f"Difference of {score}: row minus column",
        [[found.get((a, b)) for b in names] for a in names],
        names,
        names,
        centre=0.0,
        above_is_better=better != "lower",
        note="Mean over common seeds.",
    )


def _pairs_table(compared: Sequence[Comparison], title: str, note: str = "") -> Table:
    text = difference_format(compared)

    def cell(value: float | None) -> Cell | None:
        return None if value is None else Cell(value, text(value).replace("-", "−"))

    rows = []
    for each in compared:
        d = each.difference
        low, high = d.interval if d and d.interval else (None, None)
        rows.append(
            [
                each.first, each.second, d.pairs if d else 0,
                *map(cell, (d.mean if d else None, low, high)),
                *map(_p_cell, (d.p_value if d else None, each.p_holm, each.p_benjamini_hochberg)),
                each.improvement if each.improvement is None
                else Cell(each.improvement, f"{each.improvement:.2f}"),
            ]
        )  # fmt: skip
    return Table(
        title=title,
        columns=[
            "first", "second", "pairs", "difference", "95 % from", "95 % to", "p", "p (Holm)",
            "p (Benjamini-Hochberg)", "P(first is better)",
        ],
        rows=rows,
        note=note,
    )  # fmt: skip


def _p_cell(value: float | None) -> Cell:
    return Cell(value, p_value_text(value).replace("-", "−"))
