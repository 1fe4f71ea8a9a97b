"""One line of progress for what takes minutes or days."""

import math
import sys
import time

import tqdm


class ProgressLine:
    """A tqdm bar on a terminal, otherwise a line at most every 10 s.

    Args:
      what: What is counted, e.g. `step`.
      first: Where the count begins.
      last: Where it ends.
    """

    _SECONDS_BETWEEN_LINES = 10.0

    def __init__(self, what: str, first: int, last: int):
        self._what = what
        self._last = last
        self._start = (time.monotonic(), first)
        self._last_line = -math.inf
        self._bar = None
        if sys.stderr.isatty():
            self._bar = tqdm.tqdm(total=last, initial=first, unit=what, dynamic_ncols=True)

    def update(self, count: int, text: str) -> None:
        """Tells the count reached, and what more there is to say."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(count - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last_line < self._SECONDS_BETWEEN_LINES and count < self._last:
            return
        self._last_line = now
        started, first = self._start
        left = (now - started) / max(count - first, 1) * (self._last - count)
        print(
            f"{self._what} {count}/{self._last}: {text}, {duration(left)} left",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        """Ends the line."""
        if self._bar is not None:
            self._bar.close()


def duration(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
