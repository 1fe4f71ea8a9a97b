"""Only one process trains in a directory; the lock of a dead one does not count."""

import functools
import json
import os
import pathlib
import signal

import pytest

from compare_gan import files, locks
from compare_gan.errors import UserError
from compare_gan.training import run_lock
from compare_gan.training.run_lock import RunLock

_HOLDER = """
import sys, time
from compare_gan.training.run_lock import RunLock
with RunLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""
_needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")


@pytest.fixture(name="path")
def _path(tmp_path):
    return str(tmp_path / "run" / "training.lock")


@pytest.fixture(name="other")
def _other(path, forks):
    with forks.start(path, code=_HOLDER) as other:
        assert other.stdout.readline() == "held\n"
        yield other


@pytest.fixture(name="no_flock")
def _no_flock(monkeypatch):
    monkeypatch.setattr(locks, "lock_at_once", lambda descriptor: False)


def _write(path, **values):
    files.write_json(path, {"version": 1, "host": locks.host(), "time": "now"} | values)


def _wait_for(condition):
    for _ in range(30_000):  # Five minutes, for busy machines.
        if condition():
            return True
        signal.sigtimedwait([], 0.01)
    return False


def test_it_may_be_entered_again_and_is_gone_afterwards(path):
    lock = RunLock(path)
    with lock:
        with lock:
            pass
        with open(path) as file:
            assert json.load(file)["pid"] == os.getpid()
    assert not os.path.exists(path)
    with pytest.raises(ValueError), lock:
        raise ValueError
    assert not os.path.exists(path)


def test_another_process_is_refused_until_it_dies(path, other, monkeypatch, caplog):
    # As seen from another container: the number of the process says nothing.
    monkeypatch.setattr(locks, "is_alive", lambda pid: False)
    with pytest.raises(UserError) as caught, RunLock(path):
        pass
    assert f"is in use: process {other.pid} on {locks.host()} has been training" in str(
        caught.value
    )
    assert "delete" not in str(caught.value)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert os.path.exists(path)
    with caplog.at_level("INFO", logger="compare_gan"), RunLock(path):
        assert (
            f"Process {other.pid} on {locks.host()}, which trained here, was killed" in caplog.text
        )


def test_a_file_that_the_process_before_removes_is_not_taken_for_the_lock(path, monkeypatch):
    lock_at_once = locks.lock_at_once

    def late(descriptor):
        monkeypatch.setattr(locks, "lock_at_once", lock_at_once)
        os.remove(path)
        os.rmdir(os.path.dirname(path))
        return lock_at_once(descriptor)

    monkeypatch.setattr(locks, "lock_at_once", late)
    with RunLock(path), pytest.raises(UserError, match="is in use"):
        RunLock(path).__enter__()


def test_another_host_holds_it_while_it_touches_the_file(path, monkeypatch):
    _write(path, host="elsewhere", pid=1)
    with pytest.raises(UserError, match=r"on elsewhere .*or delete training\.lock there if"):
        RunLock(path).__enter__()
    past = os.stat(path).st_mtime - 600
    os.utime(path, (past, past))
    monkeypatch.setattr(run_lock, "_BEAT_SECONDS", 0.01)
    with RunLock(path):
        os.utime(path, (past, past))
        assert _wait_for(lambda: os.stat(path).st_mtime > past + 60)


def test_others_see_whether_it_is_held(path, other):
    assert run_lock.is_held(path)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert os.path.exists(path)
    assert not run_lock.is_held(path)
    _write(path, host="elsewhere", pid=1)
    assert run_lock.is_held(path)
    past = os.stat(path).st_mtime - 600
    os.utime(path, (past, past))
    assert not run_lock.is_held(path)
    files.write_text(path, '{"host')
    assert not run_lock.is_held(path)
    os.remove(path)
    assert not run_lock.is_held(path)


def test_a_damaged_file_does_not_count(path):
    for text in ("", "[]", '{"host'):
        files.write_text(path, text)
        with RunLock(path):
            pass


def test_a_file_that_cannot_be_opened_is_not_free(path, monkeypatch):
    _write(path, pid=1)

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(run_lock.os, "open", refuse)
    with pytest.raises(UserError, match=r"cannot be opened \(Permission denied\), so another user"):
        RunLock(path).__enter__()


@pytest.mark.parametrize(
    ("replaced", "handled", "ignored"),
    (
        (True, signal.SIGINT, signal.SIGTERM),
        (False, signal.SIGINT, signal.SIGTERM),
        (False, signal.SIGTERM, signal.SIGINT),
    ),
)
def test_a_lost_lock_ends_the_training_and_is_left_alone(
    path, replaced, handled, ignored, monkeypatch, caplog, request
):
    """Also where a shell has started the process with SIGINT ignored."""
    monkeypatch.setattr(run_lock, "_BEAT_SECONDS", 0.01)
    for number, handler in ((handled, signal.default_int_handler), (ignored, signal.SIG_IGN)):
        before = signal.signal(number, handler)
        request.addfinalizer(functools.partial(signal.signal, number, before))
    with pytest.raises(KeyboardInterrupt), RunLock(path):
        if replaced:  # At once: the thread could find no file between a removal and a new one.
            _write(f"{path}.new", host="elsewhere", pid=1)
            os.replace(f"{path}.new", path)
        else:
            os.remove(path)
        _wait_for(lambda: False)
    assert "was removed or replaced" in caplog.text
    assert os.path.exists(path) == replaced


@_needs_proc
@pytest.mark.usefixtures("no_flock")
def test_without_flock_a_process_number_that_was_reused_does_not_count(path):
    started = locks.process_start(os.getpid())
    assert started
    _write(path, pid=os.getpid(), process_started=started)
    with pytest.raises(UserError, match="is in use") as caught, RunLock(path):
        pass
    assert "delete" not in str(caught.value)
    _write(path, pid=os.getpid(), process_started="1")
    with RunLock(path):
        assert str(os.getpid()) in pathlib.Path(path).read_text()


@pytest.mark.usefixtures("no_flock")
def test_without_flock_and_start_times_there_is_a_hint(path, monkeypatch):
    monkeypatch.setattr(locks, "process_start", lambda pid: None)
    _write(path, pid=os.getpid(), process_started=None)
    with pytest.raises(UserError, match=r"or delete training\.lock there if that process is gone"):
        RunLock(path).__enter__()
