"""The journal of a study: a line for each start and each end of an attempt at a run."""

import contextlib
import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from compare_gan import damaged, files, locks
from compare_gan.errors import check_version

_VERSION = 1
START, END = "start", "end"
_COSTS = ("wall_seconds", "cpu_seconds", "gpu_seconds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt at a run, which may have been interrupted.

    Attributes:
      run: Name of the run.
      number: 1 for the first attempt.
      started: Time of the start, in seconds since 1970.
      host: Name of the machine.
      code_version: Version of the library.
      status: State of the run at the end of the attempt, see `records.STATES`; None while it goes
        on, and if nobody saw its end.
      wall_seconds: Duration; None without an end.
      cpu_seconds: Processor seconds, over all cores; None without an end.
      gpu_seconds: Duration times the number of GPUs that it held; None without an end.
    """

    run: str
    number: int
    started: float
    host: str = ""
    code_version: str | None = None
    status: str | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    gpu_seconds: float | None = None


class Journal:
    """The file `journal.jsonl` of a study, to which several processes may write at once.

    Each line is on disk before the call returns. A line that a killed process left incomplete is
    removed by the next one that writes; readers leave it out.

    Args:
      path: Path of the file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.studies.journal import Journal
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     journal = Journal(os.path.join(folder, "journal.jsonl"))
      ...     number = journal.start("hinge-seed1", code_version="4.0")
      ...     journal.end("hinge-seed1", number, "finished", exit_status=0, wall_seconds=9.5)
      ...     [attempt] = journal.attempts()["hinge-seed1"]
      >>> attempt.number, attempt.status, attempt.wall_seconds
      (1, 'finished', 9.5)
    """

    def __init__(self, path: str):
        self._path = path

    def start(self, run: str, code_version: str | None = None) -> int:
        """Notes that an attempt starts; returns its number.

        Args:
          run: Name of the run.
          code_version: Version of the library.
        """
        number = max((each.number for each in self.attempts().get(run, ())), default=0) + 1
        self._append(
            {
                "event": START,
                "run": run,
                "attempt": number,
                "time": time.time(),
                "host": locks.host(),
                "pid": os.getpid(),
                "code_version": code_version,
            }
        )
        return number

    def end(
        self, run: str, attempt: int, status: str, exit_status: int, **costs: float | None
    ) -> None:
        """Notes how an attempt has ended.

        Args:
          run: Name of the run.
          attempt: Number of the attempt.
          status: State of the run now.
          exit_status: Exit status of its process.
          **costs: `wall_seconds`, `cpu_seconds`, `gpu_seconds`.
        """
        about = {"event": END, "run": run, "attempt": attempt, "time": time.time()}
        ending = {"host": locks.host(), "status": status, "exit_status": exit_status}
        rounded = {name: None if each is None else round(each, 3) for name, each in costs.items()}
        self._append(about | ending | rounded)

    def attempts(self) -> dict[str, list[Attempt]]:
        """The attempts at each run, by its name, oldest first.

        Raises:
          UserError: A newer version of this library wrote a line.
        """
        lines = damaged.read_lines(self._path, _parse)
        lines.warn(self._path)
        return _attempts(lines.rows)

    def _append(self, entry: Mapping[str, Any]) -> None:
        os.makedirs(os.path.dirname(os.path.abspath(self._path)), exist_ok=True)
        line = json.dumps({"version": _VERSION, **entry}, ensure_ascii=False).encode() + b"\n"
        with files.errors_named(self._path), open(self._path, "a+b") as file:
            with contextlib.suppress(OSError):  # The file system may not support locks.
                fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _parse(line: str, name: str) -> dict[str, Any]:
    entry = damaged.parse_object(line, name)
    check_version(name, entry, _VERSION)
    if entry["event"] not in (START, END):
        raise ValueError(f"{name} is no start or end")
    numbers = {each: float(entry[each]) for each in _COSTS if entry.get(each) is not None}
    numbers |= {"attempt": int(entry["attempt"]), "time": float(entry["time"])}
    if not isinstance(entry["run"], str):
        raise ValueError(f"{name} names no run")
    return entry | numbers


def _attempts(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[Attempt]]:
    found: dict[tuple[str, int], Attempt] = {}
    for entry in entries:
        key = entry["run"], entry["attempt"]
        if entry["event"] == START or key not in found:
            found[key] = Attempt(
                run=entry["run"],
                number=entry["attempt"],
                started=entry["time"],
                host=entry.get("host", ""),
                code_version=entry.get("code_version"),
            )
        if entry["event"] == END:
            costs: dict[str, Any] = {each: entry.get(each) for each in _COSTS}
            found[key] = dataclasses.replace(found[key], status=entry.get("status"), **costs)
    by_run: dict[str, list[Attempt]] = {}
    for attempt in found.values():
        by_run.setdefault(attempt.run, []).append(attempt)
    return by_run
