"""Processes of a run that are missing, die or freeze, and environments that name none."""

import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import tensorflow as tf

from compare_gan import engine, peers
from compare_gan.errors import UserError

# A process of a run that trains, or waits for the others, in native code that no signal interrupts.
_PROCESS = """
import logging, sys
sys.path.append(sys.argv.pop())
import deaf
from compare_gan import interruption, main, peers
peers._WAITING_SECONDS, peers._SILENCE_SECONDS, peers._GRACE_SECONDS = map(float, sys.argv[3:])
peers._BEAT_SECONDS, peers._RETRY_SECONDS = 0.2, 0.1
logging.basicConfig(level="INFO", format="%(message)s")
names = [f"Worker {i} (host-{i})" for i in range(3)]

@main.cli.command("meet")
def meet():
    peers.meet("localhost:" + sys.argv[1], int(sys.argv[2]), names)
    print("met", flush=True)
    if sys.stdin.readline().strip() == "train":
        deaf.wait("trains")

main.main(["meet"])
"""
_TESTS = str(pathlib.Path(__file__).parents[1])
_PATIENCE = 300  # Seconds after which a process is taken to hang.


@pytest.fixture(name="start")
def _start(reserve_port):
    """`start(index, waiting, silence, grace)`: a process of a run of three."""
    port, processes, timers = reserve_port(), [], []

    def start(index, waiting=_PATIENCE, silence=_PATIENCE, grace=0.2):
        options = map(str, (port, index, waiting, silence, grace))
        process = subprocess.Popen(
            [sys.executable, "-c", _PROCESS, *options, _TESTS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        # A test that reads from the process does not wait for ever.
        timers.append(threading.Timer(_PATIENCE, process.kill))
        timers[-1].start()
        return process

    yield start
    for timer in timers:
        timer.cancel()
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _train(processes):
    for process in processes:
        assert process.stdout.readline() == "met\n"
    for process in processes:
        process.stdin.write("train\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout.readline() == "trains\n"


def _end(process):
    status = process.wait(_PATIENCE)
    return status, process.stderr.read().splitlines()[-1:]


@pytest.mark.parametrize("dead", (0, 2))
def test_a_dead_worker_ends_the_others(start, dead):
    """Fault: One worker of a run is killed, or its machine fails.

    Command: `compare_gan train`, on several hosts
    User sees: Error: Worker 2 (10.0.0.3:1234) has died, so this process ends too; …
    Exit code: 4
    Lost: the steps since the last checkpoint
    """
    processes = [start(i) for i in range(3)]
    _train(processes)
    processes[dead].kill()
    first, second = (i for i in range(3) if i != dead)
    for i, other in ((first, dead), (second, dead if dead == 0 else 0)):
        status, said = _end(processes[i])
        # The first one knows who died; the others know that the first one has ended.
        assert status == 4 and said == [
            f"Error: Worker {other} (host-{other}) has died, so this process ends too; restart all "
            "processes to continue from the last checkpoint."
        ]


def test_a_frozen_worker_ends_the_others(start):
    """Fault: One worker of a run does not run any more, but its connections stay open.

    Command: `compare_gan train`, on several hosts
    User sees: Error: Worker 1 (10.0.0.2:1234) has not answered for 90 s, so …
    Exit code: 4, within two minutes
    Lost: the steps since the last checkpoint
    """
    processes = [start(i, silence=2.0) for i in range(3)]
    _train(processes)
    processes[1].send_signal(signal.SIGSTOP)
    status, said = _end(processes[0])
    assert status == 4
    assert re.match(r"Error: Worker 1 \(host-1\) has not answered for \d+ s,", said[0]), said
    processes[1].kill()


def test_a_worker_that_has_ended_in_order_is_no_loss(start):
    """Fault: Workers are done while the first one still evaluates.

    Command: `compare_gan train`, on several hosts
    User sees: nothing
    Exit code: 0
    Lost: nothing
    """
    processes = [start(i, silence=2.0) for i in range(3)]
    for process in processes:
        assert process.stdout.readline() == "met\n"
    for process in processes[1:]:
        process.stdin.write("end\n")
        process.stdin.flush()
        assert _end(process)[0] == 0
    time.sleep(2.5)  # Longer than a worker that is there may be silent.
    assert processes[0].poll() is None
    processes[0].stdin.write("end\n")
    processes[0].stdin.flush()
    assert _end(processes[0])[0] == 0


@pytest.mark.parametrize(
    ("index", "sentence"),
    (
        (0, "Error: Worker 1 (host-1), Worker 2 (host-2) of this run did not connect within 1 s"),
        (1, "Error: Worker 0 (host-0) of this run, at localhost:"),
    ),
)
def test_a_lone_worker_says_who_is_missing(start, index, sentence):
    """Fault: One of several workers is started, the others are not.

    Command: `TF_CONFIG=… compare_gan train`
    User sees: Waiting for …; Error: Worker 1 (10.0.0.2:1234) of this run did not connect within
    300 s
    Exit code: 4, after five minutes
    Lost: nothing
    """
    status, said = _end(start(index, waiting=1.0))
    assert status == 4 and said[0].startswith(sentence), said


@pytest.mark.parametrize("index", (0, 1))
def test_waiting_for_workers_hears_signals(start, index):
    """Fault: Ctrl-C while other workers, or JAX's other processes, are missing.

    Command: `COORDINATOR_ADDRESS=… compare_gan train`
    User sees: Received SIGINT: …; Interrupted.
    Exit code: 130, at once
    Lost: nothing
    """
    process = start(index)
    assert process.stderr.readline().startswith("Waiting for the other processes of this run")
    process.send_signal(signal.SIGINT)
    # Long before it would give up. Two threads write: the order of the lines is not certain.
    assert process.wait(_PATIENCE / 2) == 130
    assert "Interrupted." in process.stderr.read().splitlines()


_WORKERS = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    ("value", "sentence"),
    (
        ('{"cluster": {"worker": [', r"TF_CONFIG is not JSON \(Expecting value: line 1 .*form is"),
        ("[]", "TF_CONFIG is not a JSON object"),
        ({"cluster": [1]}, "TF_CONFIG has a cluster that is not an object"),
        ({"cluster": {"worker": "a:1"}}, "TF_CONFIG has a cluster.worker that is not a list"),
        ({"cluster": {"worker": ["a"]}}, "has 'a' in cluster.worker, which is not HOST:PORT"),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, "TF_CONFIG has the address 'a:1' twice"),
        ({"cluster": _WORKERS}, "TF_CONFIG has no task with a type and an index"),
        (
            {"cluster": _WORKERS, "task": {"type": "wroker", "index": 0}},
            "task.type is 'wroker', but only worker train. Did you mean 'worker'",
        ),
        (
            {"cluster": _WORKERS, "task": {"type": "worker", "index": 2}},
            "task.index must be from 0 to 1, as cluster.worker has 2 addresses; received 2",
        ),
        (
            {"cluster": _WORKERS, "task": {"type": "worker", "index": "x"}},
            "task.index must be from 0 to 1, .* received 'x'",
        ),
    ),
)
@pytest.mark.parametrize("distribution", ("auto", "multi_worker"))
def test_a_broken_tf_config_is_a_sentence(monkeypatch, value, sentence, distribution):
    """Fault: TF_CONFIG is no JSON, or names no such task.

    Command: `TF_CONFIG=… compare_gan train`
    User sees: Error: TF_CONFIG: task.index must be from 0 to 1, …; received 2.
    Exit code: 2
    Lost: nothing
    """
    monkeypatch.setenv("TF_CONFIG", value if isinstance(value, str) else json.dumps(value))
    with pytest.raises(UserError, match=sentence):
        engine.make_strategy(distribution)
    assert engine.make_strategy("one_device").num_replicas_in_sync == 1
    assert engine.make_strategy(distribution, alone=True).num_replicas_in_sync == 1


@pytest.mark.parametrize("value", ("", "{}", '{"cluster": {}, "task": {}}'))
def test_a_cluster_without_workers_is_one_process(monkeypatch, value):
    """Fault: TF_CONFIG names no workers.

    Command: `TF_CONFIG={} compare_gan train`
    User sees: nothing; with run_config.distribution = 'multi_worker' an error
    Exit code: 0; 2
    Lost: nothing
    """
    monkeypatch.setenv("TF_CONFIG", value)
    assert engine.make_strategy().num_replicas_in_sync == 1
    with pytest.raises(UserError, match="'multi_worker', but TF_CONFIG names no workers"):
        engine.make_strategy("multi_worker")


def test_a_tpu_that_is_not_there_is_a_sentence(monkeypatch):
    """Fault: TPU_NAME names a TPU that is not there, or its host has no address.

    Command: `TPU_NAME=nowhere compare_gan train`
    User sees: Error: run_config.distribution is 'tpu' but no TPU answers: …
    Exit code: 2
    Lost: nothing
    """
    monkeypatch.setenv("TPU_NAME", "nowhere")

    def refuse():
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(tf.distribute.cluster_resolver.TPUClusterResolver, "connect", refuse)
    with pytest.raises(
        UserError, match=r": .*Name or service not known \(TPU_NAME is 'nowhere'\); w"
    ):
        engine.make_strategy()
    with socket.socket() as closed:
        closed.bind(("localhost", 0))
        monkeypatch.setenv("TPU_NAME", f"grpc://localhost:{closed.getsockname()[1]}")
        with pytest.raises(UserError, match=r"refused \(TPU_NAME is 'grpc://localhost:\d+'\)"):
            engine.make_strategy("tpu")


def test_errors_of_a_lost_worker_are_explained(monkeypatch):
    """Fault: TensorFlow's collective operation is aborted, because another worker is lost.

    Command: `compare_gan train`, on several hosts
    User sees: Error: Worker 1 (10.0.0.2:1234) has died, …, without a traceback
    Exit code: 4
    Lost: the steps since the last checkpoint
    """
    ours, theirs = socket.socketpair()
    lonely = tf.errors.UnavailableError(None, None, "Collective ops is aborted by: Socket closed")
    assert peers.explain(lonely) == ""
    monkeypatch.setattr(peers, "_BEAT_SECONDS", 0.1)
    monkeypatch.setattr(peers, "_NEWS_SECONDS", _PATIENCE)
    monkeypatch.setattr(
        peers.Connections, "active", peers.Connections(["0", "Worker 1"], {1: ours})
    )
    theirs.close()
    assert peers.explain(lonely).startswith("Worker 1 has died, so this process ends")
    peers.Connections.active.close(orderly=False)
