"""The executor on a Ray cluster of several nodes, one of which is killed; nothing is trained."""

import json
import os
import signal
import sys
import threading
import time

import pytest

from compare_gan import interruption
from compare_gan.errors import UserError
from compare_gan.studies import RayExecutor, Task
from compare_gan.studies.ray_executor import Room, divide_nodes


@pytest.mark.parametrize(
    "nodes, workers, room, most",
    [
        ([{"CPU": 8}], 3, Room(2), 4),
        ([{"CPU": 8}, {"CPU": 4}], 3, Room(4), 3),
        ([{"CPU": 2}], 5, Room(1), 2),
        ([{}, {"CPU": 1}], 1, Room(1), 1),
        # Nodes without GPUs have no room for a run.
        ([{"CPU": 64}, {"CPU": 8, "GPU": 2}], 2, Room(4, 1.0), 2),
        ([{"CPU": 8, "GPU": 2}], 5, Room(1, 1 / 3), 6),
    ],
)
def test_nodes_are_divided(nodes, workers, room, most):
    assert divide_nodes(nodes, workers) == room
    assert sum(map(room.on, nodes)) == most


def test_without_ray_one_sentence_names_the_extra(run_command, tmp_path, monkeypatch, base):
    monkeypatch.setitem(sys.modules, "ray", None)
    file = tmp_path / "study.gin"
    file.write_text(f"study.base = {base!r}\n")
    arguments = ("study", "run", file, "--study_dir", tmp_path / "study")
    status, _, err = run_command(*arguments, "--executor", "ray")
    assert status == 2
    assert 'pip install "compare_gan[ray]"' in err
    status, _, err = run_command(*arguments, "--address", "head:6379")
    assert status == 2
    assert "--address is that of a Ray cluster: add --executor ray." in err
    assert not (tmp_path / "study").exists()


@pytest.fixture(name="cluster", scope="module")
def _cluster():
    """A head without room for runs, and two nodes with one core each."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    import ray

    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(name="on_ray")
def _on_ray(cluster, stub):
    """The stub of a study, on the cluster."""

    def executor(workers=2):
        return RayExecutor(cluster.address, workers, stub.environment, stub.command)

    stub.executor = executor
    return stub


def _wait(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _node_of(cluster, pid):
    """The node on which a process runs: a descendant of its raylet."""
    ancestors = []
    while pid > 1:
        ancestors.append(pid)
        with open(f"/proc/{pid}/stat") as file:
            pid = int(file.read().rpartition(")")[2].split()[1])
    for node in cluster.worker_nodes:
        if node.all_processes["raylet"][0].process.pid in ancestors:
            return node
    raise AssertionError(ancestors)


@pytest.mark.slow
def test_the_runs_of_a_lost_node_go_on_at_another_one(cluster, place, two_losses, on_ray, tmp_path):
    study = place.update(two_losses())
    name = "wasserstein-seed1"
    on_ray.does = {name: "wait_once"}

    def kill():
        _wait(lambda: os.path.exists(os.path.join(place.run_dir(name), "waits")))
        calls = map(json.loads, (tmp_path / "calls.jsonl").read_text().splitlines())
        [pid] = [call["pid"] for call in calls if call["name"] == name]
        cluster.remove_node(_node_of(cluster, pid), allow_graceful=False)

    thread = threading.Thread(target=kill)
    thread.start()
    found = on_ray.run(place, study, retries=0)
    thread.join()
    assert [record.state for record in found.values()] == ["finished"] * 4
    assert [record.attempts for record in found.values()] == [1, 2, 1, 1]
    assert [call["again"] for call in on_ray.calls if call["name"] == name] == [False, True]
    first, second = place.journal.attempts()[name]
    assert (first.status, second.status) == ("interrupted", "finished")
    assert first.cpu_seconds is None
    assert second.cpu_seconds > 0
    executor = on_ray.executor()
    _wait(lambda: executor.slots == 1)
    cluster.add_node(num_cpus=1)


@pytest.mark.slow
def test_interrupted_runs_save_and_go_on(place, two_losses, on_ray):
    study = place.update(two_losses(seeds=1))
    on_ray.does = {"hinge-seed1": "wait_once", "wasserstein-seed1": "wait_once"}
    waits = [os.path.join(place.run_dir(run.name), "waits") for run in study.runs]

    def interrupt():
        _wait(lambda: all(map(os.path.exists, waits)))
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), interruption.Watch():
        on_ray.run(place, study)
    thread.join()
    assert [record.state for record in place.records()] == ["interrupted"] * 2
    for run in study.runs:
        with open(place.file("journal.jsonl")) as file:
            ends = [entry for entry in map(json.loads, file) if entry["event"] == "end"]
        assert [entry["exit_status"] for entry in ends if entry["run"] == run.name] == [130]
    assert [record.state for record in on_ray.run(place, study).values()] == ["finished"] * 2


@pytest.mark.slow
def test_processes_work_in_this_directory_with_their_share(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "import os; print(os.getcwd(), os.environ['OWN'], os.environ.get('OMP_NUM_THREADS'))"
    executor = RayExecutor(cluster.address, 2, {"OWN": "1"}, [sys.executable, "-c", code])
    executor.start(Task("a", (), str(tmp_path / "log")))
    executor.start(Task("b", (), str(tmp_path / "other")))
    ended = executor.ended(60) + executor.ended(60)
    assert sorted(task.name for task, _ in ended) == ["a", "b"]
    assert all(end.exit_status == 0 and end.gpu_seconds == 0 for _, end in ended)
    assert (tmp_path / "log").read_text() == f"{tmp_path} 1 1\n"


@pytest.mark.slow
def test_obstacles_are_one_sentence_in_the_log(cluster, on_ray, tmp_path, monkeypatch):
    from compare_gan.studies import ray_executor

    monkeypatch.setattr(ray_executor, "code_version", lambda: "0.1")
    executor = on_ray.executor()
    executor.start(Task("a", (), str(tmp_path / "log")))
    [(_, end)] = executor.ended(60)
    assert (end.exit_status, end.is_lost) == (2, False)
    assert "of compare_gan, and the study runs version 0.1." in (tmp_path / "log").read_text()
    with pytest.raises(UserError, match="No Ray cluster can be used at 'nowhere'"):
        import ray

        ray.shutdown()
        RayExecutor("nowhere")
