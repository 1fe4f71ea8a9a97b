"""Only one process trains in a directory; the lock of a dead one does not count."""

import json
import os
import signal
import subprocess
import sys

import pytest

from compare_gan import files
from compare_gan.errors import UserError
from compare_gan.training import run_lock
from compare_gan.training.run_lock import RunLock

_HOLDER = """
import sys, time
from compare_gan.training.run_lock import RunLock
with RunLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(name="path")
def _path(tmp_path):
    return str(tmp_path / "run" / "training.lock")


@pytest.fixture(name="other")
def _other(path):
    with subprocess.Popen([sys.executable, "-c", _HOLDER, path], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        yield other
        other.kill()


def _write(path, **values):
    files.write_json(path, {"version": 1, "host": files.host(), "time": "now"} | values)


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


def test_another_process_is_refused_until_it_dies(path, other, caplog):
    with pytest.raises(UserError) as caught, RunLock(path):
        pass
    assert f"is in use: process {other.pid} on {files.host()} has been training" in str(
        caught.value
    )
    assert "delete" not in str(caught.value)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert os.path.exists(path)
    with caplog.at_level("INFO", logger="compare_gan"), RunLock(path):
        assert (
            f"Process {other.pid} on {files.host()}, which trained here, was killed" in caplog.text
        )


def test_a_process_number_that_was_reused_does_not_count(path):
    started = run_lock._process_start(os.getpid())
    assert started
    _write(path, pid=os.getpid(), process_started=started)
    with pytest.raises(UserError, match="is in use"), RunLock(path):
        pass
    _write(path, pid=os.getpid(), process_started="1")
    with RunLock(path):
        pass


def test_another_host_holds_it_while_it_touches_the_file(path, monkeypatch):
    _write(path, host="elsewhere", pid=1)
    with pytest.raises(UserError, match=r"on elsewhere .*or delete training\.lock there if"):
        RunLock(path).__enter__()
    past = os.stat(path).st_mtime - 600
    os.utime(path, (past, past))
    monkeypatch.setattr(run_lock, "_BEAT_SECONDS", 0.01)
    with RunLock(path):
        os.utime(path, (past, past))
        deadline = 200
        while os.stat(path).st_mtime < past + 60 and deadline:
            deadline -= 1
            signal.sigtimedwait([], 0.01)
        assert deadline


def test_a_damaged_file_does_not_count(path):
    for text in ("", "[]", '{"host'):
        files.write_text(path, text)
        with RunLock(path):
            pass


def test_a_lock_that_was_taken_over_is_left_alone(path):
    with RunLock(path):
        _write(path, host="elsewhere", pid=1)
    assert os.path.exists(path)
