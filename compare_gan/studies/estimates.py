"""Estimates of the time and the disk space that the rest of a study takes."""

import os
import statistics
from collections.abc import Sequence

from compare_gan.studies import records
from compare_gan.studies.records import RunRecord


def seconds_left(runs: Sequence[RunRecord], slots: int) -> float | None:
    """Seconds to make the runs on which something is left to do; None if it is not known.

    The time per step is the median over the finished runs, or over the running ones before there
    are any.

    Args:
      runs: Records of all runs.
      slots: Number of runs at the same time.

    Example:
      >>> from compare_gan.studies import RunRecord
      >>> from compare_gan.studies.estimates import seconds_left
      >>> about = dict(variant="sn", axes={}, steps=100)
      >>> done = RunRecord(name="a", seed=1, state="finished", wall_seconds=50.0, **about)
      >>> waiting = [RunRecord(name=f"{i}", seed=i, **about) for i in range(4)]
      >>> seconds_left([done, *waiting], slots=2)
      100.0
    """
    pace = _seconds_per_step(runs)
    if pace is None:
        return None
    left = [pace * (run.steps - (run.step or 0)) for run in runs if run.state not in records.DONE]
    return max(sum(left) / slots, max(left, default=0.0))


def seconds_left_of(run: RunRecord, runs: Sequence[RunRecord]) -> float | None:
    """The time that a run still takes, in seconds; see `seconds_left`."""
    pace = _seconds_per_step(runs)
    return None if pace is None else pace * (run.steps - (run.step or 0))


def _seconds_per_step(runs: Sequence[RunRecord]) -> float | None:
    finished = [
        run.wall_seconds / run.steps
        for run in runs
        if run.state == records.FINISHED and run.wall_seconds
    ]
    running = [
        run.wall_seconds / run.step
        for run in runs
        if run.state == records.RUNNING and run.wall_seconds and run.step
    ]
    found = finished or running
    return statistics.median(found) if found else None


def bytes_per_run(runs: Sequence[RunRecord]) -> float | None:
    """The median size of the directories of finished runs; None without any."""
    sizes = [folder_bytes(run.model_dir) for run in runs if run.state == records.FINISHED]
    return statistics.median(sizes) if sizes else None


def folder_bytes(folder: str) -> int:
    """The size of the files in a folder and its subfolders; 0 if there is no such folder."""
    paths = (os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(os.lstat(path).st_size for path in paths)
