"""Saving, resuming, and damaged checkpoints."""

import errno
import json
import os
import threading
from types import SimpleNamespace

import keras
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import engine
from compare_gan.engine import checkpoint_files, checkpoint_writer
from compare_gan.engine.checkpoints import Checkpoints
from compare_gan.errors import UserError
from compare_gan.main import _file_trouble
from compare_gan.training.state import HostInteger


def _state(shape=(3,), name="weight", dtype="float32"):
    weight = keras.Variable(np.zeros(shape), name=name, dtype=dtype)
    step = keras.Variable(0, dtype="int64")
    variables = {"step": step, name: weight}
    return SimpleNamespace(step=step, weight=weight, variables=lambda: variables)


def _save(model_dir, *steps, keep_max=None):
    """Saves at each of the steps, the weight being filled with the step."""
    state = _state()
    checkpoints = Checkpoints(state, str(model_dir), keep_max)
    for step in steps:
        state.step.assign(step)
        state.weight.assign(np.full([3], step))
        checkpoints.save()
    checkpoints.wait()
    return state, checkpoints


def _steps(folder):
    return [engine.step_of(path) for path in engine.list_checkpoints(str(folder))]


def _newest(folder):
    """The step and the weight that a new process would resume with."""
    state = _state()
    Checkpoints(state, str(folder)).resume()
    return int(state.step), np.asarray(state.weight).tolist()


def _files(path):
    return [os.path.join(path, name) for name in sorted(os.listdir(path))]


def _arrays(path):
    [arrays] = [each for each in _files(path) if each.endswith(".npz")]
    return arrays


def test_the_newest_is_restored_in_a_new_process_or_a_moved_directory(tmp_path):
    _save(tmp_path / "run", 0, 5, 10)
    os.rename(tmp_path / "run", tmp_path / "moved")
    state = _state()
    path = Checkpoints(state, str(tmp_path / "moved")).restore_newest()
    assert engine.step_of(path) == 10 and int(state.step) == 10
    np.testing.assert_array_equal(state.weight, [10, 10, 10])
    assert _steps(tmp_path / "moved") == [0, 5, 10]


def test_nothing_saved_is_nothing_restored(tmp_path):
    assert Checkpoints(_state(), str(tmp_path)).restore_newest() is None
    assert engine.list_checkpoints(str(tmp_path)) == []


def test_variables_of_every_kind_come_back_in_their_bits(tmp_path):
    def variables(empty):
        values = {
            "step": keras.Variable(3, dtype="int64"),
            "seed": HostInteger(2**40),
            "plain": tf.Variable([1e-45, -0.0, np.nan, np.inf]),
            "groups/a/kernel": keras.Variable(np.pi * np.ones([2, 0, 3])),
            "half": keras.Variable([1.5, -2.0], dtype="float16"),
            "brain": keras.Variable([[1.0, 3e38]], dtype="bfloat16"),
            "flags": keras.Variable([True, False], dtype="bool"),
            "wide": keras.Variable(np.pi, dtype="float64"),
        }
        for variable in values.values() if empty else ():
            variable.assign(np.zeros(variable.shape))
        return values

    def bits(variables):
        values = {name: np.asarray(variable.numpy()) for name, variable in variables.items()}
        return {name: (v.dtype, v.shape, v.tobytes()) for name, v in values.items()}

    def checkpoints_of(values):
        state = SimpleNamespace(step=values["step"], variables=lambda: values)
        return Checkpoints(state, str(tmp_path))

    saved, restored = variables(empty=False), variables(empty=True)
    checkpoints = checkpoints_of(saved)
    path = checkpoints.save()
    checkpoints.wait()
    assert bits(saved) != bits(restored)
    checkpoints_of(restored).restore(path)
    assert bits(restored) == bits(saved)
    arrays = engine.read_checkpoint(path)
    assert {k: (v.dtype, v.shape, v.tobytes()) for k, v in arrays.items()} == bits(saved)
    # NumPy alone reads the file; it has no bfloat16.
    with np.load(_arrays(path)) as file:
        assert sorted(file) == sorted(saved) and file["seed"] == 2**40
        np.testing.assert_array_equal(
            file["brain"].view(ml_dtypes.bfloat16), np.array([[1.0, 3e38]], ml_dtypes.bfloat16)
        )


def test_equal_states_are_equal_files(tmp_path):
    for name in ("a", "b"):
        _save(tmp_path / name, 5)
    first, second = (_arrays(tmp_path / name / "step-5") for name in ("a", "b"))
    with open(first, "rb") as one, open(second, "rb") as other:
        assert one.read() == other.read()


def test_the_newest_checkpoints_are_kept(tmp_path):
    _save(tmp_path, 0, 1, 2, 3, keep_max=2)
    assert _steps(tmp_path) == [2, 3]
    assert sorted(os.listdir(tmp_path)) == ["step-2", "step-3"]


def test_a_checkpoint_just_saved_is_not_removed_for_later_ones(tmp_path):
    _save(tmp_path, 5, 10, 15)
    state, checkpoints = _state(), None
    checkpoints = Checkpoints(state, str(tmp_path), keep_max=2)
    checkpoints.restore(str(tmp_path / "step-5"))
    state.step.assign(7)
    checkpoints.save()
    checkpoints.wait()
    assert _steps(tmp_path) == [7, 15]


def _truncate(path):
    with open(_arrays(path), "r+b") as file:
        file.truncate(os.path.getsize(_arrays(path)) // 2)


def _remove_arrays(path):
    os.remove(_arrays(path))


def _scribble_arrays(path):
    with open(_arrays(path), "r+b") as file:
        file.write(b"\0" * os.path.getsize(_arrays(path)))


def _change_a_weight(path):
    with open(_arrays(path), "r+b") as file:
        place = file.read().index(np.full(3, 10, np.float32).tobytes())
        file.seek(place + 3)
        file.write(b"\x42")


def _arrays_of_another(path):
    """The file has the right name and structure, and sound checksums, but other shapes."""
    name = _arrays(path)
    checkpoint_files.write_arrays(name, {"step": np.int64(10), "weight": np.zeros(4, np.float32)})


def _scribble(path):
    index = os.path.join(path, "index.json")
    with open(index, "r+b") as file:
        file.write(b"\0" * os.path.getsize(index))


def _empty_index(path):
    open(os.path.join(path, "index.json"), "w").close()


def _edit_index(change):
    def damage(path):
        index = os.path.join(path, "index.json")
        with open(index) as file:
            text = file.read()
        assert change(text) != text
        with open(index, "w") as file:
            file.write(change(text))

    return damage


_DAMAGES = {
    "arrays truncated": _truncate,
    "arrays removed": _remove_arrays,
    "arrays scribbled": _scribble_arrays,
    "a weight changed": _change_a_weight,
    "arrays of another": _arrays_of_another,
    "index scribbled": _scribble,
    "index empty": _empty_index,
    "index truncated": _edit_index(lambda text: text[: len(text) // 2]),
    "name changed": _edit_index(lambda text: text.replace("weight", "veight")),
    "version changed": _edit_index(lambda text: text.replace('"version": 1', '"version": 7')),
    "index of another type": _edit_index(lambda text: "[]"),
    "index without content": _edit_index(lambda text: "{}"),
}


@pytest.mark.parametrize("damage", _DAMAGES.values(), ids=_DAMAGES)
def test_a_damaged_newest_falls_back_and_is_written_anew(tmp_path, damage, caplog):
    _save(tmp_path, 5, 10)
    damage(engine.list_checkpoints(str(tmp_path))[-1])
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path))
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert engine.step_of(checkpoints.restore_newest()) == 5
    assert "step-10' is damaged" in caplog.text
    np.testing.assert_array_equal(state.weight, [5, 5, 5])
    # The run reaches step 10 again.
    state.step.assign(10)
    state.weight.assign([7.0, 7.0, 7.0])
    checkpoints.save()
    checkpoints.wait()
    assert _newest(tmp_path) == (10, [7, 7, 7])
    assert len(_files(tmp_path / "step-10")) == 2


def test_no_changed_byte_goes_unnoticed(tmp_path):
    _save(tmp_path, 10)
    [path] = engine.list_checkpoints(str(tmp_path))
    expected = engine.read_checkpoint(path)
    random = np.random.default_rng(0)
    noticed = 0
    for name in _files(path):
        with open(name, "rb") as file:
            content = file.read()
        for place in random.choice(len(content), 150, replace=len(content) < 150):
            damaged = bytearray(content)
            damaged[place] ^= 1 << random.integers(8)
            with open(name, "wb") as file:
                file.write(damaged)
            try:
                found = engine.read_checkpoint(path)
            except engine.DamagedCheckpointError:
                noticed += 1
                continue
            # Some bytes of an archive and spaces of the index mean nothing.
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                np.testing.assert_array_equal(found[key], value)
        with open(name, "wb") as file:
            file.write(content)
    assert noticed > 150


def test_damage_leaves_the_state_as_it_was(tmp_path):
    _save(tmp_path, 5)
    state = _state()
    # The step is sound, the weight is not.
    with open(_arrays(tmp_path / "step-5"), "r+b") as file:
        file.seek(file.read().index(np.full(3, 5, np.float32).tobytes()))
        file.write(b"\x42")
    with pytest.raises(engine.DamagedCheckpointError, match=r"damaged \(arrays-.*npz: Bad CRC"):
        Checkpoints(state, str(tmp_path)).restore(str(tmp_path / "step-5"))
    assert int(state.step) == 0


def test_damage_of_all_checkpoints_is_reported(tmp_path):
    _save(tmp_path, 5)
    _truncate(engine.list_checkpoints(str(tmp_path))[0])
    with pytest.raises(UserError, match=r"None of the 1 checkpoints in .* can be read"):
        Checkpoints(_state(), str(tmp_path)).restore_newest()


def test_a_checkpoint_of_a_newer_version_is_refused(tmp_path):
    _save(tmp_path, 5)
    index = tmp_path / "step-5" / "index.json"
    content = json.loads(index.read_text()) | {"version": 2}
    del content["checksum"]
    content["checksum"] = checkpoint_files._checksum(content)
    index.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"step-5/index\.json' has version 2, .* install a newer"):
        Checkpoints(_state(), str(tmp_path)).restore_newest()


@pytest.mark.parametrize(
    ("other", "reason"),
    (
        (dict(shape=(4,)), r"'weight' has the shape \(3,\) there and \(4,\) here"),
        (dict(name="another"), "it has no variable 'another'"),
        (dict(dtype="float16"), "'weight' is float32 there and float16 here"),
        (dict(dtype="int32"), "'weight' is float32 there and int32 here"),
    ),
)
def test_a_checkpoint_of_another_model_is_refused(tmp_path, other, reason):
    _save(tmp_path, 5)
    state = _state(**other)
    message = rf"step-5' does not fit this config \(start with another --model_dir.*\): {reason}\.$"
    with pytest.raises(UserError, match=message) as caught:
        Checkpoints(state, str(tmp_path)).restore_newest()
    assert not isinstance(caught.value, engine.DamagedCheckpointError)
    assert int(state.step) == 0


def test_integers_of_another_size_are_converted_if_they_fit(tmp_path):
    state, _ = _save(tmp_path, 5)
    narrow = SimpleNamespace(step=keras.Variable(0, dtype="int32"))
    narrow.variables = lambda: {"step": narrow.step}
    Checkpoints(narrow, str(tmp_path)).resume()
    assert int(narrow.step) == 5 and narrow.step.dtype == "int32"
    state.step.assign(2**40)
    checkpoints = Checkpoints(state, str(tmp_path))
    checkpoints.save()
    checkpoints.wait()
    with pytest.raises(UserError, match="'step' has values that int32 cannot hold"):
        Checkpoints(narrow, str(tmp_path)).resume()
    assert int(narrow.step) == 5


def test_saving_a_step_twice_writes_once(tmp_path):
    _, checkpoints = _save(tmp_path, 5)
    path = checkpoints.save()
    checkpoints.wait()
    written = {p: os.stat(p).st_mtime_ns for p in _files(path)}
    assert checkpoints.save() == path
    checkpoints.wait()
    assert {p: os.stat(p).st_mtime_ns for p in _files(path)} == written


def test_a_path_without_a_step_is_refused():
    with pytest.raises(UserError, match=r"'model\.ckpt' is not the path of a checkpoint"):
        engine.step_of("model.ckpt")


@pytest.mark.parametrize(
    "name", ("lr[2e-4]", "a?b", "a*", "{a,b}", "two words", "naïve", "back\\slash", "line\nend")
)
def test_any_path_works_and_no_path_is_a_pattern(tmp_path, name):
    neighbours = [tmp_path / each / "checkpoints" for each in ("lr2", "axb", "a", "ab", "back")]
    for folder in neighbours:
        _save(folder, 1, 2)
    folder = tmp_path / name / "checkpoints"
    _save(folder, 1, 2, 3, keep_max=1)
    assert _newest(folder) == (3, [3, 3, 3]) and _steps(folder) == [3]
    assert [_steps(each) for each in neighbours] == [[1, 2]] * len(neighbours)


def test_a_link_is_removed_and_not_the_checkpoint_of_another_run(tmp_path):
    _save(tmp_path / "other", 1)
    (tmp_path / "run").mkdir()
    os.symlink(tmp_path / "other" / "step-1", tmp_path / "run" / "step-1")
    assert _newest(tmp_path / "run") == (1, [1, 1, 1])
    _save(tmp_path / "run", 2, keep_max=1)
    assert os.listdir(tmp_path / "run") == ["step-2"]
    assert _newest(tmp_path / "other") == (1, [1, 1, 1])


def test_saving_goes_on_while_variables_change(tmp_path, monkeypatch):
    may_write, write = threading.Event(), checkpoint_writer.write_arrays

    def write_later(*args):
        assert may_write.wait(timeout=300)
        write(*args)

    monkeypatch.setattr(checkpoint_writer, "write_arrays", write_later)
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path))
    path = checkpoints.save()
    state.weight.assign([1.0, 2.0, 3.0])
    assert engine.list_checkpoints(str(tmp_path)) == []
    may_write.set()
    checkpoints.wait()
    np.testing.assert_array_equal(engine.read_checkpoint(path)["weight"], [0, 0, 0])


@pytest.mark.parametrize("call", ("wait", "save", "resume", "restore_newest"))
def test_a_full_disk_is_reported_by_the_next_call_and_loses_nothing(tmp_path, monkeypatch, call):
    state, checkpoints = _save(tmp_path, 5)
    write = np.lib.format.write_array

    def fill(stream, array, **options):
        stream.write(b"\0" * 100)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np.lib.format, "write_array", fill)
    state.step.assign(6)
    path = checkpoints.save()  # Goes on in the background.
    with pytest.raises(OSError) as caught:
        getattr(checkpoints, call)()
    sentence = _file_trouble(caught.value)
    assert sentence.startswith(f"No space left on device: {path}/arrays-"), sentence
    assert os.listdir(tmp_path) == ["step-5"] and len(_files(tmp_path / "step-5")) == 2
    # It is raised once; with space on the disk the step is saved.
    monkeypatch.setattr(np.lib.format, "write_array", write)
    assert checkpoints.step == 6 and checkpoints.save() == path
    checkpoints.wait()
    assert _newest(tmp_path)[0] == 6


def test_a_step_that_cannot_be_saved_again_keeps_its_checkpoint(tmp_path, monkeypatch):
    _save(tmp_path, 5)

    def fail(*args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(checkpoint_writer, "write_index", fail)
    with pytest.raises(OSError, match="Input/output error"):
        _save(tmp_path, 5)
    assert _newest(tmp_path) == (5, [5, 5, 5])
    assert len(_files(tmp_path / "step-5")) == 2


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    _save(tmp_path, 5)
    unfinished = tmp_path / "step-7"
    unfinished.mkdir()
    (unfinished / "arrays-0000-0.npz").write_bytes(b"complete, but without an index")
    (unfinished / ".arrays-0000-1.npz.elsewhere.1.0.tmp").touch()
    (tmp_path / "step-5" / "arrays-0000-0.npz").write_bytes(b"of a save that was killed")
    (tmp_path / "step-9_temp").mkdir()  # TensorFlow's.
    (tmp_path / "step-9_temp" / "part-00000-of-00001").touch()
    mine = [tmp_path / name for name in ("notes.txt", "step-8/notes.txt", "step-5/a.npz")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert _steps(tmp_path) == [5]
    _save(tmp_path, 10)
    names = ["notes.txt", "step-10", "step-5", "step-8"]
    assert sorted(os.listdir(tmp_path)) == names and all(path.exists() for path in mine)
    assert len(_files(tmp_path / "step-5")) == 3 and _newest(tmp_path)[0] == 10
