"""Progress on standard error, for work that takes seconds or days."""

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import tqdm

from compare_gan.terminal import duration, printable

_T = TypeVar("_T")

PATIENCE = 5.0  # Seconds after which work that usually is quick shows its progress.


class ProgressLine:
    """A tqdm bar on a terminal, otherwise a line now and then.

    No error of standard error, such as a terminal that was closed, is raised.

    Args:
      unit: The name of what is counted, e.g. `step`.
      first: The count at the beginning.
      last: The count at the end.
      patience: Seconds in which nothing is shown.
      pause: Seconds between lines, at least, where there is no terminal; the last count is always
        shown.

    Example:
      >>> from compare_gan import engine
      >>> line = engine.ProgressLine("step", first=0, last=100)
      >>> line.update(50, "loss 0.7")
      >>> line.close()
    """

    _SECONDS_BETWEEN_LINES = 10.0

    def __init__(
        self,
        unit: str,
        first: int,
        last: int,
        patience: float = 0.0,
        pause: float | None = None,
    ):
        self._pause = self._SECONDS_BETWEEN_LINES if pause is None else pause
        self._unit = unit = printable(unit, keep="")  # It may contain the name of a file.
        self._last = last
        self._start = (time.monotonic(), first)
        self._shown_after = self._start[0] + patience
        self._last_line = -math.inf
        self._bar: tqdm.tqdm | None = None
        if sys.stderr is not None and sys.stderr.isatty():
            self._bar = tqdm.tqdm(
                total=last, initial=first, unit=unit, dynamic_ncols=True, delay=patience
            )

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
        if now < self._shown_after:
            return
        if now - self._last_line < self._pause and count < self._last:
            return
        self._last_line = now
        started, first = self._start
        left = (now - started) / max(count - first, 1) * (self._last - count)
        text = f": {text}" if text else ""
        say(f"{self._unit} {count}/{self._last}{text}, {duration(left)} left")

    def close(self) -> None:
        """Ends the line."""
        with contextlib.suppress(OSError, ValueError):
            if self._bar is not None:
                self._bar.close()


def tracked(
    items: Iterable[_T], name: str, total: int, size: Callable[[_T], int] = lambda item: 1
) -> Iterator[_T]:
    """Yields the items; from 5 s on, shows how many are done and the time left.

    The first item may take long, because something is compiled or loaded for it: that is shown too.

    Example:
      >>> from compare_gan import engine
      >>> sum(engine.tracked([1, 2, 3], "numbers", total=3))
      6

    Args:
      items: What is worked on.
      name: The name of what is counted, e.g. `features of images`.
      total: The count at the end.
      size: The count that an item adds.
    """
    line = ProgressLine(name, 0, total, PATIENCE)
    done = 0
    iterator = iter(items)
    try:
        with announced(f"{name} 0/{total}"):
            for item in iterator:
                yield item
                done += size(item)
                break
        for item in iterator:
            line.update(done, "")
            yield item
            done += size(item)
        line.update(done, "")
    finally:
        line.close()


@contextlib.contextmanager
def announced(doing: str) -> Iterator[None]:
    """Shows that work of unknown length is going on: after 5 s, and then ever more rarely.

    Example:
      >>> from compare_gan import engine
      >>> with engine.announced("Compiling"):
      ...     print("done")
      done

    Args:
      doing: The work, at the beginning of a line.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_announce, args=(doing, ended), daemon=True, name="announce")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _announce(doing: str, ended: threading.Event) -> None:
    started, pause = time.monotonic(), PATIENCE
    while not ended.wait(pause):
        passed = time.monotonic() - started
        say(f"{doing}, {duration(passed)} so far")
        pause = min(60.0, passed)  # After 5, 10, 20, 40 s, …


def say(line: str) -> None:
    """Writes a line to standard error, if that can still be written to."""
    if sys.stderr is None:  # It was closed at the start.
        return
    with contextlib.suppress(OSError, ValueError):
        # A bar of tqdm is moved below the line.
        tqdm.tqdm.write(printable(line, keep=""), file=sys.stderr)
        sys.stderr.flush()
