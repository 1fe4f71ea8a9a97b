"""Temporary files that dead processes have left."""

import os
import subprocess
import sys

from compare_gan import files, leftovers

_WRITER = """
import sys, time
from compare_gan import files
with files.atomic(sys.argv[1]) as temporary:
    open(temporary, "w").close()
    print("open", flush=True)
    time.sleep(600)
"""


def test_leftovers_of_dead_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "_tidied", set())
    path = str(tmp_path / "a.txt")
    with subprocess.Popen([sys.executable, "-c", _WRITER, path], stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        (tmp_path / "other.tmp").touch()
        (tmp_path / "a.elsewhere.1.0.tmp.txt").touch()  # Another host's.
        files.write_text(path, "text")
        assert len(os.listdir(tmp_path)) == 4
        other.kill()
    leftovers._tidied.clear()
    files.write_text(path, "text")
    assert sorted(os.listdir(tmp_path)) == ["a.elsewhere.1.0.tmp.txt", "a.txt", "other.tmp"]
