"""The parts written in keras.ops give the same numbers under JAX and PyTorch as under TensorFlow.

JAX and PyTorch run in processes of their own without TensorFlow, TensorFlow in that of pytest: see
`computations.py` and, for tiny GANs with each part, `part_computations.py`.
"""

import importlib
import importlib.util
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from compare_gan import registry

_HERE = pathlib.Path(__file__).parent
# float32 on one machine, convolutions summed in different orders: a few 1e-6 each, which deep
# networks and second derivatives amplify.
_TOLERANCE = 1e-4
# Several steps of bfloat16, which are 2^-8 each.
_TOLERANCES = {"mixed_precision": 0.02}
# The same for GANs of two layers. At worst PyTorch is at 1.3e-6, JAX at 1.3e-5, in gradients of a
# generator whose batch norm sees four examples.
_TOLERANCE_OF_TINY_GANS = 5e-5
_OTHERS = ("jax", "torch")
# Of `part_computations.py`; the last three belong to training and sampling, for which PyTorch is no
# engine.
_KINDS = ("loss", "penalty", "augmentation", "task", "option", "gan", "schedule")
_KINDS_OF_ENGINES = ("optimizer", "average", "refinement")
_SECTIONS = (
    "losses", "penalties", "augmentations", "layers", "standing_statistics", "networks",
    "mixed_precision", "gan", "gradients", "compiled",
)  # fmt: skip


def _start(backend: str, script: str, path: pathlib.Path) -> subprocess.Popen:
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(_HERE.parents[1]),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
        "OMP_NUM_THREADS": "1",  # PyTorch's threads would wait for each other actively.
    }
    return subprocess.Popen(
        [sys.executable, str(_HERE / script), str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(module: str, folder: pathlib.Path) -> dict[str, dict[str, np.ndarray]]:
    """Arrays that a module computes, by key, by backend; only installed backends."""
    processes = {
        name: _start(name, f"{module}.py", folder / f"{name}.npz")
        for name in _OTHERS
        if importlib.util.find_spec(name)
    }
    if not processes:
        return {}
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.syspath_prepend(str(_HERE))
            expected = importlib.import_module(module).compute()
        outputs = {name: process.communicate()[0] for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    for name, process in processes.items():
        assert process.returncode == 0, outputs[name]
    results = {name: np.load(folder / f"{name}.npz", allow_pickle=False) for name in processes}
    found = {name: {key: file[key] for key in file.files} for name, file in results.items()}
    return found | {"tensorflow": expected}


@pytest.fixture(name="computed", scope="module")
def _computed(tmp_path_factory):
    return _run("computations", tmp_path_factory.mktemp("backends"))


@pytest.fixture(name="computed_with_parts", scope="module")
def _computed_with_parts(tmp_path_factory):
    return _run("part_computations", tmp_path_factory.mktemp("parts"))


@pytest.fixture(name="backend", params=_OTHERS)
def _backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f'{request.param} is not installed: pip install -e ".[test-backends]"')
    return request.param


def _scales(arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest entry of each array, by key; for a gradient, that of all gradients of the value.

    A gradient that is zero except for rounding (that of a bias before a batch norm) has no
    significant digits.
    """
    largest: dict[str, float] = {}
    groups = {key: key.split("/grad/")[0] + "/grad" if "/grad/" in key else key for key in arrays}
    for key, group in groups.items():
        largest[group] = max(largest.get(group, 0.0), float(np.abs(arrays[key]).max()))
    return {key: largest[group] or 1.0 for key, group in groups.items()}


@pytest.mark.parametrize("section", _SECTIONS)
def test_the_numbers_are_those_of_tensorflow(computed, backend, section, record_property):
    tolerance = _TOLERANCES.get(section, _TOLERANCE)
    _assert_equal(computed, backend, section, record_property, tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("kind", _KINDS + _KINDS_OF_ENGINES)
def test_tiny_gans_with_each_part_are_those_of_tensorflow(
    computed_with_parts, backend, kind, record_property
):
    """Losses of both networks, their terms and gradients; values and states of other kinds."""
    if backend == "torch" and kind in _KINDS_OF_ENGINES:
        assert not any(key.startswith(f"{kind}/") for key in computed_with_parts["torch"])
    else:
        _assert_equal(computed_with_parts, backend, kind, record_property, _TOLERANCE_OF_TINY_GANS)


def _assert_equal(computed, backend, section, record_property, tolerance):
    expected = {k: v for k, v in computed["tensorflow"].items() if k.startswith(f"{section}/")}
    actual = {k: v for k, v in computed[backend].items() if k.startswith(f"{section}/")}
    assert actual.keys() == expected.keys() and expected
    scales = _scales(expected)
    worst = max(
        (float(np.abs(actual[key] - value).max() / scales[key]), key)
        for key, value in expected.items()
    )
    record_property("worst", (backend, section, len(expected), *worst))
    assert all(np.isfinite(value).all() for value in expected.values())
    assert worst[0] <= tolerance, worst


def test_mixed_precision_is_of_results_not_of_variables(computed, backend):
    for policy in ("mixed_bfloat16", "mixed_float16"):
        counts = {
            k: computed[backend][f"mixed_precision/{policy}/{k}"] for k in ("results", "variables")
        }
        assert counts == {"results": 3, "variables": 0}  # Images, logits, features.


def test_draws_are_those_of_tensorflow(computed, backend):
    ours, expected = computed[backend], computed["tensorflow"]
    for i in range(4):
        np.testing.assert_array_equal(ours[f"draws/{i}"], expected[f"draws/{i}"])
    # The inverse of the error function, near 0 and 1: some units in the last place.
    np.testing.assert_allclose(ours["draws/normal"], expected["draws/normal"], 1e-5, 1e-6)


def test_draws_follow_from_the_seed_alone(computed, backend):
    first, same, *others = (computed[backend][f"draws/{i}"] for i in range(4))
    assert first.dtype == np.float32 and first.shape == (1000, 2)
    np.testing.assert_array_equal(first, same)
    assert all(np.mean(first == other) < 0.01 for other in others)
    # 2000 draws: four standard errors, of 0.0065 (mean) and 0.0033 (deviation).
    assert first.min() >= 0 and first.max() < 1
    assert abs(first.mean() - 0.5) < 0.026 and abs(first.std() - 12**-0.5) < 0.013


def test_every_part_is_covered(computed, backend):
    keys = computed[backend].keys()
    for section, kind in (
        ("losses", "loss"),
        ("penalties", "penalty"),
        ("augmentations", "augmentation"),
        ("layers", "normalization"),
        ("networks", "architecture"),
    ):
        seen = {key.split("/")[1] for key in keys if key.startswith(f"{section}/")}
        assert set(registry.names(kind)) <= seen
