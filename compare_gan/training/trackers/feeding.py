"""Hands the records of a run to its trackers, none of which can hold up or end a training."""

import contextlib
import dataclasses
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from compare_gan.config.bound_values import bound_values
from compare_gan.errors import DivergenceError
from compare_gan.evaluation.results import ResultRow
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.training.trackers import base
from compare_gan.training.trackers.base import TrackedRun, Tracker
from compare_gan.training.trackers.tracked_file import Tracked, TrackedFile
from compare_gan.version import code_version

_log = logging.getLogger(__name__)

_LONGEST_QUEUE = 10_000  # Records.
# Longest waits for the start of a tracker and for its end; shorter ones are not announced.
_START_SECONDS, _END_SECONDS, _QUIET_SECONDS = 60.0, 60.0, 2.0

_Call = Callable[[Tracker], None]


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
      >>> from compare_gan.training.trackers.feeding import RunTrackers
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
        self._feeds: list[_Feed] = []

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
        memory = _Memory(self._file)
        about = TrackedRun(
            os.path.basename(self._folder),
            self._folder,
            {"code_version": code_version(), **_plain_values(config_text)},
        )
        self._feeds = [_Feed(name, each, about, memory) for name, each in trackers.items()]
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
                feed.end(status)
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
        for row in log:
            values = {name: value for name, value in row.items() if value is not None}
            self.values(values.pop("step"), values)
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


class _Memory:
    """What the trackers of a run have, in memory and on disk."""

    def __init__(self, file: TrackedFile):
        self._file = file
        self._tracked: dict[str, Tracked] | None = None
        self._lock = threading.Lock()

    def get(self, name: str) -> Tracked | None:
        with self._lock:
            return self._read().get(name)

    def set(self, name: str, tracked: Tracked) -> None:
        with self._lock:
            known = self._read()
            if known.get(name) != tracked:
                known[name] = tracked
                self._file.write(known)

    def _read(self) -> dict[str, Tracked]:
        """Read late, when no other process of the run writes it."""
        if self._tracked is None:
            self._tracked = self._file.read()
        return self._tracked


class _Feed:
    """One tracker: a queue of records, and a thread that hands them over."""

    def __init__(self, name: str, tracker: Tracker, about: TrackedRun, memory: _Memory):
        self._name = name
        self._tracker = tracker
        self._about = about
        self._memory = memory
        self._queue: queue.Queue[_Call | None] = queue.Queue(_LONGEST_QUEUE)
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._started = threading.Event()
        self._tracked = Tracked("")
        self._has_warned = self._given_up = False

    @property
    def is_started(self) -> bool:
        return self._thread.ident is not None

    def put(self, call: _Call | None) -> None:
        if not self.is_started:
            self._begin()
        if self._given_up:
            return
        try:
            self._queue.put_nowait(call)
        except queue.Full:
            self._warn("it is slower than the run, and records are left out")

    def _begin(self) -> None:
        """Starts the thread, and waits until the tracker has started.

        Meanwhile the networks are not traced: `ast.parse`, which some trackers call when they are
        imported and TensorFlow when it traces, fails in two threads at once (CPython 3.11).
        """
        self._thread.start()
        if not self._started.wait(_QUIET_SECONDS):
            _log.info("Waiting for the tracker '%s' to start.", self._name)
            self._started.wait(_START_SECONDS)
        if not self._started.is_set():
            self._given_up = True
            self._warn("it has not started in time; it gets nothing of this run")

    def put_step(self, series: str, step: int, call: _Call) -> None:
        """Hands over a record of a step, unless the tracker has that step of the series."""

        def unless_known(tracker: Tracker) -> None:
            if step > self._tracked.steps.get(series, -1):
                call(tracker)
                steps = {**self._tracked.steps, series: step}
                self._tracked = dataclasses.replace(self._tracked, steps=steps)

        self.put(unless_known)

    def put_rows(self, rows: Sequence[ResultRow]) -> None:
        """Hands over the rows that the tracker does not have yet."""

        def unless_known(tracker: Tracker) -> None:
            for row in rows[self._tracked.rows :]:
                scores = {f"score/{name}": score.mean for name, score in row.scores.items()}
                if row.step is not None:
                    tracker.values(row.step, {k: v for k, v in scores.items() if math.isfinite(v)})
            if len(rows) > self._tracked.rows:
                tracker.text("results.jsonl", "".join(f"{row.to_json()}\n" for row in rows))
                self._tracked = dataclasses.replace(self._tracked, rows=len(rows))

        self.put(unless_known)

    def end(self, status: str) -> None:
        """Asks the thread to end after the records that are still to be handed over."""
        if self.is_started and not self._given_up:

            def close(tracker: Tracker) -> None:
                tracker.close(status)
                self._tracked = dataclasses.replace(self._tracked, is_open=False)

            self.put(close)
            self.put(None)

    def wait(self, deadline: float) -> None:
        """Waits for the thread to end, at most until a time of `time.monotonic`."""
        if not self.is_started or self._given_up:
            return
        self._thread.join(_QUIET_SECONDS)
        if self._thread.is_alive():
            _log.info("Waiting for the tracker '%s' to take the last records.", self._name)
            self._thread.join(max(0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._warn("it has not taken the last records in time, and the run ends without it")

    def _work(self) -> None:
        try:
            self._start()
        except Exception as error:
            self._given_up = True
            self._warn(f"{_words(error)}; it gets nothing of this run")
            return
        finally:
            self._started.set()
        while (call := self._queue.get()) is not None:
            try:
                call(self._tracker)
            except Exception as error:
                self._warn(f"{_words(error)}; records may be missing there")
            if self._queue.empty():
                self._remember()
        self._remember()

    def _start(self) -> None:
        known = self._memory.get(self._name)
        self._tracker.check()
        run_id = self._tracker.start(dataclasses.replace(self._about, id=known and known.id))
        # Another id: the tracker has lost the run and has begun a new one.
        is_known = known is not None and known.id == run_id
        if known is None or not is_known or (known.is_open and not self._tracker.is_durable):
            known = Tracked(run_id)
        self._tracked = dataclasses.replace(known, is_open=True)
        self._remember()

    def _remember(self) -> None:
        try:
            self._memory.set(self._name, self._tracked)
        except OSError as error:
            self._warn(f"trackers.json cannot be written ({error.strerror})")

    def _warn(self, reason: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("The tracker '%s' has failed: %s.", self._name, reason)


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0].rstrip(".") if lines else ""
    return f"{type(error).__name__}{f' ({text})' if text else ''}"


def _plain_values(config_text: str) -> dict[str, bool | int | float | str | None]:
    """The values that a config binds, by parameter; those of other types as text."""
    return {
        name: value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
        for name, value in bound_values(config_text).items()
        if not name.startswith("import ")
    }
