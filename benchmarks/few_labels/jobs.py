"""Jobs of a benchmark that are done once, and their results."""

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

CONFIGS = pathlib.Path(__file__).parents[2] / "example_configs" / "few_labels"
_POLL_SECONDS = 5.0
_LIBC, _PR_SET_PDEATHSIG = ctypes.CDLL(None), 1


class Results:
    """Lines of JSON in a file, one per finished job, looked up by their key."""

    def __init__(self, path: str):
        self._path = path

    def read(self) -> list[dict]:
        """All lines, oldest first."""
        if not os.path.exists(self._path):
            return []
        with open(self._path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def find(self, key: dict) -> dict | None:
        """The line with this key."""
        same = [line for line in self.read() if line["key"] == key]
        return same[-1] if same else None

    def add(self, key: dict, values: dict) -> None:
        """Appends a line immediately; drops an incomplete line left by a kill."""
        os.makedirs(os.path.dirname(os.path.abspath(self._path)), exist_ok=True)
        with open(self._path, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(json.dumps({"key": key, **values}, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def pending(named: Sequence[tuple[str, dict]], runs: str, results: Results) -> Iterator[int]:
    """Yields unfinished jobs, each locked while the caller works on it.

    In this way, processes that were started with the same folder share the work.

    Args:
      named: Names and keys of all jobs.
      runs: The folder.
      results: Results of finished jobs.

    Yields:
      Indices into `named`.
    """
    left = range(len(named))
    while True:
        for index in left:
            name, key = named[index]
            with _held(os.path.join(runs, "locks", name)) as mine:
                if mine and results.find(key) is None:
                    print(f"{index + 1} of {len(named)}: {name}", file=sys.stderr, flush=True)
                    yield index
        left = [index for index in left if results.find(named[index][1]) is None]
        if not left:
            return
        time.sleep(_POLL_SECONDS)  # A job that another process has locked may end without a result.


@contextlib.contextmanager
def _held(path: str) -> Iterator[bool]:
    """Locks this file unless another process has locked it; returns whether it did."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def config_hash() -> str:
    """A hash of the bindings that gin holds."""
    import gin

    return hashlib.sha256(gin.config_str().encode()).hexdigest()[:12]


def compare_gan(command: str, config: str, bindings: Sequence[str], *more: str) -> int:
    """Runs a command of the library on a config in a separate process; returns its exit status."""
    given = [part for binding in bindings for part in ("--gin_bindings", binding)]
    arguments = [command, "--gin_config", str(CONFIGS / config), *given, *more]
    process = [sys.executable, "-m", "compare_gan.main", *arguments]
    return subprocess.run(process, stdout=sys.stderr, preexec_fn=_end_with_parent).returncode


def _end_with_parent() -> None:
    """Otherwise a restart after a kill would run alongside the process that was left behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # Linux.


def infer_labels(runs: str, folder: str, config: str, bindings: Sequence[str]) -> dict:
    """Infers labels unless they exist; returns their manifest.

    Trained networks are written to `runs/backbones`, where all labels that need them find them.

    Raises:
      SystemExit: The command failed.
    """
    from compare_gan.labels import read_manifest

    backbones = os.path.join(runs, "backbones")
    bindings = [*bindings, f"infer_labels.backbone_dir = '{backbones}'"]
    if compare_gan("label", config, bindings, "--label_dir", folder):
        sys.exit(f"Labels could not be inferred in {folder}.")
    manifest = read_manifest(folder)
    assert manifest is not None
    return manifest


def mean_and_std(values: Sequence[float], digits: int = 2) -> str:
    """`1.23 ± 0.04` (ddof 1); no deviation for a single value, `–` for no values."""
    if not values:
        return "–"
    text = f"{np.mean(values):.{digits}f}"
    return f"{text} ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else text
