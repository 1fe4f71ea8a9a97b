"""Commands in processes of their own, none of which outlives its test."""

import contextlib
import os
import pathlib
import subprocess
import sys

import pytest


@contextlib.contextmanager
def _starter():
    processes = []

    def start(*args, **environment) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-m", "compare_gan.main", *args],
            cwd=pathlib.Path(__file__).parents[2],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    try:
        yield start
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()


@pytest.fixture(name="start")
def _start():
    """From arguments of the command line, and environment variables, to a running process."""
    with _starter() as start:
        yield start


@pytest.fixture(name="start_in_module", scope="module")
def _start_in_module():
    """As `start`, for fixtures that a whole module shares."""
    with _starter() as start:
        yield start
