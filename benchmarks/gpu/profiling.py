"""Which kernels a step spends its time in."""

import collections
import glob
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple


class Kernel(NamedTuple):
    """One run of a kernel; times in nanoseconds."""

    name: str
    start: float
    duration: float
    operation: str = ""


def profile(run: Callable[[int], Any], steps: int) -> dict[str, Any]:
    """Profiles steps of JAX.

    Args:
      run: Function that runs a number of steps and waits for them.
      steps: Number of steps.

    Returns:
      See `summary`.
    """
    import jax

    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            run(steps)
        [path] = glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True)
        return summary(kernels(jax.profiler.ProfileData.from_file(path)), steps)


def kernels(data: Any) -> list[Kernel]:
    """The kernels in a `jax.profiler.ProfileData`: of all streams of a GPU, or of XLA on a CPU."""
    found = []
    for plane in data.planes:
        on_device = plane.name.startswith("/device:GPU")
        for line in plane.lines:
            of_kernels = "Stream" in line.name if on_device else line.name.startswith("tf_XLA")
            if not of_kernels:
                continue
            for event in line.events:
                if event.duration_ns <= 0:
                    continue
                stats = {key: value for key, value in event.stats if key}
                operation = str(stats.get("tf_op") or stats.get("hlo_op") or "")
                if on_device or "hlo_op" in stats:  # On a CPU, threads also record their waiting.
                    found.append(Kernel(event.name, event.start_ns, event.duration_ns, operation))
    return found


def summary(kernels: Sequence[Kernel], steps: int, most: int = 60) -> dict[str, Any]:
    """The most expensive kernels, and the time without any.

    Args:
      kernels: Kernels of all steps.
      steps: Number of steps.
      most: Number of kernels to list; the report prints the first ten.

    Returns:
      Seconds of one step: `span` from the first kernel to the last, `inside` the time in which at
      least one kernel ran, `outside` the rest; and `kernels`, a list of names, seconds (summed over
      streams), numbers of runs and the operations that they are compiled from.
    """
    if not kernels:
        raise ValueError("The profile has no kernels.")
    seconds: collections.Counter[str] = collections.Counter()
    runs: collections.Counter[str] = collections.Counter()
    operations: dict[str, str] = {}
    for kernel in kernels:
        seconds[kernel.name] += kernel.duration / steps / 1e9
        runs[kernel.name] += 1
        operations.setdefault(kernel.name, kernel.operation)
    first = min(kernel.start for kernel in kernels)
    last = max(kernel.start + kernel.duration for kernel in kernels)
    span, inside = (last - first) / steps / 1e9, _covered(kernels) / steps / 1e9
    return {
        "steps": steps,
        "span": span,
        "inside": inside,
        "outside": span - inside,
        "all_kernels": sum(seconds.values()),
        "launches": sum(runs.values()) / steps,
        "kernels": [
            {
                "name": name,
                "seconds": value,
                "runs": runs[name] / steps,
                "operation": operations[name],
            }
            for name, value in seconds.most_common(most)
        ],
    }


def _covered(kernels: Iterable[Kernel]) -> float:
    """The time in which at least one kernel runs."""
    total, end = 0.0, float("-inf")
    for kernel in sorted(kernels, key=lambda each: each.start):
        stop = kernel.start + kernel.duration
        total += max(0.0, stop - max(end, kernel.start))
        end = max(end, stop)
    return total
