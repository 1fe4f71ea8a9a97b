"""Sampling, evaluation and export give the same under JAX, without TensorFlow, as under TensorFlow.

JAX runs in a process of its own, TensorFlow in that of pytest: see `evaluation_computations.py`.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

_HERE = pathlib.Path(__file__).parent
# Largest difference as a share of the largest entry, by section. Float32 on one machine, sums in
# different orders; a path length consists of differences of such numbers.
_TOLERANCES = {
    "samples": 1e-5,
    "features": 1e-5,
    "scores": 1e-3,
    "derivatives": 1e-5,
    "training": 1e-5,
    "exports": 1e-5,
    "tensor_float_32": 0,
}
# Shares of 120 images: a generated one may be a level brighter, and change sides.
_COUNTS = ("cas", "precision", "recall")


@pytest.fixture(name="computed", scope="module")
def _computed(tmp_path_factory):
    """Arrays by key, for both backends."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip('jax is not installed: pip install -e ".[test-backends]"')
    folder = tmp_path_factory.mktemp("evaluation")
    # Each has its own cache of statistics, which would hold the other's features.
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(_HERE.parents[1]),
        "JAX_PLATFORMS": "cpu",
        "COMPARE_GAN_CACHE": str(folder / "jax"),
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
    }
    process = subprocess.Popen(
        [sys.executable, str(_HERE / "evaluation_computations.py"), str(folder / "jax.npz")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("COMPARE_GAN_CACHE", str(folder / "tensorflow"))
            patched.syspath_prepend(str(_HERE))
            import evaluation_computations

            expected = evaluation_computations.compute()
        output = process.communicate()[0]
    finally:
        process.kill()
    assert process.returncode == 0, output
    with np.load(folder / "jax.npz", allow_pickle=False) as file:
        return {"tensorflow": expected, "jax": dict(file)}


def _in_section(arrays, section):
    return {key: array for key, array in arrays.items() if key.startswith(f"{section}/")}


@pytest.mark.parametrize("section", _TOLERANCES)
def test_the_numbers_are_those_of_tensorflow(computed, section):
    expected = _in_section(computed["tensorflow"], section)
    actual = _in_section(computed["jax"], section)
    assert actual.keys() == expected.keys() and expected
    for key, value in expected.items():
        assert (actual[key].shape, actual[key].dtype.kind) == (value.shape, value.dtype.kind), key
        if value.dtype.kind in "Sb":
            np.testing.assert_array_equal(actual[key], value, key)
            continue
        difference = np.abs(actual[key].astype(float) - value).max()
        if value.dtype == np.uint8:
            assert difference <= 1, key
        elif key.rsplit("/", 1)[-1].startswith(_COUNTS):
            assert difference <= 0.02, key
        else:
            # Biases before a batch norm are zero but for rounding.
            scale = max(np.abs(value).max(), 0.1 if section == "training" else 0.0)
            assert difference <= _TOLERANCES[section] * scale, (key, difference, scale)


def test_tensor_float_32_is_off_in_evaluation_alone(computed):
    assert computed["jax"]["tensor_float_32/off"].tolist() == [True, False]


def test_tensorflow_is_not_imported(computed):
    roots = {name.split(".")[0] for name in computed["jax"]["modules"] if "." in name}
    assert "jax" in roots and not roots & {"tensorflow", "tensorflow_hub", "tensorflow_gan"}


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ("export", "A SavedModel needs TensorFlow, which is not installed: choose an --out that"),
        ("import", "The import of a model of the 2019 library needs TensorFlow, which is not"),
        ("saved_model", "a SavedModel, which needs KERAS_BACKEND=tensorflow; it is 'jax'"),
        ("inception_hub", "a TF-Hub module, which needs KERAS_BACKEND=tensorflow; it is 'jax'"),
        ("inception_graph", "The published graph of Inception needs TensorFlow, which is not"),
        ("tfgan", "TF-GAN needs TensorFlow, which is not installed"),
    ],
)
def test_where_tensorflow_is_needed_a_sentence_says_so(computed, part, sentence):
    assert sentence in computed["jax"][f"sentences/{part}"].item().decode()
