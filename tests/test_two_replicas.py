"""Runs `two_replicas.py` in a process of its own, where TensorFlow sees two CPUs."""

import pathlib
import subprocess
import sys


def test_two_replicas():
    script = pathlib.Path(__file__).with_name("two_replicas.py")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        str(script),
    ]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout[-10_000:] + run.stderr[-2_000:]
    assert " passed" in run.stdout and "skipped" not in run.stdout
