"""Runs the tests that need two devices, each file in a process where TensorFlow sees two CPUs."""

import pathlib
import subprocess
import sys

import pytest

_FOLDER = pathlib.Path(__file__).parent


@pytest.mark.parametrize("script", ["two_replicas.py", "training/two_replicas.py"])
def test_two_replicas(script):
    options = ["-q", "-n", "0", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, str(_FOLDER / script)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout[-10_000:] + run.stderr[-2_000:]
    assert " passed" in run.stdout and "skipped" not in run.stdout
