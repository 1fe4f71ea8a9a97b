"""The few-label stage gives the same under JAX, without TensorFlow, as under TensorFlow.

JAX runs in a process of its own with two devices, TensorFlow in that of pytest with one: see
`stages.py`. Both begin with the same seeds, and so with the same weights and batches.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

_HERE = pathlib.Path(__file__).parent
# Holds a package `tensorflow` that cannot be imported.
_WITHOUT_TENSORFLOW = _HERE.parent / "backends" / "without_tensorflow"
# Largest differences: of losses and accuracies of 5 steps, of features relative to the greatest, of
# probabilities by a regularized classifier (both stop at a small gradient of a float32 loss).
_TOLERANCES = {"initial_weights": 1e-6, "courses": 1e-4, "features": 1e-4, "probabilities": 2e-3}
# Largest share of labels that differ: the loss of a hidden layer has several minima.
_SHARES = {"linear": 0.0, "hidden": 0.1, "clusters": 0.0, "command": 0.0}


@pytest.fixture(name="computed", scope="module")
def _computed(tmp_path_factory):
    """Arrays by name, of TensorFlow and of JAX."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip('jax is not installed: pip install -e ".[test-backends]"')
    path = tmp_path_factory.mktemp("stages") / "jax.npz"
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": f"{_WITHOUT_TENSORFLOW}:{_HERE.parents[1]}",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"] + " --xla_force_host_platform_device_count=2",
    }
    process = subprocess.Popen(
        [sys.executable, str(_HERE / "stages.py"), str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.syspath_prepend(str(_HERE))
            import stages

            expected = stages.compute()
        output = process.communicate()[0]
    finally:
        process.kill()
    assert process.returncode == 0, output
    with np.load(path, allow_pickle=False) as file:
        return expected, dict(file)


def _pairs(computed, section):
    expected, actual = computed
    assert expected.keys() == actual.keys()
    names = [name for name in expected if name.startswith(f"{section}/")]
    assert names
    for name in names:
        assert (actual[name].shape, actual[name].dtype) == (
            expected[name].shape,
            expected[name].dtype,
        ), name
        yield name, expected[name], actual[name]


@pytest.mark.parametrize("section", _TOLERANCES)
def test_the_numbers_are_those_of_tensorflow(computed, section):
    for name, expected, actual in _pairs(computed, section):
        scale = np.abs(expected).max() if section == "features" else 1.0
        assert np.abs(actual - expected).max() <= _TOLERANCES[section] * scale, name


def test_the_networks_have_learned_something(computed):
    for name, expected, _ in _pairs(computed, "courses"):
        assert expected.shape == (5,)
        assert len(np.unique(expected)) >= (3 if "loss" in name else 2), name


@pytest.mark.parametrize("method", _SHARES)
def test_the_labels_are_those_of_tensorflow(computed, method):
    for name, expected, actual in _pairs(computed, f"inferred/{method}"):
        if name.endswith("quality"):
            assert abs(expected - actual) <= _SHARES[method], name
            continue
        if expected.ndim == 2:
            expected, actual = expected.argmax(1), actual.argmax(1)
        assert len(np.unique(expected)) >= 3
        assert np.mean(expected != actual) <= _SHARES[method], name
