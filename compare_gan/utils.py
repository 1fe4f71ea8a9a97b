"""Small helpers that several rooms use."""

import functools
import hashlib
import inspect
import os
import subprocess
from collections.abc import Callable
from typing import Any

from compare_gan import __version__


def call_with_requested(fn: Callable, /, **available: Any) -> Any:
    """Calls `fn` with those of the `available` values whose names are parameters of `fn`.

    So a penalty or a normalization asks for what it needs by naming a parameter after it. A
    parameter that has no default and is not available is the caller's mistake: TypeError.
    """
    # A Keras layer is called through __call__, but its parameters are those of call().
    signature = inspect.signature(fn.call if hasattr(fn, "call") else fn)
    requested = {
        name: available[name]
        for name, parameter in signature.parameters.items()
        if name in available and parameter.kind != inspect.Parameter.VAR_KEYWORD
    }
    return fn(**requested)


def available_cores() -> int:
    """The cores that this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # Not on macOS.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def write_text(folder: str, name: str, content: str) -> None:
    """Writes the file `name` of `folder` whole or not at all; makes the folder if need be."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "w") as file:
        file.write(content)
    os.replace(temporary, path)


def file_hash(path: str) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(2**24):
            digest.update(piece)
    return digest.hexdigest()


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
