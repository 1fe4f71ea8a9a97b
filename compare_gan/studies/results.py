"""The final scores of a study as a few lines of text."""

import statistics
from collections.abc import Sequence

from compare_gan.studies import records
from compare_gan.studies.records import RunRecord


def format_results(runs: Sequence[RunRecord]) -> str:
    """A line for each variant: mean ± standard deviation (ddof 1) of its final scores over seeds.

    Args:
      runs: Records of all runs.
    """
    variants: dict[str, list[RunRecord]] = {}
    for run in runs:
        variants.setdefault(run.variant, []).append(run)
    names = list(dict.fromkeys(name for run in runs if run.final for name in run.final.scores))
    rows = [["variant", *names, "runs"]]
    for variant, own in variants.items():
        finals = [run.final for run in own if run.final and run.state == records.FINISHED]
        cells = [
            _spread([f.scores[name].mean for f in finals if name in f.scores]) for name in names
        ]
        diverged = sum(run.state == records.DIVERGED for run in own)
        note = f", {diverged} diverged" if diverged else ""
        rows.append([variant, *cells, f"{len(finals)} of {len(own)}{note}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    if any("±" in line for line in lines):
        lines.append("± is the standard deviation over seeds.")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.4g}" if values else "–"
    return f"{statistics.mean(values):.4g} ± {statistics.stdev(values):.2g}"
