"""Locks between processes."""

import os
import signal
import subprocess
import sys

import pytest

from compare_gan import files, locks

_ADDER = """
import sys
from compare_gan import files, locks
for _ in range(50):
    with locks.locked(sys.argv[1]):
        count = int(files.read_text(sys.argv[2]) or 0)
        files.write_text(sys.argv[2], str(count + 1))
"""


def test_a_lock_lets_one_process_enter(tmp_path):
    paths = [str(tmp_path / "folder" / name) for name in ("lock", "count")]
    others = [subprocess.Popen([sys.executable, "-c", _ADDER, *paths]) for _ in range(3)]
    assert [other.wait() for other in others] == [0, 0, 0]
    assert files.read_text(paths[1]) == "150"


_HOLDER = """
import sys, time
from compare_gan import locks
with locks.locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_released_when_its_process_is_killed(tmp_path):
    path = str(tmp_path / "new" / "lock")
    with subprocess.Popen([sys.executable, "-c", _HOLDER, path], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with open(path, "r+") as file:
            with pytest.raises(BlockingIOError):
                locks.lock_at_once(file.fileno())
            other.send_signal(signal.SIGKILL)
            other.wait()
            assert locks.lock_at_once(file.fileno())


def test_without_support_for_locks_there_is_a_warning(tmp_path, monkeypatch, caplog):
    def unsupported(*args):
        raise OSError("not supported")

    monkeypatch.setattr(locks.fcntl, "flock", unsupported)
    with locks.locked(str(tmp_path / "lock")):
        assert "cannot be locked" in caplog.text
    assert os.listdir(tmp_path) == ["lock"]
