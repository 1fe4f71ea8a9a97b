"""Which runs are made, how often, and how a study ends; the processes train nothing."""

import json
import os
import signal
import threading
import time

import pytest

from compare_gan import interruption
from compare_gan.studies import End, define
from compare_gan.studies.display import Display
from compare_gan.studies.scheduler import Scheduler
from compare_gan.training.run_lock import RunLock


def _states(found):
    return [record.state for record in found.values()]


def test_all_runs_are_made_once(place, two_losses, stub):
    study = place.update(two_losses())
    found = stub.run(place, study, workers=1)
    assert _states(found) == ["finished"] * 4
    calls = stub.calls
    assert [call["name"] for call in calls] == [run.name for run in study.runs]
    arguments = calls[0]["arguments"]
    assert arguments[:5] == [
        "train", "--model_dir", place.run_dir("hinge-seed1"),
        "--gin_config", place.config("hinge"),
    ]  # fmt: skip
    assert arguments[5:] == [
        "--gin_bindings", "run_config.tf_random_seed = 1", "--gin_bindings", "dataset.seed = 548",
        "--num_eval_averaging_runs", "3", "--eval_every_steps", "5000",
    ]  # fmt: skip
    before = len(_starts(place))
    assert _states(stub.run(place, study)) == ["finished"] * 4
    assert stub.calls == []
    assert len(_starts(place)) == before == 4


def test_workers_run_at_the_same_time_on_their_own_cores(place, two_losses, stub):
    stub.run(place, place.update(two_losses()), workers=2)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        shares = {tuple(call["cores"]) for call in stub.calls}
        assert shares == {tuple(cores[: len(cores) // 2]), tuple(cores[len(cores) // 2 :])}


def test_divergence_is_a_result(place, two_losses, stub):
    """Fault: A run of a study diverges.

    Command: `compare_gan study run`
    User sees: …-seed1: diverged; the table counts it
    Exit code: 0
    Lost: nothing
    """
    study = place.update(two_losses(seeds=1))
    stub.does = {"hinge-seed1": "diverge"}
    assert _states(stub.run(place, study)) == ["diverged", "finished"]
    assert _states(stub.run(place, study)) == ["diverged", "finished"]
    assert len(stub.names) == 2


@pytest.mark.parametrize("retries", [0, 2])
def test_a_run_that_fails_is_tried_again_a_bounded_number_of_times(
    place, two_losses, stub, retries, capsys
):
    study = place.update(two_losses(seeds=1))
    stub.does = {"hinge-seed1": "crash"}
    assert _states(stub.run(place, study, retries=retries)) == ["failed", "finished"]
    names = stub.names
    assert names.count("hinge-seed1") == retries + 1
    assert names.count("wasserstein-seed1") == 1
    assert "hinge-seed1: failed: MemoryError: too much" in capsys.readouterr().err
    stub.does = {}
    assert _states(stub.run(place, study)) == ["finished", "finished"]
    assert stub.names == ["hinge-seed1"]


def test_a_run_that_fails_once_goes_on_from_its_checkpoint(place, two_losses, stub):
    study = place.update(two_losses(seeds=1))
    stub.does = {"hinge-seed1": "crash_once"}
    found = stub.run(place, study)
    assert _states(found) == ["finished", "finished"]
    assert found["hinge-seed1"].attempts == 2
    assert [call["again"] for call in stub.calls if call["name"] == "hinge-seed1"] == [False, True]


def test_a_run_that_is_killed_is_tried_again(place, two_losses, stub, capsys):
    """Fault: A run of a study is killed, for want of memory for example.

    Command: `compare_gan study run`
    User sees: …-seed1: failed, 1 more attempt: ended by SIGKILL
    Exit code: 0, or 1 if it fails each time
    Lost: the steps since its last checkpoint
    """
    study = place.update(two_losses(seeds=1))
    stub.does = {"hinge-seed1": "kill"}
    assert _states(stub.run(place, study, retries=1)) == ["failed", "finished"]
    assert stub.names.count("hinge-seed1") == 2
    err = capsys.readouterr().err
    assert "hinge-seed1: failed, 1 more attempt: ended by SIGKILL" in err


def test_a_mistake_is_not_tried_again(place, two_losses, stub, capsys):
    """Fault: A run of a study ends with a mistake that the checks before could not find.

    Command: `compare_gan study run`
    User sees: …-seed1: failed: and the sentence of `train`
    Exit code: 1
    Lost: nothing; the other runs are made
    """
    study = place.update(two_losses(seeds=1))
    stub.does = {"hinge-seed1": "mistake"}
    assert _states(stub.run(place, study)) == ["failed", "finished"]
    assert stub.names.count("hinge-seed1") == 1
    assert "hinge-seed1: failed: There is no loss 'hing'." in capsys.readouterr().err


def test_interrupted_runs_save_and_go_on(place, two_losses, stub):
    """Fault: Ctrl-C while the runs of a study are made, and the same command again.

    Command: `compare_gan study run`, twice
    User sees: Received SIGINT: the running runs save their state and end …
    Exit code: 130, then 0
    Lost: nothing
    """
    study = place.update(two_losses(seeds=1))
    stub.does = {"hinge-seed1": "wait_once", "wasserstein-seed1": "wait_once"}
    waits = [os.path.join(place.run_dir(run.name), "waits") for run in study.runs]

    def interrupt():
        while not all(map(os.path.exists, waits)):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt), interruption.Watch():
        stub.run(place, study)
    thread.join()
    assert [record.state for record in place.records()] == ["interrupted"] * 2
    assert _states(stub.run(place, study)) == ["finished"] * 2
    assert [call["again"] for call in stub.calls] == [False, False, True, True]


_STUDY = """
import sys
sys.path.insert(0, {tests!r})
from compare_gan.studies import LocalExecutor, StudyDir
from compare_gan.studies.display import Display
from compare_gan.studies.scheduler import Scheduler
place = StudyDir({folder!r})
executor = LocalExecutor(1, {environment!r}, {command!r})
Scheduler(place, place.definition(), executor, {{}}, 2, Display("study")).run()
"""


def _start(forks, stub, place):
    """Runs a study in a process of its own."""
    code = _STUDY.format(
        tests=os.path.dirname(__file__),
        folder=place.path,
        environment=stub.environment,
        command=stub.command,
    )
    return forks.start(code=code)


def test_processes_share_the_runs_of_a_study(place, two_losses, stub, forks):
    study = place.update(two_losses(seeds=4))
    # One process is held up by the first run until the other one has made the rest.
    stub.does = {"hinge-seed1": "after wasserstein-seed4"}
    with _start(forks, stub, place) as other:
        found = stub.run(place, study, workers=1)
        assert other.wait(60) == 0
    assert _states(found) == ["finished"] * 8
    assert sorted(stub.names) == sorted(run.name for run in study.runs)
    assert len({start["pid"] for start in _starts(place)}) == 2


def _starts(place):
    with open(place.file("journal.jsonl")) as file:
        return [entry for entry in map(json.loads, file) if entry["event"] == "start"]


def test_a_killed_study_goes_on(place, two_losses, stub, forks):
    """Fault: A study is killed, and started again at once.

    Command: `compare_gan study run`, twice
    User sees: as elsewhere: the second one waits until the runs have saved their state
    Exit code: 0
    Lost: nothing; the costs of the killed attempts are not known
    """
    study = place.update(two_losses(seeds=1))
    stub.does = {"hinge-seed1": "wait_once"}
    waits = os.path.join(place.run_dir("hinge-seed1"), "waits")
    with _start(forks, stub, place) as killed:
        while not os.path.exists(waits):
            assert killed.poll() is None
            time.sleep(0.02)
        killed.kill()
        killed.wait(30)
    found = stub.run(place, study)
    assert _states(found) == ["finished"] * 2
    calls = stub.calls
    assert [call["again"] for call in calls if call["name"] == "hinge-seed1"] == [False, True]


def test_labels_that_runs_share_are_inferred_once_and_first(place, two_losses, stub):
    study = place.update(two_losses(bindings=["dataset.inferred_labels = True"]))
    keys = {run.name: f"key{run.seed}" for run in study.runs}
    assert _states(stub.run(place, study, label_keys=keys, workers=1)) == ["finished"] * 4
    calls = stub.calls
    assert [call["name"].split("-")[0] for call in calls] == [
        "labels", "hinge", "wasserstein", "labels", "hinge", "wasserstein",
    ]  # fmt: skip
    label, run = calls[0]["arguments"], calls[-1]["arguments"]
    folder = place.labels("key1")
    assert label[0] == "label"
    assert label[label.index("--label_dir") + 1] == folder
    assert "infer_labels.seed = 1" in label
    backbones = f"infer_labels.backbone_dir = {place.backbones!r}"
    assert backbones in label
    assert backbones in run
    assert f"infer_labels.label_dir = {place.labels('key2')!r}" in run


def test_runs_without_their_labels_fail(place, two_losses, stub, capsys):
    study = place.update(two_losses(seeds=1, bindings=["dataset.inferred_labels = True"]))
    stub.does = {"labels": "crash"}
    keys = dict.fromkeys((run.name for run in study.runs), "key")
    assert _states(stub.run(place, study, label_keys=keys, retries=1)) == ["waiting"] * 2
    assert stub.names == ["labels"] * 2
    assert "its labels could not be inferred (labels-key)" in capsys.readouterr().err


class _LossyExecutor:
    """An executor of which every task is lost, at once, after so many steps."""

    slots = 1

    def __init__(self, place, steps):
        self._place = place
        self._steps = list(steps)
        self.started = []

    def start(self, task):
        self.started.append(task)
        folder = self._place.run_dir(task.name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "log.jsonl"), "w") as log:
            log.write(json.dumps({"step": self._steps.pop(0)}) + "\n")

    def ended(self, seconds):
        return [(self.started[-1], End(1, 1.0, is_lost=True))]

    def interrupt(self):
        raise NotImplementedError


def test_a_lost_node_costs_a_run_no_retry_if_the_run_made_progress(place, base, capsys):
    """Otherwise it does: the run may be what takes nodes down."""
    study = place.update(define(base=base))
    executor = _LossyExecutor(place, [1, 2, 3, 3, 3, 3])
    [found] = Scheduler(place, study, executor, {}, 1, Display("study")).run()
    # Three losses with progress, then one attempt and its retry.
    assert len(executor.started) == 5
    assert found.state == "interrupted"
    assert capsys.readouterr().err.count("its node was lost") == 3


def test_a_run_that_another_process_trains_waits_for_it(place, base, stub):
    """Its lock lasts longer than that of the study where its node was only taken for lost."""
    study = place.update(define(base=base))
    [run] = study.runs
    lock = RunLock(os.path.join(place.run_dir(run.name), "training.lock"))
    lock.__enter__()
    threading.Timer(1.5, lock.__exit__).start()
    before = time.monotonic()
    [found] = stub.run(place, study).values()
    assert found.state == "finished"
    assert time.monotonic() - before > 1.5


def test_only_some_runs_are_made(place, two_losses, stub):
    study = place.update(two_losses())
    found = stub.run(place, study, runs=study.runs[1:3])
    assert list(found) == ["wasserstein-seed1", "hinge-seed2"]
    assert sorted(stub.names) == ["hinge-seed2", "wasserstein-seed1"]
