"""How much of the processor other programs use."""

import os
import time
from collections.abc import Collection

from compare_gan.startup import available_cores


class OtherLoad:
    """The share of this process's cores that other programs have used since the creation.

    It is counted in ticks of 10 ms: a share over less than 0.1 s says little. Time for which the
    host of a virtual machine took a core counts too. Where the system does not count, as on macOS,
    the share is 0.

    Example:
      >>> from compare_gan.backend.other_load import OtherLoad
      >>> load = OtherLoad()
      >>> 0 <= load.share() <= 1
      True
    """

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._before = _seconds_of_others()

    def share(self) -> float:
        """From 0 to 1: the seconds of other programs on a core, of those of all cores."""
        seconds = (time.perf_counter() - self._started) * available_cores()
        return min(max((_seconds_of_others() - self._before) / seconds, 0.0), 1.0)


def _seconds_of_others() -> float:
    """The seconds that other processes have run on the cores of this one, but for a constant."""
    try:
        with open("/proc/stat", encoding="utf-8") as file:
            text = file.read()
    except OSError:  # Not Linux.
        return 0.0
    cores = os.sched_getaffinity(0)
    return busy_ticks(text, cores) / os.sysconf("SC_CLK_TCK") - time.process_time()


def busy_ticks(text: str, cores: Collection[int]) -> int:
    r"""The ticks in which cores were not idle, since the machine started.

    Args:
      text: Content of `/proc/stat`.
      cores: Numbers of the cores.

    Example:
      >>> from compare_gan.backend.other_load import busy_ticks
      >>> text = "cpu0 1 2 3 50 60 4 5 6 1 0\ncpu1 9 9 9 9 9 9 9 9 9 9"
      >>> busy_ticks(text, [0])
      21
    """
    ticks, names = 0, {f"cpu{core}" for core in cores}
    for line in text.splitlines():
        name, *counts = line.split() or [""]
        if name in names:
            user, nice, system, _, _, irq, softirq, steal = map(int, counts[:8])
            ticks += user + nice + system + irq + softirq + steal
    return ticks
