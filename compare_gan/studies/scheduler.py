"""Makes the runs of a study: what is left of them, several at a time, each a few times at most."""

import contextlib
import dataclasses
import os
import signal
from collections.abc import Collection, Mapping, Sequence

from compare_gan import interruption
from compare_gan.studies import records
from compare_gan.studies.definition import StudyDefinition, StudyRun
from compare_gan.studies.display import Display
from compare_gan.studies.executor import End, Executor, Task
from compare_gan.studies.hparams import write_hparams
from compare_gan.studies.jobs import Job, make_jobs
from compare_gan.studies.logs import last_error
from compare_gan.studies.measurements import final_measurement, measurements
from compare_gan.studies.records import RunRecord
from compare_gan.studies.study_dir import StudyDir
from compare_gan.training import run_lock
from compare_gan.version import code_version

_POLL_SECONDS = 1.0
# Exit statuses of a mistake and of divergence: the command would end in the same way again.
_FINAL_STATUSES = (2, 3)


@dataclasses.dataclass
class _Active:
    """An attempt that goes on.

    Attributes:
      job: The job.
      attempt: Number of the attempt in the journal.
      log_size: Size of the file of its output at the start.
      step: Number of finished steps of the run at the start.
      lock: Releases the lock of the job when it is closed.
    """

    job: Job
    attempt: int
    log_size: int
    step: int
    lock: contextlib.ExitStack


class Scheduler:
    """Makes the runs of a study that have not ended, those of a search up to their next pause.

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
      runs: Runs of the study that are to be made; None = all.
      only: Names of those that this call makes; None = all. The others are shown.
    """

    def __init__(
        self,
        place: StudyDir,
        study: StudyDefinition,
        executor: Executor,
        label_keys: Mapping[str, str],
        retries: int,
        display: Display,
        runs: Sequence[StudyRun] | None = None,
        only: Collection[str] | None = None,
    ):
        self._place = place
        self._study = study
        self._runs = study.runs if runs is None else runs
        self._executor = executor
        self._retries = retries
        self._display = display
        self._records: dict[str, RunRecord] = {}
        self._refresh([run.name for run in self._runs])
        names = self._unfinished() if only is None else self._unfinished() & set(only)
        left = [run for run in self._runs if run.name in names]
        self._todo = make_jobs(place, study, left, label_keys)
        self._active: dict[str, _Active] = {}

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
                    self._wait()
            except KeyboardInterrupt:
                self._executor.interrupt()
                while self._active:
                    self._wait(stopping=True)
                raise
            finally:
                self._refresh(self._unfinished())
                self._show_in_tensorboard()
                self._display.close(self._list())
        return self._list()

    def _list(self) -> list[RunRecord]:
        return list(self._records.values())

    def _unfinished(self) -> set[str]:
        return {record.name for record in self._list() if record.state not in records.SETTLED}

    def _refresh(self, names: Collection[str]) -> None:
        """Reads the records of these runs, on which other processes may work too."""
        attempts = self._place.journal.attempts()
        for run in self._runs:
            if run.name in names:
                self._records[run.name] = self._place.record(run, attempts)

    def _start_jobs(self) -> None:
        for job in list(self._todo):
            if len(self._active) >= self._executor.slots:
                return
            if job.needs is not None and job.needs.failed:
                self._give_up(job, f"its labels could not be inferred ({job.needs.name})")
            elif job.needs is None or job.needs.is_done():
                self._start(job)

    def _start(self, job: Job) -> None:
        """Starts a job, unless another process works on it or has done it."""
        with contextlib.ExitStack() as stack:
            descriptor = stack.enter_context(self._place.claim(job.name))
            if descriptor is None or self._is_trained(job):
                return
            self._todo.remove(job)
            if job.is_done():
                return
            job.tries += 1
            attempt = self._place.journal.start(job.name, code_version())
            log = self._place.log(job.name)
            log_size = os.path.getsize(log) if os.path.exists(log) else 0
            self._executor.start(Task(job.name, job.arguments, log, (descriptor,)))
            lock = stack.pop_all()
            self._active[job.name] = _Active(job, attempt, log_size, self._step(job), lock)
        self._refresh([job.name])
        self._display.say(f"{job.name}: started{f' (attempt {attempt})' if attempt > 1 else ''}")

    def _is_trained(self, job: Job) -> bool:
        """Whether a process trains the run without the study's lock, or its lock may be valid.

        The node of the process may only have been taken for lost.
        """
        folder = self._place.run_dir(job.name)
        return job.run is not None and run_lock.is_held(os.path.join(folder, "training.lock"))

    def _step(self, job: Job) -> int:
        return (self._records[job.name].step or 0) if job.run is not None else 0

    def _wait(self, stopping: bool = False) -> None:
        """Waits for ends, at most a second; shows the progress."""
        ended = self._executor.ended(_POLL_SECONDS)
        for task, end in ended:
            active = self._active.pop(task.name, None)
            if active is not None:  # Otherwise an interruption came while it was started.
                self._note(active, end, stopping)
        if ended or self._display.is_live:
            self._refresh(self._unfinished())
        self._display.show(self._list(), self._executor.slots)

    def _note(self, active: _Active, end: End, stopping: bool) -> None:
        """Notes the end of an attempt, and decides whether there will be another one."""
        job = active.job
        status = self._status(job, end, stopping)
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
        self._refresh([job.name])
        if status in records.SETTLED:
            self._display.say(f"{job.name}: {self._ending(job, status)}")
            self._show_in_tensorboard()
        elif end.is_lost and not stopping and self._step(job) > active.step:
            job.tries -= 1  # Nothing is wrong with a run that has made progress.
            self._todo.insert(0, job)
            self._display.say(f"{job.name}: its node was lost; it goes on from its last checkpoint")
        elif not stopping:
            error = last_error(self._place.log(job.name), active.log_size)
            self._try_again(job, end.exit_status, error or _ending(end.exit_status))

    def _status(self, job: Job, end: End, stopping: bool) -> str:
        if job.run is not None:
            state = self._place.record(job.run, is_held=False).state
            if state in records.SETTLED:
                return state
        elif job.is_done():
            return records.FINISHED
        interrupted = stopping or end.is_lost or end.exit_status == interruption.EXIT_STATUS
        return records.INTERRUPTED if interrupted else records.FAILED

    def _try_again(self, job: Job, exit_status: int, reason: str) -> None:
        left = self._retries - job.tries + 1
        if exit_status in _FINAL_STATUSES or left <= 0:
            self._give_up(job, reason)
        else:
            self._todo.insert(0, job)
            tries = "1 more attempt" if left == 1 else f"{left} more attempts"
            self._display.say(f"{job.name}: failed, {tries}: {reason}")

    def _give_up(self, job: Job, reason: str) -> None:
        job.failed = True
        if job in self._todo:
            self._todo.remove(job)
        self._display.say(f"{job.name}: failed: {reason}")

    def _ending(self, job: Job, status: str) -> str:
        """How a run has ended, with the scores of its last step."""
        record = self._records.get(job.name)
        if record is None:
            return status
        rows = final_measurement(record)
        if status == records.PAUSED and record.stop is not None:
            rows = measurements(record)[record.stop]
            status = f"{status} at step {record.stop}"
        scores = ", ".join(f"{name} {row.scores[name].mean:.4g}" for name, row in rows.items())
        return f"{status}: {scores}" if scores else status

    def _show_in_tensorboard(self) -> None:
        attempts = self._place.journal.attempts()
        others = [run for run in self._study.runs if run.name not in self._records]
        records_of_others = [self._place.record(run, attempts) for run in others]
        write_hparams(self._place.tensorboard, self._study, [*self._list(), *records_of_others])


def _ending(exit_status: int) -> str:
    if exit_status >= 0:
        return f"exit status {exit_status}"
    with contextlib.suppress(ValueError):
        return f"ended by {signal.Signals(-exit_status).name}"
    return f"ended by signal {-exit_status}"
