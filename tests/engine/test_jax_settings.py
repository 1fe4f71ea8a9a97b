"""The cache of compiled programs, determinism and traces under JAX, in a process of its own."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

from compare_gan import engine
from compare_gan.training.run_options import RunConfig

_HERE = pathlib.Path(__file__).parent


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return tmp_path_factory.mktemp("settings")


@pytest.fixture(name="found", scope="module")
def _found(folder):
    pytest.importorskip("jax", reason='not installed: pip install -e ".[jax]"')
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))
    }
    done = subprocess.run(
        [sys.executable, str(_HERE / "jax_settings.py"), str(folder)],
        env=environment
        | {
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "COMPARE_GAN_CACHE": str(folder / "cache"),
            "PYTHONPATH": str(_HERE.parents[1]),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_flag_of_determinism_is_set_before_jax_starts(found):
    assert found["flags"] == "--xla_gpu_deterministic_ops=false --xla_gpu_deterministic_ops=true"
    assert found["JAX had started"] is False


def test_determinism_on_a_gpu_in_use_is_refused(found):
    assert found["flags on CPU"] is None
    assert found["error"] == (
        "run_config.deterministic needs a process in which JAX has not used the GPU yet: set "
        "XLA_FLAGS=--xla_gpu_deterministic_ops=true before it starts."
    )


def test_programs_are_compiled_once(found, folder):
    default = pathlib.Path(found["cache by default"])
    assert default.parent == folder / "cache" / "jax" and len(list(default.iterdir())) > 0
    assert [found["default, cold"], found["default, warm"]] == [False, True]


def test_another_folder_or_none(found, folder):
    assert found["own"] and found["stays"]
    assert [found["own, cold"], found["own, warm"]] == [False, True]
    assert found["off"] is None and found["off, warm"] is False
    assert found["empty"] is None


def test_a_folder_that_cannot_be_made_is_done_without(found, folder):
    assert found["not a folder"] is None
    path = folder / "file" / "x"
    assert found["message"] == [f"Compiled programs are not cached: Not a directory: {path}."]


def test_commands_keep_keras_from_importing_tensorflow(found):
    assert importlib.util.find_spec("tensorflow") is not None
    assert found["TensorFlow"] is False


def test_tensorflow_has_no_such_cache(tmp_path):
    assert engine.use_compilation_cache(str(tmp_path / "cache")) is None
    assert not (tmp_path / "cache").exists()


def test_the_cache_is_an_option():
    assert RunConfig().compilation_cache is True
    assert RunConfig(compilation_cache="/scratch").compilation_cache == "/scratch"
