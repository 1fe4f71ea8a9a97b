"""Hands the records of a run to its trackers, none of which can hold up or end a training."""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from compare_gan.config.bound_values import bound_values
from compare_gan.errors import DivergenceError
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.training.trackers import base
from compare_gan.training.trackers.base import TrackedRun, Tracker
from compare_gan.training.trackers.feed import Feed, Memory
from compare_gan.training.trackers.tracked_file import TrackedFile
from compare_gan.version import code_version

_END_SECONDS = 60.0  # Longest wait for the last records to be taken.


class RunTrackers:
    """The trackers of a run, to which its records go while it is `open`; nothing before and after.

    A record that a tracker has already, because the run was killed or went back to a checkpoint and
    repeats the step, is not handed over again. Scores are taken from the rows of `results.jsonl`,
    so that those which another process has measured come along.

    Args:
      folder: The directory of the run.
      results: The scores of the run.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.evaluation.results_file import ResultsFile
      >>> from compare_gan.training.trackers import Tracker
      >>> from compare_gan.training.trackers.run_trackers import RunTrackers
      >>> class Printer(Tracker):
      ...     def start(self, run):
      ...         return run.name
      ...     def values(self, step, values):
      ...         print(step, values)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     trackers = RunTrackers(folder, ResultsFile(os.path.join(folder, "results.jsonl")))
      ...     with trackers.open(lambda: {"printer": Printer()}, "options.z_dim = 4"):
      ...         trackers.values(10, {"loss": 0.5})
      ...         trackers.values(10, {"loss": 0.5})
      10 {'loss': 0.5}
    """

    def __init__(self, folder: str, results: ResultsFile):
        self._folder = os.path.abspath(folder)
        self._results = results
        self._file = TrackedFile(os.path.join(folder, "trackers.json"))
        self._feeds: list[Feed] = []

    @contextlib.contextmanager
    def open(
        self, make_trackers: Callable[[], Mapping[str, Tracker]], config_text: str
    ) -> Iterator[None]:
        """Context in which records go to the trackers; one within another changes nothing.

        Args:
          make_trackers: Returns the trackers by name.
          config_text: All bindings of the config.
        """
        trackers = {} if self._feeds else make_trackers()
        if not trackers:
            yield
            return
        memory = Memory(self._file)
        about = TrackedRun(
            os.path.basename(self._folder),
            self._folder,
            {"code_version": code_version(), **_plain_values(config_text)},
        )
        self._feeds = [Feed(name, each, about, memory) for name, each in trackers.items()]
        self._config_text = config_text
        status = base.FAILED
        try:
            yield
            status = base.FINISHED
        except DivergenceError:
            status = base.DIVERGED
            raise
        except KeyboardInterrupt:
            status = base.INTERRUPTED
            raise
        finally:
            feeds, self._feeds = self._feeds, []
            deadline = time.monotonic() + _END_SECONDS
            for feed in feeds:
                feed.end(status, deadline)
            for feed in feeds:
                feed.wait(deadline)

    def start(self, log: Iterable[Mapping[str, Any]] = ()) -> None:
        """Shows the run: its config, and what the trackers lack of its log and scores.

        Args:
          log: The rows of `log.jsonl`.
        """
        if all(feed.is_started for feed in self._feeds):
            return
        self.text("config.gin", self._config_text)
        rows = list(log)
        for feed in self._feeds:
            feed.put_log(rows)
        self.scores()

    def values(self, step: int, values: Mapping[str, float], prefix: str = "") -> None:
        """Hands over values of one step, those that are finite."""
        finite = {f"{prefix}{name}": v for name, v in values.items() if math.isfinite(v)}
        for feed in self._feeds:
            feed.put_step(
                prefix.rstrip("/") or "values", step, lambda tracker: tracker.values(step, finite)
            )

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Hands over a picture, encoded as PNG."""
        for feed in self._feeds:
            feed.put_step(name, step, lambda tracker: tracker.picture(step, name, png))

    def text(self, name: str, content: str) -> None:
        """Hands over a text file."""
        for feed in self._feeds:
            feed.put(lambda tracker: tracker.text(name, content))

    def scores(self) -> None:
        """Hands over the scores that have been added since the last time."""
        if self._feeds:
            rows = self._results.read()
            for feed in self._feeds:
                feed.put_rows(rows)


def _plain_values(config_text: str) -> dict[str, bool | int | float | str | None]:
    """The values that a config binds, by parameter; those of other types as text."""
    return {
        name: value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in bound_values(config_text).items()
        if not name.startswith("import ")
    }
