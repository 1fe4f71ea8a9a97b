"""What the writer of checkpoints removes, who writes, and errors that come late."""

import errno
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from compare_gan import engine
from compare_gan.engine import background, checkpoint_folder, checkpoint_writer, checkpoints, shards
from compare_gan.engine.checkpoints import Checkpoints


def _state():
    variables = {"step": keras.Variable(0, dtype="int64"), "weight": keras.Variable(np.zeros(3))}
    return SimpleNamespace(variables=lambda: variables, **variables)


def _save(state, checkpoints, step):
    state.step.assign(step)
    state.weight.assign(np.full([3], step))
    path = checkpoints.save()
    checkpoints.wait()
    return path


def _steps(folder):
    return [engine.step_of(path) for path in engine.list_checkpoints(str(folder))]


def _weight(path):
    return engine.read_checkpoint(path)["weight"].tolist()


@pytest.mark.parametrize("keep_max", (1, 2, 5, None))
def test_as_many_checkpoints_as_asked_for_remain_after_each_save(tmp_path, keep_max):
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path), keep_max)
    for step in range(8):
        _save(state, checkpoints, step)
        expected = list(range(step + 1))
        assert _steps(tmp_path) == (expected if keep_max is None else expected[-keep_max:])


@pytest.mark.parametrize("found_by", ("restoring", "looking"))
def test_a_damaged_checkpoint_does_not_count(tmp_path, caplog, found_by):
    """
    Fault: the newest checkpoint is damaged, and `run_config.keep_checkpoint_max` is 2
    Command: train (resumed)
    User sees: `Checkpoint '…/step-3' is damaged (…).` It falls back to step 2
    Exit code: 0
    Lost: the steps since the checkpoint before, which stays: damaged ones do not count as kept
    """
    state = _state()
    for step in (1, 2, 3):
        path = _save(state, Checkpoints(state, str(tmp_path)), step)
    [arrays] = pathlib.Path(path).glob("arrays-*")
    content = arrays.read_bytes()
    if found_by == "restoring":  # A changed weight shows only when the arrays are read.
        content = bytearray(content)
        content[content.index(np.full(3, 3, state.weight.dtype).tobytes())] ^= 1
    else:
        content = content[: len(content) // 2]
    arrays.write_bytes(content)
    checkpoints = Checkpoints(state, str(tmp_path), keep_max=2)
    if found_by == "restoring":
        checkpoints.restore_newest()
        _save(state, checkpoints, 4)
    else:
        _save(state, checkpoints, 4)
        assert "does not count among the checkpoints that are kept" in caplog.text
    assert caplog.text.count("step-3' is damaged") == 1
    assert _steps(tmp_path) == [2, 3, 4]
    _save(state, checkpoints, 5)  # As they become old, damaged ones are removed like others.
    assert _steps(tmp_path) == [4, 5]


def test_a_folder_that_cannot_be_listed_does_not_end_the_training(tmp_path, monkeypatch, caplog):
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path), keep_max=1)
    _save(state, checkpoints, 5)

    def fail(folder):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        # Only the thread that writes sees the error.
        patch.setattr(checkpoint_writer.checkpoint_folder, "list_checkpoints", fail)
        path = _save(state, checkpoints, 6)
    [record] = [each for each in caplog.records if each.name == checkpoint_writer.__name__]
    reason = os.strerror(errno.ESTALE)
    text = f"Old checkpoints in '{tmp_path}' cannot be removed: {reason}."
    assert record.levelname == "WARNING" and record.getMessage() == text
    assert _steps(tmp_path) == [5, 6] and _weight(path) == [6, 6, 6]
    _save(state, checkpoints, 7)
    assert _steps(tmp_path) == [7]


@pytest.mark.parametrize("unreadable", (False, True))
def test_an_error_after_the_index_leaves_the_checkpoint_whole(tmp_path, monkeypatch, unreadable):
    state = _state()
    checkpoints = Checkpoints(state, str(tmp_path), keep_max=1)
    _save(state, checkpoints, 5)

    def fail(*args):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint_folder, "remove_superseded", fail)
        if unreadable:  # The folder cannot be listed any more either.
            write_index, list_folder = checkpoint_writer.write_index, os.listdir
            path = str(tmp_path / "step-6")
            lost = []

            def write_and_lose(*args):
                write_index(*args)
                lost.append(path)

            def list_unless_lost(folder="."):
                return fail() if folder in lost else list_folder(folder)

            patch.setattr(checkpoint_writer, "write_index", write_and_lose)
            patch.setattr(os, "listdir", list_unless_lost)
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            _save(state, checkpoints, 6)
    assert _steps(tmp_path) == [5, 6] and _weight(str(tmp_path / "step-6")) == [6, 6, 6]


def test_a_run_of_its_own_is_written_by_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "process_index", lambda: 1)
    monkeypatch.setattr(checkpoint_writer, "_PATIENCE", 1.0)
    state = _state()
    path = _save(state, Checkpoints(state, str(tmp_path), keep_max=1), 5)
    assert _steps(tmp_path) == [5] and _weight(path) == [5, 5, 5]


class _Divided:
    """Two rows, on the devices of two processes; one of them holds the row `here`."""

    is_fully_addressable, shape, dtype = False, (2,), np.dtype("float32")

    def __init__(self, here):
        self.global_shards = [
            SimpleNamespace(
                replica_id=0,
                index=(slice(row, row + 1),),
                device=SimpleNamespace(process_index=row),
                data=np.full([1], row, np.float32) if row == here else None,
            )
            for row in range(2)
        ]


def test_in_a_divided_state_the_first_process_writes_what_each_has_whole():
    for process, keys in enumerate((["rows@0", "step"], ["rows@1"])):
        step = keras.Variable(7, dtype="int64")
        variables = {"rows": SimpleNamespace(value=_Divided(process)), "step": step}
        copy = shards.snapshot(variables, process, "arrays-{}.npz".format)
        assert sorted(copy.arrays) == keys and copy.completes == (process == 0)
        assert copy.file == f"arrays-{process}.npz"
        files = {name: [p.file for p in entry.parts] for name, entry in copy.entries.items()}
        assert files == {"rows": ["arrays-0.npz", "arrays-1.npz"], "step": ["arrays-0.npz"]}


def test_an_error_in_the_background_is_raised_or_else_logged_at_exit():
    code = """
import time
from background import Background

def fail(text, seconds=0):
    time.sleep(seconds)
    raise OSError(text)

raised = Background("first")
raised.start(lambda: fail("was raised"))
try:
    raised.wait()
except OSError as error:
    print(error)
Background("second").start(lambda: fail("nobody waits", 0.3))
Background("third").start(lambda: None)
"""
    # The module alone: the package would import the engines.
    folder = pathlib.Path(background.__file__).parent
    code = f"import sys; sys.path.append({str(folder)!r})\n{code}"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=1200
    )
    assert process.stdout == "was raised\n"
    assert process.stderr.count("OSError: nobody waits") == 1
    assert process.stderr.startswith("The work 'second' in the background has failed.\n")
    assert "was raised" not in process.stderr and process.stderr.count("has failed") == 1
