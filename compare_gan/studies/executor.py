"""Executors: where the tasks of a study run."""

import dataclasses
from typing import Protocol


@dataclasses.dataclass(frozen=True)
class Task:
    """A command of the library, which runs as a process of its own.

    Attributes:
      name: Name of the run, or of what runs share.
      arguments: Arguments of the command line.
      log: File that its output is appended to.
      descriptors: Open files that a process on this machine inherits: locks that last as long as
        it, even if the process that started it is killed.

    Example:
      >>> from compare_gan.studies import Task
      >>> Task("hinge-seed1", ("train", "--model_dir", "runs/a"), log="logs/a.txt").descriptors
      ()
    """

    name: str
    arguments: tuple[str, ...]
    log: str
    descriptors: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class End:
    """How a task has ended.

    Attributes:
      exit_status: Exit status of its process; the negative number of the signal that killed it.
      wall_seconds: Duration.
      cpu_seconds: Processor seconds of the process and its children, over all cores; None if they
        are not known.
      gpu_seconds: Duration times the number of GPUs that it held.
      is_lost: Whether the place where it ran was lost, so that the exit status means nothing.

    Example:
      >>> from compare_gan.studies import End
      >>> End(exit_status=0, wall_seconds=12.5).cpu_seconds is None
      True
    """

    exit_status: int
    wall_seconds: float
    cpu_seconds: float | None = None
    gpu_seconds: float = 0.0
    is_lost: bool = False


class Executor(Protocol):
    """A place with a number of slots, each of which runs one task at a time.

    Example:
      >>> from compare_gan.studies import Executor, LocalExecutor
      >>> executor: Executor = LocalExecutor(workers=2)
      >>> executor.slots
      2
    """

    @property
    def slots(self) -> int:
        """Number of tasks that run at the same time, at most; positive, and may change."""

    def start(self, task: Task) -> None:
        """Starts a task; fewer than `slots` tasks run."""

    def ended(self, seconds: float) -> list[tuple[Task, End]]:
        """The tasks that have ended since the last call; waits for one, at most these seconds."""

    def interrupt(self) -> None:
        """Asks all running tasks to save and end, as by SIGTERM; `ended` reports their ends."""
