"""Runs under JAX for test_jax_checkpoints.py, without TensorFlow.

Modes are `exchange FOLDER` and `hosts FOLDER ADDRESS PROCESS`.
"""

import os
import sys
from types import SimpleNamespace

import jax
import keras
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from compare_gan import engine
from compare_gan.engine import checkpoint_writer
from compare_gan.errors import UserError

# From start to stop along the rows, columns, or not at all.
SPECS = {"rows": ("d",), "columns": (None, "d"), "whole": (), "alone": None}


class HostInteger:
    """As in `training.state`, which needs more packages."""

    dtype, shape = "int64", ()

    def __init__(self, value):
        self.assign(value)

    def assign(self, value):
        self._value = np.array(value, np.int64)

    def numpy(self):
        return self._value


def values(step):
    random = np.random.default_rng(step)
    return {name: random.standard_normal([8, 16]).astype(np.float32) for name in SPECS}


def _state(step, spread=False):
    variables = {name: keras.Variable(value) for name, value in values(step).items()}
    variables |= {"step": keras.Variable(step, dtype="int32"), "seed": HostInteger(2**40 + step)}
    if spread:
        mesh = Mesh(np.array(jax.devices()), ("d",))
        for name, spec in SPECS.items():
            if spec is not None:
                content = np.asarray(variables[name].value).__getitem__
                sharding = NamedSharding(mesh, PartitionSpec(*spec))
                array = jax.make_array_from_callback((8, 16), sharding, content)
                variables[name].assign(array)
                assert variables[name].value.sharding == sharding
    return SimpleNamespace(variables=lambda: variables, **variables)


def _assert_is(state, step):
    assert int(state.step) == step and state.step.dtype == "int32"
    assert state.seed.numpy() == 2**40 + step
    for name, value in values(step).items():
        for shard in getattr(state, name).value.addressable_shards:
            np.testing.assert_array_equal(np.asarray(shard.data), value[shard.index])


def exchange(folder):
    """Restores step 5, which TensorFlow has saved; saves step 6 for it."""
    assert len(jax.devices()) == 8
    state = _state(0, spread=True)
    placed = {name: getattr(state, name).value.sharding for name in SPECS}
    checkpoints = engine.Checkpoints(state, folder)
    checkpoints.resume()
    _assert_is(state, 5)
    assert {name: getattr(state, name).value.sharding for name in SPECS} == placed
    # The next step reuses the memory of the arrays: saving has copied them.
    add = jax.jit(lambda array: array + 1, donate_argnums=0)
    for spread in (True, False):
        state = _state(6, spread)
        assert not engine.Checkpoints(state, folder).collective
        checkpoints = engine.Checkpoints(state, os.path.join(folder, "..", f"spread {spread}"))
        path = checkpoints.save()
        before = state.rows.value
        state.rows.assign(add(before))
        assert before.is_deleted()
        checkpoints.wait()
        with np.load(next(each.path for each in os.scandir(path) if "arrays" in each.name)) as file:
            assert sorted(file) == sorted(state.variables())
    # None of this needed TensorFlow; old checkpoints do.
    assert "tensorflow" not in sys.modules
    sys.modules["tensorflow"] = None
    with open(os.path.join(folder, "step-9.index"), "w"):
        pass
    try:
        checkpoints = engine.Checkpoints(state, folder)
        checkpoints.resume()
    except UserError as error:
        assert "step-9' is in TensorFlow's format: install TensorFlow" in str(error)
    else:
        raise AssertionError("the old checkpoint is ignored")


def hosts(folder, address, process):
    """Two processes with two devices each save and restore arrays that both hold parts of."""
    process = int(process)
    jax.distributed.initialize(address, 2, process)
    assert len(jax.devices()) == 4 and len(jax.local_devices()) == 2
    state = _state(7, spread=True)
    checkpoints = engine.Checkpoints(state, folder, keep_max=1)
    assert checkpoints.collective
    checkpoints.save()
    checkpoints.wait()  # In both processes the checkpoint is complete now.
    assert engine.list_checkpoints(folder) == [os.path.join(folder, "step-7")]
    for spread in (True, False):
        restored = _state(0, spread)
        engine.Checkpoints(restored, folder).resume()
        _assert_is(restored, 7)
    # One process dies: the other does not wait for ever, and step 7 remains.
    checkpoint_writer._PATIENCE = 1.0
    state = _state(8, spread=True)
    checkpoints = engine.Checkpoints(state, folder, keep_max=1)
    if process == 1:
        checkpoints._background.start = lambda job: None
    checkpoints.save()
    try:
        checkpoints.wait()
    except TimeoutError as error:
        message = "step-8' is incomplete: another process has not written its part within 1 s ("
        assert process == 0 and message in str(error)
    else:
        assert process == 1
    assert engine.list_checkpoints(folder) == [os.path.join(folder, "step-7")]


if __name__ == "__main__":
    {"exchange": exchange, "hosts": hosts}[sys.argv[1]](*sys.argv[2:])
    print("done")
