"""Two processes of JAX: see `jax_hosts.py`."""

import os
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("jax")

_SCRIPT = pathlib.Path(__file__).with_name("jax_hosts.py")


@pytest.fixture(name="lines", scope="module")
def _lines(tmp_path_factory, reserve_port):
    """The lines that each process has printed, in parts."""
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
        "PYTHONPATH": str(_SCRIPT.parents[2]),
        "COORDINATOR_ADDRESS": f"localhost:{reserve_port()}",
        "NUM_PROCESSES": "2",
    }
    command = [sys.executable, str(_SCRIPT), str(tmp_path_factory.mktemp("hosts"))]
    processes = [
        subprocess.Popen(
            command,
            env=environment | {"PROCESS_ID": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=1200) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], outputs
    parts = [[line.split(" | ") for line in output.splitlines()] for output, _ in outputs]
    return [[line for line in own if line[0] in ("seed", "images", "error")] for own in parts]


def test_processes_agree_on_a_seed_that_is_drawn(lines):
    first, second = (dict((line[0], line[1:]) for line in own)["seed"] for own in lines)
    assert first == second


def test_an_error_of_the_first_process_ends_both(lines):
    first, second = ([line[1:] for line in own if line[0] == "error"] for own in lines)
    places = ["on_begin", "on_steps", "on_due"]
    assert first == [[place, "no space left"] for place in places]
    sentence = "Another process of this run has failed, so this one ends too."
    assert second == [[place, sentence] for place in places]


def test_processes_share_the_images_of_an_evaluation(lines):
    differences = [line[1] for own in lines for line in own if line[0] == "images"]
    assert differences == ["0", "0"]
