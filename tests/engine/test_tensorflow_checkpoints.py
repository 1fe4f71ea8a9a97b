"""Checkpoints of earlier versions, in TensorFlow's format."""

import os
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import engine
from compare_gan.engine.checkpoints import Checkpoints
from compare_gan.errors import UserError

_NAMES = ("generator/B1.conv/kernel", "penalties/lecam/real..average", ".S/odd.")


def _save_as_before(folder, *steps):
    """What earlier versions did at each of the steps; variables are filled with the step."""
    step = tf.Variable(0, dtype=tf.int64)
    variables = {name: tf.Variable(np.zeros([3], np.float32)) for name in _NAMES}
    checkpoint = tf.train.Checkpoint(variables={"step": step, **variables})
    manager = tf.train.CheckpointManager(
        checkpoint, str(folder), max_to_keep=None, checkpoint_name="step"
    )
    for number in steps:
        step.assign(number)
        for i, variable in enumerate(variables.values()):
            variable.assign(np.full([3], 10 * i + number))
        manager.save(checkpoint_number=number)


def _state(names=_NAMES):
    variables = {name: keras.Variable(np.zeros([3]), dtype="float32") for name in names}
    variables["step"] = keras.Variable(0, dtype="int64")
    return SimpleNamespace(step=variables["step"], variables=lambda: variables)


def _assert_is(state, step):
    assert int(state.step) == step
    for i, name in enumerate(_NAMES):
        np.testing.assert_array_equal(state.variables()[name], np.full([3], 10 * i + step))


def _steps(folder):
    return [engine.step_of(path) for path in engine.list_checkpoints(str(folder))]


def _data(path):
    return f"{path}.data-00000-of-00001"


@pytest.mark.parametrize("name", ("run", "lr[2e-4]", "a?b*", "two words"))
def test_they_are_found_and_restored(tmp_path, name):
    _save_as_before(tmp_path / "saved", 5, 10)
    folder = tmp_path / name
    os.rename(tmp_path / "saved", folder)
    (folder / "checkpoint").unlink()  # TensorFlow's list of them is not needed.
    assert _steps(folder) == [5, 10]
    state = _state()
    assert Checkpoints(state, str(folder)).restore_newest() == str(folder / "step-10")
    _assert_is(state, 10)
    arrays = engine.read_checkpoint(str(folder / "step-5"))
    assert arrays.keys() == state.variables().keys() and arrays["step"].dtype == np.int64


def _truncate(path):
    with open(_data(path), "r+b") as file:
        file.truncate(20)  # In the second variable; TensorFlow's own entries follow.


def _remove_data(path):
    os.remove(_data(path))


def _scribble(path):
    with open(path + ".index", "r+b") as file:
        file.write(b"\0" * os.path.getsize(path + ".index"))


def _empty_index(path):
    open(path + ".index", "w").close()


@pytest.mark.parametrize("damage", (_truncate, _remove_data, _scribble, _empty_index))
def test_a_damaged_newest_falls_back_and_is_written_anew(tmp_path, damage, caplog):
    _save_as_before(tmp_path, 5, 10)
    damage(str(tmp_path / "step-10"))
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path))
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert engine.step_of(checkpoints.restore_newest()) == 5
    assert f"{tmp_path}/step-10' is damaged" in caplog.text
    _assert_is(state, 5)
    state.step.assign(10)
    checkpoints.save()
    checkpoints.wait()
    assert _steps(tmp_path) == [5, 10]
    # The damaged files do not stand in the way of the new ones.
    assert not [name for name in os.listdir(tmp_path) if name.startswith("step-10.")]
    np.testing.assert_array_equal(
        engine.read_checkpoint(str(tmp_path / "step-10"))[_NAMES[1]], [15, 15, 15]
    )


def test_a_run_goes_on_in_the_new_format_and_the_newest_wins(tmp_path):
    _save_as_before(tmp_path, 5, 10, 12)
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path), keep_max=2)
    checkpoints.resume()
    state.step.assign(15)
    checkpoints.save()
    checkpoints.wait()
    # Old ones are counted and removed like new ones.
    assert _steps(tmp_path) == [12, 15]
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoint", "step-12.data-00000-of-00001", "step-12.index", "step-15"
    ]  # fmt: skip
    again = _state()
    Checkpoints(again, str(tmp_path)).resume()
    assert int(again.step) == 15
    [arrays] = (tmp_path / "step-15").glob("*.npz")
    arrays.unlink()
    Checkpoints(again, str(tmp_path)).resume()
    _assert_is(again, 12)


def test_names_that_begin_alike_are_not_removed(tmp_path):
    _save_as_before(tmp_path, 1, 10)
    (tmp_path / "step-1.data-of-mine").touch()
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path), keep_max=2)
    state.step.assign(11)
    checkpoints.save()
    checkpoints.wait()
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoint", "step-1.data-of-mine", "step-10.data-00000-of-00001", "step-10.index",
        "step-11",
    ]  # fmt: skip


def test_another_model_is_refused(tmp_path):
    _save_as_before(tmp_path, 5)
    with pytest.raises(UserError, match=r"step-5' does not fit .*: it has no variable 'another'\."):
        Checkpoints(_state((*_NAMES, "another")), str(tmp_path)).resume()


def test_without_tensorflow_a_sentence_says_so(tmp_path, monkeypatch):
    _save_as_before(tmp_path, 5)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match=r"step-5' is in TensorFlow's format: install TensorFlow"):
        Checkpoints(_state(), str(tmp_path)).resume()
