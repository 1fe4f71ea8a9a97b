"""The stages of a start, from the import of the engine to the first step: shown and measured."""

import contextlib
import time
from collections.abc import Iterator

from compare_gan.engine.progress import announced


class Stages:
    """Durations of the stages of a start; each stage is announced while it lasts.

    Args:
      started: The time (`time.monotonic`) at which the program began; None = now.

    Attributes:
      seconds: The duration of each finished stage by name, in the order of their beginnings.

    Example:
      >>> from compare_gan import engine
      >>> stages = engine.Stages()
      >>> with stages.stage("data", "Reading the data set"):
      ...     pass
      >>> list(stages.seconds)
      ['data']
    """

    def __init__(self, started: float | None = None) -> None:
        self._ended = time.monotonic()
        self._started = self._ended if started is None else started
        self.seconds: dict[str, float] = {}
        self._inside = 0.0  # Seconds of finished stages inside the running one.
        if started is not None:
            self.seconds["import"] = self._ended - started

    @contextlib.contextmanager
    def stage(self, name: str, doing: str = "") -> Iterator[None]:
        """The context of a stage; times of one name are added.

        The time of a stage inside another one counts for the inner one only.

        Args:
          name: A word for the summary.
          doing: The work, in a line that is shown if it takes long; nothing is shown if empty.
        """
        began = time.monotonic()
        before, self._inside = self._inside, 0.0
        self.seconds.setdefault(name, 0.0)
        with announced(doing) if doing else contextlib.nullcontext():
            yield
        self._ended = time.monotonic()
        seconds = self._ended - began
        self.seconds[name] += seconds - self._inside
        self._inside = before + seconds

    @property
    def total(self) -> float:
        """Seconds from the creation of this object to the end of the last stage."""
        return self._ended - self._started

    @property
    def elapsed(self) -> float:
        """Seconds from the creation of this object to now."""
        return time.monotonic() - self._started

    def __str__(self) -> str:
        """The total and its parts: `12.3 s: import 3.2 s, data 0.5 s, …`."""
        parts = dict(self.seconds)
        other = self.total - sum(parts.values())
        if other >= 0.05:
            parts["other"] = other
        listed = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts.items())
        return f"{self.total:.1f} s: {listed}"
