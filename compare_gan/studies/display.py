"""The progress of a study: one live table on a terminal, otherwise lines."""

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from compare_gan.folders.arrangement import counted
from compare_gan.studies import records
from compare_gan.studies.estimates import seconds_left, seconds_left_of
from compare_gan.studies.records import RunRecord
from compare_gan.terminal import duration, printable

_UP_AND_CLEAR = "\x1b[{}F\x1b[J"
# What a reader looks for comes first; where the terminal is too small, the others are counted.
_ORDER = (
    records.RUNNING, records.FAILED, records.INTERRUPTED, records.DIVERGED, records.PAUSED,
    records.FINISHED, records.PRUNED, records.WAITING,
)  # fmt: skip
_SHORTEST = 12  # Characters of the name of a run on a narrow terminal.
_HEADER = ("run", "state", "step", "images/s", "score", "left")


class Display:
    """Shows the progress of a study on standard error.

    Args:
      title: Title of the study.
      stream: The stream; None = standard error.

    Attributes:
      is_live: Whether the stream is a terminal, on which a table is repainted.
    """

    def __init__(self, title: str, stream: TextIO | None = None):
        self._title = printable(title, keep="")
        self._stream = sys.stderr if stream is None else stream
        self.is_live = self._stream.isatty()
        self._lines = 0
        self._ended = -1

    def say(self, sentence: str) -> None:
        """Writes a line, on a terminal above the table."""
        self._erase()
        self._write(printable(sentence, keep=""))

    def show(self, runs: Sequence[RunRecord], slots: int) -> None:
        """Shows the state of all runs, see `status_lines`.

        Without a terminal, a line when a run has ended.
        """
        if self.is_live:
            size = shutil.get_terminal_size()
            lines = status_lines(self._title, runs, slots, size.lines - 1, size.columns - 1)
            self._erase()
            self._write("\n".join(line[: size.columns - 1] for line in lines))
            self._lines = len(lines)
        elif (ended := sum(run.state in records.ENDED for run in runs)) != self._ended:
            self._ended = ended
            self._write(headline(self._title, runs, slots))

    def close(self, runs: Sequence[RunRecord]) -> None:
        """Removes the table; the last line counts the runs."""
        self._erase()
        if self.is_live:
            self._write(headline(self._title, runs))

    def _erase(self) -> None:
        if self._lines:
            self._stream.write(_UP_AND_CLEAR.format(self._lines))
            self._lines = 0

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


def headline(title: str, runs: Sequence[RunRecord], slots: int | None = None) -> str:
    """A line that counts the runs of a study by their states.

    Args:
      title: Title of the study.
      runs: Records of all runs.
      slots: Number of runs at the same time, for the time left; None = nothing is running.

    Example:
      >>> from compare_gan.studies import RunRecord
      >>> from compare_gan.studies.display import headline
      >>> headline("losses", [RunRecord(name="a", variant="a", axes={}, seed=1, steps=9)])
      'losses: 1 run: 1 waiting'
    """
    counts = Counter(run.state for run in runs)
    parts = [f"{counts[state]} {state}" for state in records.STATES[::-1] if counts[state]]
    left = None if slots is None else seconds_left(runs, slots)
    time = f", about {duration(left)} left" if left else ""
    return f"{title}: {counted(len(runs), 'run')}: {', '.join(parts)}{time}"


def status_lines(
    title: str,
    runs: Sequence[RunRecord],
    slots: int | None = None,
    most: int | None = None,
    width: int | None = None,
) -> list[str]:
    """A table of the runs of a study: state, step, speed, last score, time left.

    Args:
      title: Title of the study.
      runs: Records of all runs.
      slots: See `headline`.
      most: Maximum number of lines, at least 4; None = a line for each run.
      width: Number of characters that a line should have at most: long names of runs are
        shortened; None = names are whole.

    Example:
      >>> from compare_gan.studies import RunRecord
      >>> from compare_gan.studies.display import status_lines
      >>> record = RunRecord(name="sn-seed1", variant="sn", axes={}, seed=1, steps=9, step=3)
      >>> for line in status_lines("norms", [record]):
      ...     print(line)
      norms: 1 run: 1 waiting
      run       state    step  images/s  score  left
      sn-seed1  waiting  3/9
    """
    shown = list(runs)
    if most is not None:
        shown.sort(key=lambda run: _ORDER.index(run.state))
    hidden: list[RunRecord] = []
    if most is not None and len(runs) + 2 > most:
        count = max(most - 3, 1)
        shown, hidden = shown[:count], shown[count:]
    score = next((name for run in runs for row in run.rows[-1:] for name in row.score_names), "")
    cells: list[tuple[str, ...]] = [(*_HEADER[:4], score or _HEADER[4], _HEADER[5])]
    cells += [_cells(run, runs, score) for run in shown]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        others = sum(widths[1:]) + 2 * len(widths[1:])
        widths[0] = min(widths[0], max(width - others, _SHORTEST))
        cells = [(_shortened(name, widths[0]), *row) for name, *row in cells]
    lines = [headline(title, runs, slots)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    if hidden:
        counts = Counter(run.state for run in hidden)
        lines.append("… " + ", ".join(f"{n} more {state}" for state, n in counts.items()))
    return lines


def _shortened(name: str, length: int) -> str:
    """A name without its middle if it is too long: its end is the seed."""
    if len(name) <= length:
        return name
    return f"{name[: length - length // 2 - 1]}…{name[-(length // 2) :]}"


def _cells(run: RunRecord, runs: Sequence[RunRecord], score: str) -> tuple[str, ...]:
    step = "" if run.step is None else f"{run.step}/{run.steps}"
    speed = "" if run.images_per_second is None else f"{run.images_per_second:.0f}"
    last = run.rows[-1].scores.get(score) if run.rows else None
    state, left = run.state, ""
    if state == records.RUNNING:
        seconds = seconds_left_of(run, runs)
        left = "" if seconds is None else duration(seconds)
        if run.step in (run.steps, run.stop):
            state, left = "scoring", ""
    return run.name, state, step, speed, "" if last is None else f"{last.mean:.4g}", left
