"""Runs the runs of a study: what is left of them, several at a time, each at most a few times."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Mapping, Sequence

from compare_gan import interruption
from compare_gan.studies import records
from compare_gan.studies.definition import StudyDefinition, StudyRun
from compare_gan.studies.display import Display
from compare_gan.studies.executor import End, Executor, Task
from compare_gan.studies.records import RunRecord
from compare_gan.studies.study_dir import StudyDir
from compare_gan.version import code_version

_POLL_SECONDS = 1.0
_MISTAKE, _DIVERGED = 2, 3  # Exit statuses of a command that would end alike once more.
_DONE = (records.FINISHED, records.DIVERGED)
_TAIL_BYTES = 4000


@dataclasses.dataclass(eq=False)
class _Job:
    """Something to do: a run, or labels that runs share.

    Attributes:
      name: Name of the run or of the labels.
      arguments: Arguments of the command.
      is_done: Returns whether it has been done, by whatever process.
      run: The run; None for labels.
      needs: The job that comes first; None without any.
      tries: Number of attempts by this process.
      failed: Whether no further attempt is made.
    """

    name: str
    arguments: tuple[str, ...]
    is_done: Callable[[], bool]
    run: StudyRun | None = None
    needs: "_Job | None" = None
    tries: int = 0
    failed: bool = False


@dataclasses.dataclass
class _Active:
    job: _Job
    attempt: int
    lock: contextlib.ExitStack


class Scheduler:
    """Makes the runs of a study that have neither finished nor diverged.

    Processes that work in the same directory share the runs. When it is interrupted, the running
    ones save their state and end first.

    Args:
      place: The directory of the study.
      study: The study.
      executor: The place where the runs are made.
      label_keys: For each run that needs inferred labels, by name, the key that it shares with
        those that need the same, see `inspection.inspect`.
      retries: Number of further attempts at a run that failed.
      display: Shows the progress.
    """

    def __init__(
        self,
        place: StudyDir,
        study: StudyDefinition,
        executor: Executor,
        label_keys: Mapping[str, str],
        retries: int,
        display: Display,
    ):
        self._place = place
        self._study = study
        self._executor = executor
        self._retries = retries
        self._display = display
        self._active: dict[str, _Active] = {}
        self._labels: dict[str, _Job] = {}
        self._records = {run.name: place.record(run) for run in study.runs}
        self._failed: set[str] = set()
        self._todo: list[_Job] = []
        for run in study.runs:
            if self._records[run.name].state not in _DONE:
                self._add(run, label_keys.get(run.name))

    def run(self) -> list[RunRecord]:
        """Makes the runs; returns the records of all of them.

        Raises:
          KeyboardInterrupt: It was interrupted; the running ones have ended.
        """
        code_version()  # Cached: the version of the running code, even if it changes on disk.
        with interruption.delayed(
            "the running runs save their state and end; a second signal ends at once",
            lambda: "running runs end without waiting, and resume from their last checkpoint",
        ):
            try:
                while self._todo or self._active:
                    self._start_jobs()
                    self._wait(_POLL_SECONDS)
            except KeyboardInterrupt:
                self._stop()
                raise
            finally:
                self._refresh(self._records)
                self._display.close(self._list())
        return self._list()

    def _list(self) -> list[RunRecord]:
        return list(self._records.values())

    def _add(self, run: StudyRun, label_key: str | None) -> None:
        given = ["--gin_config", self._place.config(run.variant.name)]
        bindings = list(run.bindings)
        needs = None
        if label_key is not None:
            folder = os.path.join(self._place.labels, label_key)
            bindings.append(f"infer_labels.backbone_dir = {self._place.backbones!r}")
            needs = self._labels_job(label_key, folder, [*given, *_options(bindings)])
            bindings.append(f"infer_labels.label_dir = {folder!r}")
        arguments = (
            "train",
            "--model_dir", self._place.run_dir(run.name),
            *given,
            *_options(bindings),
            "--num_eval_averaging_runs", str(self._study.averaging_runs),
            "--eval_every_steps", str(self._study.eval_every_steps),
        )  # fmt: skip
        self._todo.append(_Job(run.name, arguments, lambda: self._has_ended(run), run, needs))

    def _labels_job(self, key: str, folder: str, given: Sequence[str]) -> "_Job | None":
        """The job that infers labels, added before the first run that needs them."""
        manifest = os.path.join(folder, "manifest.json")
        if key not in self._labels:
            arguments = ("label", *given, "--label_dir", folder)
            job = _Job(f"labels-{key}", arguments, lambda: os.path.exists(manifest))
            self._labels[key] = job
            if not job.is_done():
                self._todo.append(job)
        return self._labels[key]

    def _has_ended(self, run: StudyRun) -> bool:
        record = self._records[run.name] = self._place.record(run, is_held=False)
        return record.state in _DONE

    def _start_jobs(self) -> None:
        for job in list(self._todo):
            if len(self._active) >= self._executor.slots:
                return
            if job.needs is not None and job.needs.failed:
                self._give_up(job, f"its labels could not be inferred ({job.needs.name})")
            elif job.needs is None or job.needs.is_done():
                self._start(job)

    def _start(self, job: _Job) -> None:
        with contextlib.ExitStack() as stack:
            descriptor = stack.enter_context(self._place.claim(job.name))
            if descriptor is None:  # Another process works on it.
                return
            self._todo.remove(job)
            if job.is_done():  # Another process has done it.
                return
            job.tries += 1
            attempt = self._place.journal.start(job.name, code_version())
            task = Task(job.name, job.arguments, self._place.log(job.name), (descriptor,))
            self._executor.start(task)
            self._active[job.name] = _Active(job, attempt, stack.pop_all())
        self._refresh([job.name])
        self._display.say(f"{job.name}: started{f' (attempt {attempt})' if attempt > 1 else ''}")

    def _wait(self, seconds: float, stopping: bool = False) -> None:
        """Waits for ends; shows the progress."""
        for task, end in self._executor.ended(seconds):
            active = self._active.pop(task.name, None)
            if active is not None:  # Otherwise the interruption came while it was started.
                self._note(active, end, stopping)
        if self._display.is_live:
            self._refresh([run.name for run in self._list() if run.state not in _DONE])
        self._display.show(self._list(), self._executor.slots)

    def _refresh(self, names: "Sequence[str] | Mapping[str, RunRecord]") -> None:
        attempts = self._place.journal.attempts()
        for run in self._study.runs:
            if run.name in names:
                self._records[run.name] = self._place.record(run, attempts)

    def _note(self, active: _Active, end: End, stopping: bool) -> None:
        """Notes the end of an attempt, and decides whether there will be another one."""
        job = active.job
        if job.is_done():
            run_record = self._records.get(job.name)
            status = run_record.state if run_record else records.FINISHED
        elif stopping or end.exit_status == interruption.EXIT_STATUS:
            status = records.INTERRUPTED
        else:
            status = records.FAILED
        self._place.journal.end(
            job.name,
            active.attempt,
            status,
            end.exit_status,
            wall_seconds=end.wall_seconds,
            cpu_seconds=end.cpu_seconds,
            gpu_seconds=end.gpu_seconds,
        )
        active.lock.close()
        if job.run is not None:
            self._records[job.name] = self._place.record(job.run)
        if status in _DONE:
            self._display.say(f"{job.name}: {status}{self._scores(job)}")
        elif not stopping:
            self._try_again(job, end.exit_status)

    def _try_again(self, job: _Job, exit_status: int) -> None:
        reason = _last_words(self._place.log(job.name)) or f"exit status {exit_status}"
        if exit_status in (_MISTAKE, _DIVERGED) or job.tries > self._retries:
            self._give_up(job, reason)
        else:
            self._todo.insert(0, job)
            left = self._retries - job.tries + 1
            tries = "1 more attempt" if left == 1 else f"{left} more attempts"
            self._display.say(f"{job.name}: failed, {tries}: {reason}")

    def _give_up(self, job: _Job, reason: str) -> None:
        job.failed = True
        if job in self._todo:
            self._todo.remove(job)
        self._display.say(f"{job.name}: failed: {reason}")

    def _scores(self, job: _Job) -> str:
        final = self._records[job.name].final if job.name in self._records else None
        if final is None:
            return ""
        return ": " + ", ".join(f"{name} {each.mean:.4g}" for name, each in final.scores.items())

    def _stop(self) -> None:
        """Ends the running tasks, whose state is saved."""
        self._executor.interrupt()
        while self._active:
            self._wait(_POLL_SECONDS, stopping=True)


def _options(bindings: Sequence[str]) -> list[str]:
    return [part for binding in bindings for part in ("--gin_bindings", binding)]


def _last_words(log: str) -> str:
    """The error that a command ended with, the last of its output."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    errors = [line for line in lines if re.match(r"Error: |\w+Error\b", line)]
    return (errors or lines or [""])[-1].removeprefix("Error: ").strip()
