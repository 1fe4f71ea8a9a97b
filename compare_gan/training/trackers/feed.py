"""A thread that hands the records of a run to one tracker."""

import contextlib
import dataclasses
import functools
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compare_gan.evaluation.results import ResultRow
from compare_gan.training.trackers.base import FAILED, TrackedRun, Tracker
from compare_gan.training.trackers.tracked_file import Tracked, TrackedFile

_log = logging.getLogger(__name__)

_LONGEST_QUEUE = 1000  # Records; grids of samples have about 100 KB each.
# Longest wait for the start of a tracker; shorter ones than the second are not announced.
_START_SECONDS, _QUIET_SECONDS = 60.0, 2.0

Call = Callable[[Tracker], None]


class Memory:
    """What the trackers of a run have, in memory and on disk.

    Args:
      file: The file on disk.

    Example:
      >>> from compare_gan.training.trackers.feed import Memory
      >>> from compare_gan.training.trackers.tracked_file import TrackedFile
      >>> Memory(TrackedFile("runs/new/trackers.json")).get("mlflow") is None
      True
    """

    def __init__(self, file: TrackedFile):
        self._file = file
        self._tracked: dict[str, Tracked] | None = None
        self._lock = threading.Lock()

    def get(self, name: str) -> Tracked | None:
        """What the tracker of this name has; None if it does not know the run."""
        with self._lock:
            return self._read().get(name)

    def set(self, name: str, tracked: Tracked) -> None:
        """Notes what a tracker has."""
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


class Feed:
    """One tracker: a queue of records, and a thread that hands them over.

    Args:
      name: Name of the tracker.
      tracker: The tracker.
      about: The run, without its id.
      memory: What the trackers of the run have.

    Example:
      >>> import os, tempfile, time
      >>> from compare_gan.training.trackers import TrackedRun, Tracker
      >>> from compare_gan.training.trackers.feed import Feed, Memory
      >>> from compare_gan.training.trackers.tracked_file import TrackedFile
      >>> class Printer(Tracker):
      ...     def start(self, run):
      ...         return run.name
      ...     def values(self, step, values):
      ...         print(step, values)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     memory = Memory(TrackedFile(os.path.join(folder, "trackers.json")))
      ...     feed = Feed("printer", Printer(), TrackedRun("a", folder, {}), memory)
      ...     feed.put_step("values", 5, lambda tracker: tracker.values(5, {"loss": 0.5}))
      ...     feed.end("finished", time.monotonic() + 60)
      ...     feed.wait(time.monotonic() + 60)
      5 {'loss': 0.5}
    """

    def __init__(self, name: str, tracker: Tracker, about: TrackedRun, memory: Memory):
        self._name = name
        self._tracker = tracker
        self._about = about
        self._memory = memory
        self._queue: queue.Queue[Call | None] = queue.Queue(_LONGEST_QUEUE)
        self._thread = threading.Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._started = threading.Event()
        self._tracked = Tracked("")
        self._has_warned = self._given_up = False

    @property
    def is_started(self) -> bool:
        """Whether anything has been handed over."""
        return self._thread.ident is not None

    def put(self, call: Call) -> None:
        """Hands over a record: the call of the tracker that takes it."""
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

    def put_step(self, series: str, step: int, call: Call) -> None:
        """Hands over a record of a step, unless the tracker has that step of the series."""
        self.put(lambda tracker: self._once(series, step, lambda: call(tracker)))

    def put_log(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Hands over the rows of `log.jsonl` that the tracker does not have yet."""

        def unless_known(tracker: Tracker) -> None:
            for row in rows:
                values = {name: value for name, value in row.items() if value is not None}
                step = values.pop("step")
                self._once("values", step, functools.partial(tracker.values, step, values))

        self.put(unless_known)

    def _once(self, series: str, step: int, hand_over: Callable[[], None]) -> None:
        if step > self._tracked.steps.get(series, -1):
            hand_over()
            steps = {**self._tracked.steps, series: step}
            self._tracked = dataclasses.replace(self._tracked, steps=steps)

    def put_rows(self, rows: Sequence[ResultRow]) -> None:
        """Hands over the rows that the tracker does not have yet."""

        def unless_known(tracker: Tracker) -> None:
            for row in rows[self._tracked.rows :]:
                scores = {f"score/{name}": mean for name, mean in row.means.items()}
                if row.step is not None:
                    tracker.values(row.step, {k: v for k, v in scores.items() if math.isfinite(v)})
            if len(rows) > self._tracked.rows:
                tracker.text("results.jsonl", "".join(f"{row.to_json()}\n" for row in rows))
                self._tracked = dataclasses.replace(self._tracked, rows=len(rows))

        self.put(unless_known)

    def end(self, status: str, deadline: float) -> None:
        """Asks the thread to end after the records that are still to be handed over.

        Args:
          status: How the run has ended.
          deadline: Time of `time.monotonic` until which a full queue is waited for.
        """

        def close(tracker: Tracker) -> None:
            tracker.close(status)
            self._tracked = dataclasses.replace(self._tracked, is_open=False)

        if self.is_started and not self._given_up:
            with contextlib.suppress(queue.Full):  # `wait` warns.
                for call in (close, None):
                    self._queue.put(call, timeout=max(0, deadline - time.monotonic()))

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
        if self._given_up:  # It has started too late.
            with contextlib.suppress(Exception):
                self._tracker.close(FAILED)
            return
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
        run_id = self._tracker.start(
            dataclasses.replace(self._about, id=None if known is None else known.id)
        )
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
