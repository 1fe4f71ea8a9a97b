"""Checkpoints that go from one engine to the other, from one placement of arrays to another."""

import importlib.util
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from compare_gan import engine
from compare_gan.training.state import HostInteger

_HERE = pathlib.Path(__file__).parent
_NAMES = ("rows", "columns", "whole", "alone")
pytestmark = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs JAX")


def _start(devices, *arguments):
    quick = os.environ["QUICK_XLA_FLAGS"]
    flags = f"{quick} --xla_force_host_platform_device_count={devices}"
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(_HERE.parents[1]),
        "XLA_FLAGS": flags,
    }
    return subprocess.Popen(
        [sys.executable, str(_HERE / "jax_checkpoints.py"), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _finish(*processes):
    outputs = []
    try:
        for process in processes:
            outputs.append(process.communicate(timeout=1200)[0])
    finally:
        for process in processes:
            process.kill()
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0 and output.endswith("done\n"), output


def _values(step):
    """As in jax_checkpoints.py."""
    random = np.random.default_rng(step)
    return {name: random.standard_normal([8, 16]).astype(np.float32) for name in _NAMES}


def _state(step):
    variables = {name: keras.Variable(value) for name, value in _values(step).items()}
    variables |= {"step": keras.Variable(step, dtype="int64"), "seed": HostInteger(2**40 + step)}
    return SimpleNamespace(step=variables["step"], variables=lambda: variables)


def _assert_is(variables, step):
    assert int(variables["step"]) == step and int(variables["seed"]) == 2**40 + step
    for name, value in _values(step).items():
        np.testing.assert_array_equal(np.asarray(variables[name]), value)


def test_a_run_goes_from_tensorflow_to_jax_and_back(tmp_path):
    folder = tmp_path / "tensorflow"
    checkpoints = engine.Checkpoints(_state(5), str(folder))
    checkpoints.save()
    checkpoints.wait()
    _finish(_start(8, "exchange", folder))
    for name in ("spread True", "spread False"):
        state = _state(0)
        engine.Checkpoints(state, str(tmp_path / name)).resume()
        _assert_is(state.variables(), 6)
    # The number of devices does not show in the files.
    first, second = ((tmp_path / f"spread {each}").glob("*/*.npz") for each in (True, False))
    assert next(first).read_bytes() == next(second).read_bytes()


def test_several_hosts_write_the_parts_that_they_hold(tmp_path, reserve_port):
    address = f"127.0.0.1:{reserve_port()}"
    _finish(*(_start(2, "hosts", tmp_path, address, process) for process in range(2)))
    [path] = engine.list_checkpoints(str(tmp_path))
    files = sorted((tmp_path / "step-7").glob("*.npz"))
    assert len(files) == 2
    _assert_is(engine.read_checkpoint(path), 7)
    with np.load(files[0]) as first, np.load(files[1]) as second:
        assert sorted(first) == [
            "alone", "columns@0,0", "columns@0,4", "rows@0,0", "rows@2,0", "seed", "step", "whole"
        ]  # fmt: skip
        assert sorted(second) == ["columns@0,12", "columns@0,8", "rows@4,0", "rows@6,0"]
    state = _state(0)
    engine.Checkpoints(state, str(tmp_path)).resume()
    _assert_is(state.variables(), 7)
