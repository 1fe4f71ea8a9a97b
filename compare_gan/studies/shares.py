"""The cores and GPUs of this machine, divided among workers."""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from compare_gan.startup import available_cores


@dataclasses.dataclass(frozen=True)
class Share:
    """The share of one worker.

    Attributes:
      cores: Numbers of its cores; None = all that this process may use.
      threads: Number of threads for its computations.
      gpu: Its GPU, as CUDA_VISIBLE_DEVICES names it; None without one.
      shares_gpu: Whether other workers use the same GPU.
    """

    cores: tuple[int, ...] | None
    threads: int
    gpu: str | None = None
    shares_gpu: bool = False

    def environment(self) -> dict[str, str]:
        """The environment variables that confine a process to its share."""
        found = {}
        if self.gpu is not None:
            found["CUDA_VISIBLE_DEVICES"] = self.gpu
        if self.shares_gpu:  # By default both engines reserve the memory of the whole GPU.
            found["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
            found["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
        if self.cores is None and self.threads < available_cores():
            # Without an affinity, as on macOS.
            found["TF_NUM_INTRAOP_THREADS"] = found["OMP_NUM_THREADS"] = str(self.threads)
        return found


def divide(workers: int, cores: Sequence[int] | None, gpus: Sequence[str] = ()) -> list[Share]:
    """The shares of a number of workers.

    Each has cores of its own if there are enough, otherwise several share one; likewise GPUs, of
    which each has at most one.

    Args:
      workers: Number of workers.
      cores: Numbers of the cores; None where processes cannot be bound to cores.
      gpus: The GPUs.

    Example:
      >>> from compare_gan.studies.shares import divide
      >>> [share.cores for share in divide(2, cores=[0, 1, 2, 3, 4])]
      [(0, 1), (2, 3, 4)]
      >>> [share.gpu for share in divide(3, cores=[0, 1, 2], gpus=["0", "1"])]
      ['0', '1', '0']
    """
    shares = []
    for index in range(workers):
        own: tuple[int, ...] | None = None
        threads = max(1, available_cores() // workers)
        if cores is not None and workers > 1:
            first, end = (len(cores) * each // workers for each in (index, index + 1))
            enough = len(cores) >= workers
            own = tuple(cores[first:end]) if enough else (cores[index % len(cores)],)
            threads = len(own)
        gpu = gpus[index % len(gpus)] if gpus else None
        shares.append(Share(own, threads, gpu, bool(gpus) and workers > len(gpus)))
    return shares


def usable_cores() -> list[int] | None:
    """The cores that this process may use; None where processes cannot be bound to cores."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return sorted(os.sched_getaffinity(0))


def usable_gpus(environment: Mapping[str, str]) -> list[str]:
    """The GPUs that a process may use, without starting an engine.

    Args:
      environment: Environment variables; CUDA_VISIBLE_DEVICES names the GPUs, otherwise the tool of
        the driver counts them.

    Example:
      >>> from compare_gan.studies.shares import usable_gpus
      >>> usable_gpus({"CUDA_VISIBLE_DEVICES": "2,3"}), usable_gpus({"CUDA_VISIBLE_DEVICES": "-1"})
      (['2', '3'], [])
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        gpus = []
        for each in named.split(","):
            if not each.strip() or each.strip() == "-1":  # It hides those that follow.
                break
            gpus.append(each.strip())
        return gpus
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(index) for index in range(count)]
