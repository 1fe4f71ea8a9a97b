"""JAX builds without compilations and skips what is not due: see `jax_parts.py`."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

_HERE = pathlib.Path(__file__).parent


@pytest.fixture(name="found", scope="module")
def _found(tmp_path_factory):
    """The outcomes, and the initial weights on both backends."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip('jax is not installed: pip install -e ".[test-backends]"')
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(_HERE.parents[1]),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
    }
    path = str(tmp_path_factory.mktemp("jax") / "weights.npz")
    process = subprocess.run(
        [sys.executable, str(_HERE / "jax_parts.py"), path],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    with np.load(path) as file:
        weights = {name: file[name] for name in file.files}
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(_HERE))
        import jax_parts

        expected = jax_parts.weights(jax_parts.make_gan(0))
    return json.loads(process.stdout) | {"weights": weights, "expected": expected}


def test_a_gan_is_built_without_compilations(found, slowness):
    building = found["building"]
    # Once, for a scalar of LeCam's; each kernel and each operation of the networks would be one.
    assert len(found["weights"]) > 100 and building["compilations"] <= 2
    # Of CPU time: 0.8 on a free machine, 50 with compilations.
    assert building["seconds"] < 5 * slowness()


def test_initial_weights_follow_from_the_seed_alone(found):
    building = found["building"]
    assert building["drawn"] > 50
    assert building["same"] and building["different"]


def test_initial_weights_are_those_on_tensorflow(found):
    assert found["weights"].keys() == found["expected"].keys()
    for name, value in found["expected"].items():
        # Orthogonal square matrices are less exact than the rest.
        np.testing.assert_allclose(found["weights"][name], value, rtol=0, atol=1e-5, err_msg=name)


def test_a_term_that_is_not_due_is_not_computed(found):
    """In a compiled scan, with the gradient; only the given variables are updated."""
    assert found["skipping"] == {
        "values": [0, 9, 0, 9],
        "gradients": [0, 6, 0, 6],
        "computed": 2,
        "memory": 2,
        "untouched": 0,
    }
