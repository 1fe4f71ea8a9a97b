"""Saving, resuming, and damaged checkpoints."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.engine.checkpoints import Checkpoints, list_checkpoints, step_of
from compare_gan.errors import UserError


def _state(shape=(3,), name="weight"):
    weight = tf.Variable(tf.zeros(shape), name=name)
    step = tf.Variable(0, dtype=tf.int64)
    variables = {"step": step, name: weight}
    return SimpleNamespace(step=step, weight=weight, variables=lambda: variables)


def _save(model_dir, *steps, keep_max=None):
    """Saves at each of the steps, the weight being filled with the step."""
    state = _state()
    checkpoints = Checkpoints(state, str(model_dir), keep_max)
    for step in steps:
        state.step.assign(step)
        state.weight.assign(tf.fill([3], float(step)))
        checkpoints.save()
    return state, checkpoints


def _files(path):
    folder, prefix = os.path.split(path)
    return [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(prefix)]


def test_the_newest_is_restored_in_a_new_process_or_a_moved_directory(tmp_path):
    _save(tmp_path / "run", 0, 5, 10)
    os.rename(tmp_path / "run", tmp_path / "moved")
    state = _state()
    path = Checkpoints(state, str(tmp_path / "moved")).restore_newest()
    assert step_of(path) == 10 and int(state.step) == 10
    np.testing.assert_array_equal(state.weight, [10, 10, 10])
    assert [step_of(p) for p in list_checkpoints(str(tmp_path / "moved"))] == [0, 5, 10]


def test_nothing_saved_is_nothing_restored(tmp_path):
    assert Checkpoints(_state(), str(tmp_path)).restore_newest() is None
    assert list_checkpoints(str(tmp_path)) == []


def test_the_newest_checkpoints_are_kept(tmp_path):
    _save(tmp_path, 0, 1, 2, 3, keep_max=2)
    assert [step_of(p) for p in list_checkpoints(str(tmp_path))] == [2, 3]


def _truncate(path):
    data = next(p for p in _files(path) if ".data" in p)
    with open(data, "r+b") as file:
        file.truncate(os.path.getsize(data) // 2)


def _remove_data(path):
    os.remove(next(p for p in _files(path) if ".data" in p))


def _scribble(path):
    with open(path + ".index", "r+b") as file:
        file.write(b"\0" * os.path.getsize(path + ".index"))


def _empty_index(path):
    open(path + ".index", "w").close()


@pytest.mark.parametrize("damage", (_truncate, _remove_data, _scribble, _empty_index))
def test_a_damaged_newest_falls_back_and_is_written_anew(tmp_path, damage, caplog):
    _save(tmp_path, 5, 10)
    damage(list_checkpoints(str(tmp_path))[-1])
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path))
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert step_of(checkpoints.restore_newest()) == 5
    assert "step-10' is damaged" in caplog.text
    np.testing.assert_array_equal(state.weight, [5, 5, 5])
    # The run reaches step 10 again.
    state.step.assign(10)
    state.weight.assign([7.0, 7.0, 7.0])
    checkpoints.save()
    again = _state()
    Checkpoints(again, str(tmp_path)).restore_newest()
    assert int(again.step) == 10
    np.testing.assert_array_equal(again.weight, [7, 7, 7])


def test_checkpoints_are_found_without_tensorflows_list_of_them(tmp_path):
    _save(tmp_path, 5, 10)
    (tmp_path / "checkpoint").unlink()
    assert [step_of(path) for path in list_checkpoints(str(tmp_path))] == [5, 10]
    assert step_of(Checkpoints(_state(), str(tmp_path)).restore_newest()) == 10


def test_damage_of_all_checkpoints_is_reported(tmp_path):
    _save(tmp_path, 5)
    _truncate(list_checkpoints(str(tmp_path))[0])
    with pytest.raises(UserError, match=r"None of the 1 checkpoints in .* can be read"):
        Checkpoints(_state(), str(tmp_path)).restore_newest()


@pytest.mark.parametrize("other", (dict(shape=(4,)), dict(name="another")))
def test_a_checkpoint_of_another_model_is_refused(tmp_path, other):
    _save(tmp_path, 5)
    with pytest.raises(UserError, match="step-5' does not fit this config"):
        Checkpoints(_state(**other), str(tmp_path)).restore_newest()


def test_saving_a_step_twice_writes_once(tmp_path):
    _, checkpoints = _save(tmp_path, 5)
    path = checkpoints.save()
    written = {p: os.stat(p).st_mtime_ns for p in _files(path)}
    assert checkpoints.save() == path
    assert {p: os.stat(p).st_mtime_ns for p in _files(path)} == written


def test_a_path_without_a_step_is_refused():
    with pytest.raises(UserError, match=r"'model\.ckpt' is not the path of a checkpoint"):
        step_of("model.ckpt")
