"""The version of the running code, which records of its results contain."""

import functools
import os
import subprocess

from compare_gan import __version__


@functools.cache
def code_version() -> str:
    """The version of this library; in a git checkout, with the last commit that changed it.

    Example:
      >>> from compare_gan.version import code_version
      >>> code_version().startswith("4.")
      True
    """
    here = os.path.dirname(os.path.abspath(__file__))

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", here, *command],
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", __file__)  # Not the checkout of a project around it.
        changed = "-changed" if git("status", "--porcelain", "--", here) else ""
        commit = git("log", "-1", "--format=%h", "--abbrev=10", "--", here)
        return f"{__version__}+{commit}{changed}"
    except (OSError, subprocess.CalledProcessError):
        return __version__
