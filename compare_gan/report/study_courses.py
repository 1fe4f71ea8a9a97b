"""The courses and costs of a study on its page."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from compare_gan.errors import UserError
from compare_gan.report.charts import Chart, Line, Points, lines, scatter
from compare_gan.report.markup import Block
from compare_gan.report.page import Note, Section, Side
from compare_gan.report.study_scores import ranked
from compare_gan.report.tables import Table
from compare_gan.studies.records import FINISHED
from compare_gan.studies.summary import VariantSummary
from compare_gan.studies.table import StudyTable

_UNITS = {"hours": 3600.0, "minutes": 60.0}
_MOST_CURVES, _FEW_CURVES = 16, 8  # More curves than that hide each other: a few are shown.


def course_section(table: StudyTable, score: str) -> Section | None:
    """The score over steps, images and time; None if every run was scored once."""
    try:
        rows = [row for row in table.step_rows() if _is_number(row[score])]
    except UserError as error:
        return Section("Curves", [Note(str(error))])
    finished = [row for row in rows if row["state"] == FINISHED]
    if len({row["step"] for row in finished}) < 2:
        return None
    variants = [each.variant for each in ranked(table.summary(score))]
    unit, seconds = _unit(row["training_seconds"] for row in finished)
    charts = [
        _courses(finished, variants, score, "step", "step", 1.0),
        _courses(finished, variants, score, "images_seen", "images seen", 1.0),
        _courses(finished, variants, score, "training_seconds", f"{unit} of training", seconds),
    ]
    return Section(
        "Curves",
        [Side([chart for chart in charts if chart is not None])],
        intro="Means over the seeds that finished; bands reach from the lowest to the highest one. "
        "Time counts only the training steps, at the median speed of each run.",
    )


def _courses(
    rows: Sequence[Mapping[str, Any]],
    variants: Sequence[str],
    score: str,
    column: str,
    label: str,
    unit: float,
) -> Chart | None:
    """A curve for each variant; None if no row knows the column."""
    drawn = []
    shown = _spread(len(variants))
    for rank, variant in enumerate(variants):
        by_step: dict[int, list[Mapping[str, Any]]] = {}
        for row in rows:
            if row["variant"] == variant and _is_number(row[column]):
                by_step.setdefault(row["step"], []).append(row)
        # Other seeds at every step would look like progress.
        most = max((len(each) for each in by_step.values()), default=0)
        complete = [by_step[step] for step in sorted(by_step) if len(by_step[step]) == most]
        drawn.append(
            Line(
                variant,
                [statistics.fmean(row[column] for row in each) / unit for each in complete],
                [statistics.fmean(row[score] for row in each) for each in complete],
                [min(row[score] for row in each) for each in complete],
                [max(row[score] for row in each) for each in complete],
                is_shown=rank in shown,
            )
        )
    values = [y for each in drawn for y in each.y if y is not None]
    if not values:
        return None
    # A fall to a small part of the first scores would hide all later differences.
    wide = min(values) > 0 and max(values) > 4 * min(values)
    note = ""
    if len(shown) < len(variants):
        note = f"{len(shown)} of {len(variants)} variants are drawn, from the best to the worst by "
        note += "equal steps of rank; the legend shows the others."
    return lines(
        f"{score} against {label}", drawn, xlabel=label, ylabel=score, log_y=wide, note=note
    )


def _spread(count: int) -> set[int]:
    """Ranks of the variants that are drawn at first: all of them, or some evenly from all."""
    if count <= _MOST_CURVES:
        return set(range(count))
    return {round(i * (count - 1) / (_FEW_CURVES - 1)) for i in range(_FEW_CURVES)}


def cost_section(table: StudyTable, score: str | None) -> Section | None:
    """Time and speed; None if nothing is known about them."""
    rows = table.summary(score) if score else []
    known = [row for row in rows if row.total_wall_seconds or row.images_per_second]
    if not known:
        return None
    blocks: list[Block | str] = [_cost_table(known)]
    chart = _score_against_time(table, score, rows) if score else None
    if chart is not None:
        blocks.insert(0, Side([chart]))
    return Section("Costs", blocks)


def _score_against_time(
    table: StudyTable, score: str, rows: Sequence[VariantSummary]
) -> Chart | None:
    unit, seconds = _unit(run.wall_seconds for run in table.records)
    groups = []
    for row in ranked(rows):
        runs = [
            run
            for run in table.records
            if run.variant == row.variant and run.seed in row.scores and run.wall_seconds
        ]
        groups.append(
            Points(
                row.variant,
                [(run.wall_seconds or 0.0) / seconds for run in runs],
                [row.scores[run.seed] for run in runs],
                [run.name for run in runs],
            )
        )
    if not any(group.x for group in groups):
        return None
    return scatter(
        f"{score} against wall time",
        groups,
        xlabel=f"{unit} of all attempts",
        ylabel=score,
        note="Each finished run, at its final step.",
    )


def _cost_table(rows: Sequence[VariantSummary]) -> Table:
    columns: dict[str, list[float | None]] = {}
    for of, prefix in (("per run", ""), ("of all runs", "total_")):
        for kind, name in (("", "wall"), ("CPU ", "cpu"), ("GPU ", "gpu")):
            values = [getattr(row, f"{prefix}{name}_seconds") for row in rows]
            unit, seconds = _unit(values)
            if any(values):
                columns[f"{kind}{unit} {of}"] = [
                    None if value is None else value / seconds for value in values
                ]
    speeds = [row.images_per_second for row in rows]
    if any(speeds):
        columns["images/s"] = speeds
    names = [row.variant for row in rows]
    return Table(
        title="Costs of the variants",
        columns=["variant", *columns],
        rows=[list(row) for row in zip(names, *columns.values(), strict=True)],
        note="Per run: means of finished runs. Of all runs: whatever became of them.",
    )


def _unit(seconds: Iterable[float | None]) -> tuple[str, float]:
    """The unit in which the largest duration is a number that people read: its name and length."""
    largest = max((each for each in seconds if each is not None), default=0.0)
    units = ((name, length) for name, length in _UNITS.items() if largest >= 2 * length)
    return next(units, ("seconds", 1.0))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
