"""The scores of a study on its page: the table of variants, and their means with intervals."""

from collections.abc import Sequence

from compare_gan.report.charts import Chart, Interval, forest
from compare_gan.report.markup import Block
from compare_gan.report.page import Details, Section
from compare_gan.report.tables import Cell, Table
from compare_gan.studies.summary import VariantSummary
from compare_gan.studies.summary_text import (
    IQM_SEEDS,
    score_format,
    summary_table,
)
from compare_gan.studies.table import StudyTable

_FATES = {
    "diverged": "diverged",
    "pruned": "pruned",
    "failed": "failed",
    "unfinished": "unfinished",
    "unscored": "without score",
}


def score_section(table: StudyTable, score: str, others: Sequence[str]) -> Section:
    """The scores of all variants at the final step."""
    steps = sorted({run.steps for run in table.records})
    rows = table.summary(score)
    text = summary_table(rows, steps, table.notes(score))
    blocks: list[Block | str] = [
        summary_block(rows, text.caption, " ".join(text.notes)),
        variants_chart(rows, text.caption),
    ]
    for other in others:
        other_rows = table.summary(other)
        caption = summary_table(other_rows, steps).caption
        blocks.append(
            Details(
                caption.removesuffix("."),
                [summary_block(other_rows, caption), variants_chart(other_rows, caption)],
            )
        )
    return Section(
        "Scores",
        blocks,
        intro=f"{text.caption} The scores of the last step, over all seeds that finished: neither "
        "the best checkpoint nor the best seed.",
    )


def summary_block(rows: Sequence[VariantSummary], title: str, note: str = "") -> Table:
    """The summary of each variant as a sortable table."""
    axes = list(dict.fromkeys(axis for row in rows for axis in row.axes))
    fates = [name for name in _FATES if name == "diverged" or any(getattr(r, name) for r in rows)]
    has_iqm = any(row.seeds >= IQM_SEEDS for row in rows)
    text = score_format(rows)

    def cell(value: float | None, seed: int | None = None) -> Cell | None:
        if value is None:
            return None
        shown = text(value).replace("-", "−")
        return Cell(value, shown if seed is None else f"{shown} ({seed})")

    cells = []
    for row in rows:
        names = [row.axes.get(axis, "") for axis in axes] or [row.variant]
        low, high = row.interval or (None, None)
        counts = [row.seeds, *(getattr(row, fate) for fate in fates)]
        iqm = [row.iqm] if has_iqm else []
        values = map(cell, [row.mean, low, high, row.std, row.median, *iqm])
        seeds = [cell(_of_seed(row, seed), seed) for seed in (row.best_seed, row.worst_seed)]
        cells.append([*names, *counts, *values, *seeds])
    columns = ["seeds", *(_FATES[fate] for fate in fates), "mean", "95 % from", "95 % to", "std"]
    columns += ["median", *(["IQM"] if has_iqm else []), "best seed", "worst seed"]
    return Table(
        title=title,
        columns=[*(axes or ["variant"]), *columns],
        rows=cells,
        help={
            "seeds": "Finished runs with this score",
            "95 % from": "Lower end of Student's t interval of the mean over seeds",
            "95 % to": "Upper end of Student's t interval of the mean over seeds",
            "std": "Standard deviation over seeds (ddof 1)",
            "IQM": "Interquartile mean over seeds; the mean with fewer than 4",
            "best seed": "The best final score (its seed): no headline",
            "worst seed": "The worst final score (its seed)",
        },
        note=note,
    )


def variants_chart(rows: Sequence[VariantSummary], title: str) -> Chart:
    """The mean of each variant with its interval, best first."""
    drawn = [
        Interval(
            row.variant,
            row.mean,
            row.interval.low if row.interval else None,
            row.interval.high if row.interval else None,
            list(row.scores.values()),
            _lost(row),
        )
        for row in ranked(rows)
    ]
    return forest(
        title.removesuffix("."),
        drawn,
        xlabel=rows[0].score if rows else "",
        note="Mean over seeds with Student's 95 % interval; the small points below are the seeds. "
        "Arrows end intervals that reach beyond the chart.",
    )


def ranked(rows: Sequence[VariantSummary]) -> list[VariantSummary]:
    """Variants by their mean, the best first; those without one come last."""
    sign = -1 if rows and rows[0].better == "higher" else 1
    return sorted(rows, key=lambda row: (row.mean is None, sign * (row.mean or 0.0)))


def _of_seed(row: VariantSummary, seed: int | None) -> float | None:
    return None if seed is None else row.scores[seed]


def _lost(row: VariantSummary) -> str:
    """Number of runs that diverged, were pruned or failed, in words."""
    lost = [
        f"{count} of {row.runs} {fate}"
        for fate, count in (
            ("diverged", row.diverged),
            ("pruned", row.pruned),
            ("failed", row.failed),
        )
        if count
    ]
    return ", ".join(lost) if lost or row.mean is not None else "no score yet"
