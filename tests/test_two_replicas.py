"""Runs the tests that need two devices, in a process where TensorFlow sees two CPUs."""

import pathlib
import subprocess
import sys

_FOLDER = pathlib.Path(__file__).parent
_SCRIPTS = ("two_replicas.py", "training/two_replicas.py")


def test_two_replicas():
    options = ["-v", "-n", "0", "-p", "no:cacheprovider"]
    paths = [str(_FOLDER / script) for script in _SCRIPTS]
    command = [sys.executable, "-m", "pytest", *options, *paths]
    run = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stdout[-10_000:] + run.stderr[-2_000:]
    assert "SKIPPED" not in run.stdout
    for path in paths:
        assert f"{pathlib.Path(path).relative_to(_FOLDER.parent)}::" in run.stdout, run.stdout
