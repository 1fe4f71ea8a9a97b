"""JAX's update and loop: see `jax_engine.py`, which runs in a process of its own."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

pytest.importorskip("jax")

_SCRIPT = pathlib.Path(__file__).with_name("jax_engine.py")


@pytest.fixture(name="output", scope="module")
def _output():
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(_SCRIPT.parents[2]),
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"] + " --xla_force_host_platform_device_count=2",
    }
    command = [sys.executable, str(_SCRIPT)]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    return process.stdout + process.stderr


@pytest.mark.parametrize("check", re.findall(r"def (check_\w+)", _SCRIPT.read_text()))
def test_jax(output, check):
    assert f"passed {check}\n" in output, output
