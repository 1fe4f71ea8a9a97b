"""The executor on this machine: a pool of processes."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from compare_gan.errors import check_positive_integer
from compare_gan.studies import launch
from compare_gan.studies.executor import End, Task
from compare_gan.studies.shares import Share, divide, usable_cores, usable_gpus

_POLL_SECONDS = 0.05
_COMMAND = (sys.executable, "-m", "compare_gan.main")


@dataclasses.dataclass
class _Running:
    task: Task
    share: Share
    process: subprocess.Popen
    started: float


class LocalExecutor:
    r"""Runs tasks as processes of this machine, whose cores and GPUs they divide among themselves.

    A process ends with this one: it gets SIGTERM, so that a run saves its state. Signals of the
    terminal do not reach it.

    Args:
      workers: Number of processes at the same time; None = one per GPU, or one.
      environment: Environment variables of the processes; None = those of this process.
      command: Command to which the arguments of a task are appended; None = `compare_gan`.

    Attributes:
      slots: Number of processes at the same time.
      shares: The share of each slot.

    Raises:
      UserError: The number of workers is not a positive integer.

    Example:
      >>> import os, sys, tempfile
      >>> from compare_gan.studies.executor import Task
      >>> from compare_gan.studies.local import LocalExecutor
      >>> executor = LocalExecutor(workers=2, command=[sys.executable, "-c", "print('done')"])
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     log = os.path.join(folder, "log.txt")
      ...     executor.start(Task("a", (), log))
      ...     [(task, end)] = executor.ended(seconds=60)
      ...     task.name, end.exit_status, open(log).read()
      ('a', 0, 'done\n')
    """

    def __init__(
        self,
        workers: int | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
    ):
        self._environment = dict(os.environ if environment is None else environment)
        gpus = usable_gpus(self._environment)
        if workers is None:
            workers = len(gpus) or 1
        check_positive_integer("--workers", workers)
        self.slots = workers
        self.shares = divide(workers, usable_cores(), gpus)
        self._free = list(self.shares)
        self._running: list[_Running] = []
        self._command = _COMMAND if command is None else tuple(command)

    def start(self, task: Task) -> None:
        """Starts a task; fewer than `slots` tasks run."""
        share = self._free.pop(0)
        os.makedirs(os.path.dirname(os.path.abspath(task.log)), exist_ok=True)
        cores = ",".join(map(str, share.cores or ()))
        launcher = (sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), cores)
        with open(task.log, "ab") as log:
            process = subprocess.Popen(
                [*launcher, *self._command, *task.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment | share.environment(),
                pass_fds=task.descriptors,
                start_new_session=True,
            )
        self._running.append(_Running(task, share, process, time.monotonic()))

    def ended(self, seconds: float) -> list[tuple[Task, End]]:
        """The tasks that have ended since the last call; waits for one, at most these seconds."""
        deadline = time.monotonic() + seconds
        while True:
            found = []
            for running in list(self._running):
                end = _end(running)
                if end is not None:
                    self._running.remove(running)
                    self._free.append(running.share)
                    found.append((running.task, end))
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(left, _POLL_SECONDS) if self._running else left)

    def interrupt(self) -> None:
        """Asks all running tasks to save and end; `ended` reports their ends."""
        for running in self._running:
            if running.process.returncode is None:
                # It cannot be another process's number: this one has not been waited for.
                os.kill(running.process.pid, signal.SIGTERM)


def _end(running: _Running) -> End | None:
    """How a process has ended; None while it runs."""
    process = running.process
    wall = time.monotonic() - running.started
    gpu = wall if running.share.gpu is not None else 0.0
    try:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
    except ChildProcessError:  # It was waited for, but an exception came in between.
        process.returncode = 1
        return End(1, wall, None, gpu)
    if not pid:
        return None
    process.returncode = os.waitstatus_to_exitcode(status)
    return End(process.returncode, wall, usage.ru_utime + usage.ru_stime, gpu)
