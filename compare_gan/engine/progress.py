"""A line of progress for work that takes minutes or days."""

import contextlib
import math
import sys
import time

import tqdm

from compare_gan.terminal import printable


class ProgressLine:
    """A tqdm bar on a terminal, otherwise a line at most every 10 s.

    No error of standard error, such as a terminal that was closed, is raised.

    Args:
      unit: The name of what is counted, e.g. `step`.
      first: The count at the beginning.
      last: The count at the end.

    Example:
      >>> from compare_gan import engine
      >>> line = engine.ProgressLine("step", first=0, last=100)
      >>> line.update(50, "loss 0.7")
      >>> line.close()
    """

    _SECONDS_BETWEEN_LINES = 10.0

    def __init__(self, unit: str, first: int, last: int):
        self._unit = unit = printable(unit, keep="")  # It may contain the name of a file.
        self._last = last
        self._start = (time.monotonic(), first)
        self._last_line = -math.inf
        self._bar: tqdm.tqdm | None = None
        if sys.stderr is not None and sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=last, initial=first, unit=unit, dynamic_ncols=True)

    def update(self, count: int, text: str) -> None:
        """Shows the count reached, and a text."""
        with contextlib.suppress(OSError, ValueError):  # A ValueError: it was closed here.
            self._show(count, text)

    def _show(self, count: int, text: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(count - self._bar.n)
            return
        if sys.stderr is None:  # It was closed at the start.
            return
        now = time.monotonic()
        if now - self._last_line < self._SECONDS_BETWEEN_LINES and count < self._last:
            return
        self._last_line = now
        started, first = self._start
        left = (now - started) / max(count - first, 1) * (self._last - count)
        print(
            f"{self._unit} {count}/{self._last}: {text}, {duration(left)} left",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Ends the line."""
        with contextlib.suppress(OSError, ValueError):
            if self._bar is not None:
                self._bar.close()


def duration(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
