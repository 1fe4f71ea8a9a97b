"""The final scores of a study as a few lines of text."""

import math

from compare_gan.studies.records import DIVERGED, FAILED, FINISHED, PRUNED
from compare_gan.studies.summary import VariantSummary, by_variant
from compare_gan.studies.table import StudyTable

_NO_VALUE = "–"
_MOST_DIGITS = 7


def format_results(table: StudyTable) -> str:
    """A line for each variant: mean ± standard deviation (ddof 1) of its final scores over seeds.

    Args:
      table: The runs of the study.
    """
    columns = {name: {row.variant: row for row in table.summary(name)} for name in table.scores}
    rows = [["variant", *table.scores, "finished"]]
    for variant, runs in by_variant(table.records).items():
        cells = [_mean(columns[name][variant]) for name in table.scores]
        states = [run.state for run in runs]
        others = "".join(
            f", {states.count(state)} {state}"
            for state in (DIVERGED, PRUNED, FAILED)
            if state in states
        )
        rows.append([variant, *cells, f"{states.count(FINISHED)} of {len(runs)}{others}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    if any("±" in line for line in lines):
        lines.append("± is the standard deviation over seeds.")
    return "\n".join([*lines, *table.search_notes()])


def _mean(summary: VariantSummary) -> str:
    if summary.mean is None:
        return _NO_VALUE
    if not summary.std:
        return f"{summary.mean:.4g}" + ("" if summary.std is None else " ± 0")
    # As many decimals as two digits of the deviation have, unless the mean had too many digits.
    decimals = min(1 - _exponent(summary.std), _MOST_DIGITS - 1 - _exponent(summary.mean))
    return f"{summary.mean:.{max(0, decimals)}f} ± {summary.std:.2g}"


def _exponent(value: float) -> int:
    """The power of ten of a number; 0 for 0."""
    return math.floor(math.log10(abs(value))) if value else 0
