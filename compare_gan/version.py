"""The version of the code that runs, for the record of what it computes."""

import functools
import os
import subprocess

from compare_gan import __version__


@functools.cache
def code_version() -> str:
    """The version of this library; in a git checkout with the last commit that changed it."""
    here = os.path.dirname(os.path.abspath(__file__))

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", here, *command],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # Not a checkout of something around it.
        changed = "-changed" if git("status", "--porcelain", "--", here) else ""
        commit = git("log", "-1", "--format=%h", "--abbrev=10", "--", here)
        return f"{__version__}+{commit}{changed}"
    except (OSError, subprocess.CalledProcessError):
        return __version__
