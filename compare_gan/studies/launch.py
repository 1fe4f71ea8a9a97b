"""Becomes a command that uses some cores alone and ends with the process that started it.

    python launch.py PARENT CORES COMMAND …

A file of its own, run by its path: it starts in milliseconds, and the process that forks it, which
has threads of an engine, runs no Python code in the fork.
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Applies the settings, which last through `exec`, and becomes the command."""
    parent, cores, *command = sys.argv[1:]
    # On Linux; elsewhere the command goes on alone, and its lock shows that.
    with contextlib.suppress(OSError, AttributeError):
        # SIGTERM, so that a run saves its state.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit(130)  # The parent has ended meanwhile.
    if cores:
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setaffinity(0, map(int, cores.split(",")))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
