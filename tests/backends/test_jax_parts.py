"""JAX builds without compilations and skips what is not due: see `jax_parts.py`."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

_HERE = pathlib.Path(__file__).parent


@pytest.fixture(name="found", scope="module")
def _found():
    if importlib.util.find_spec("jax") is None:
        pytest.skip('jax is not installed: pip install -e ".[test-backends]"')
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(_HERE.parents[1]),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }
    process = subprocess.run(
        [sys.executable, str(_HERE / "jax_parts.py")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_a_gan_is_built_without_compilations(found):
    building = found["building"]
    # Once, for a scalar of LeCam's; each kernel and each operation of the networks would be one.
    assert building["variables"] > 100 and building["compilations"] <= 2
    assert building["seconds"] < 5  # Of CPU time; 0.8 on a free machine, 50 with compilations.


def test_initial_values_follow_from_the_seed_alone(found):
    building = found["building"]
    assert building["drawn"] > 50
    assert building["same"] and building["different"]
    assert building["orthogonal"] < 1e-5


def test_a_term_that_is_not_due_is_not_computed(found):
    """In a compiled scan, with the gradient; only the given variables are updated."""
    assert found["skipping"] == {
        "values": [0, 9, 0, 9],
        "gradients": [0, 6, 0, 6],
        "computed": 2,
        "memory": 2,
        "untouched": 0,
    }
