"""The executor of this machine: shares, costs, and processes that end with it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from compare_gan.errors import UserError
from compare_gan.studies import LocalExecutor, StudyDir, Task
from compare_gan.studies.shares import divide, usable_gpus


def _wait(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _executor(code, workers=1):
    return LocalExecutor(workers, command=[sys.executable, "-S", "-c", code])


@pytest.mark.parametrize(
    "workers, cores, expected",
    [
        (1, [0, 1, 2], [None]),
        (2, [4, 5, 6, 7], [(4, 5), (6, 7)]),
        (3, [0, 1, 2, 3], [(0,), (1,), (2, 3)]),
        (4, [0, 1], [(0,), (1,), (0,), (1,)]),
        (2, None, [None, None]),
    ],
)
def test_cores_are_divided(workers, cores, expected):
    assert [share.cores for share in divide(workers, cores)] == expected


def test_each_worker_has_a_gpu():
    shares = divide(2, [0, 1], gpus=["0", "3"])
    assert [share.environment()["CUDA_VISIBLE_DEVICES"] for share in shares] == ["0", "3"]
    shares = divide(2, [0, 1], gpus=["5"])
    assert [share.environment()["CUDA_VISIBLE_DEVICES"] for share in shares] == ["5", "5"]
    assert all(share.environment()["TF_FORCE_GPU_ALLOW_GROWTH"] == "true" for share in shares)


@pytest.mark.parametrize(
    "named, gpus", [("", []), ("-1", []), ("1,-1,2", ["1"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"])]
)
def test_gpus_are_those_that_the_environment_names(named, gpus):
    assert usable_gpus({"CUDA_VISIBLE_DEVICES": named}) == gpus


def test_gpus_are_counted_by_the_driver(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: x)'\necho 'GPU 1: A (UUID: y)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert usable_gpus({}) == ["0", "1"]
    environment = {"CUDA_VISIBLE_DEVICES": "7,8"}
    assert [share.gpu for share in LocalExecutor(None, environment).shares] == ["7", "8"]


def test_costs_are_those_of_the_process(tmp_path):
    executor = _executor(
        "import time; s = time.process_time()\nwhile time.process_time() - s < .2: 0"
    )
    executor.start(Task("a", (), str(tmp_path / "log")))
    [(task, end)] = executor.ended(30)
    assert (task.name, end.exit_status, end.gpu_seconds) == ("a", 0, 0.0)
    assert 0.2 <= end.cpu_seconds < 2
    assert end.wall_seconds >= 0.2


def test_processes_keep_to_their_cores(tmp_path):
    executor = _executor("import os; print(os.sched_getaffinity(0))", workers=2)
    cores = sorted(os.sched_getaffinity(0))
    log = tmp_path / "log"
    executor.start(Task("a", (), str(log)))
    assert executor.ended(30)
    assert log.read_text() == f"{set(cores[: len(cores) // 2] or cores)}\n"


def test_an_interrupted_process_gets_sigterm(tmp_path):
    ready = tmp_path / "ready"
    code = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        f"open({str(ready)!r}, 'w').close(); time.sleep(60)"
    )
    executor = _executor(code)
    executor.start(Task("a", (), str(tmp_path / "log")))
    _wait(ready.exists)
    assert executor.ended(0) == []
    executor.interrupt()
    [(_, end)] = executor.ended(30)
    assert end.exit_status == 7


def test_a_process_ends_with_the_one_that_started_it(tmp_path):
    """Its lock lasts as long as it, so that no other process begins the same run meanwhile."""
    said = tmp_path / "said"
    child = (
        "import signal, sys, time; from pathlib import Path\n"
        f"def end(*_): time.sleep(0.3); Path({str(said)!r}).write_text('saved'); sys.exit()\n"
        f"signal.signal(signal.SIGTERM, end); Path({str(said)!r}).write_text('ready')\n"
        "time.sleep(60)"
    )
    parent = (
        "import sys, time\n"
        "from compare_gan.studies import LocalExecutor, StudyDir, Task\n"
        f"executor = LocalExecutor(1, command=[sys.executable, '-S', '-c', {child!r}])\n"
        f"with StudyDir({str(tmp_path)!r}).claim('a') as lock:\n"
        f"    executor.start(Task('a', (), {str(tmp_path / 'log')!r}, (lock,)))\n"
        "    time.sleep(60)"
    )
    place = StudyDir(tmp_path)
    with subprocess.Popen([sys.executable, "-c", parent]) as process:
        _wait(lambda: said.exists() and said.read_text() == "ready")
        process.send_signal(signal.SIGKILL)
    assert place.is_held("a")
    _wait(lambda: said.read_text() == "saved")
    _wait(lambda: not place.is_held("a"))


def test_workers_must_be_positive():
    with pytest.raises(UserError, match="--workers must be a positive integer"):
        LocalExecutor(0)
