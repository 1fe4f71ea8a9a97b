"""The packages of trackers themselves read what a run has handed over, without a network.

These tests are skipped where a package is not installed: `pip install -e ".[wandb,mlflow,aim]"`.
"""

import io
import os
import struct

import pytest
from PIL import Image

from compare_gan.errors import UserError
from compare_gan.evaluation.results import ResultRow
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.training.trackers import AimTracker, MLflowTracker, WandbTracker
from compare_gan.training.trackers.run_trackers import RunTrackers

_CONFIG = "options.z_dim = 4\nD.spectral_norm = True\nloss.fn = @hinge"
_ROW = '{"step": 2, "scores": {"fid": 1.5}, "protocol": {"seeds": [0]}}'


def _png():
    file = io.BytesIO()
    Image.new("RGB", (6, 4)).save(file, "png")
    return file.getvalue()


@pytest.fixture(name="hand_over")
def _hand_over(tmp_path, monkeypatch, caplog):
    """`hand_over(name, make_tracker)`: a run in two parts, of which the second repeats a step."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    results = ResultsFile(str(folder / "results.jsonl"))

    def run(name, make_tracker):
        for steps in ((1, 2), (2, 3)):
            trackers = RunTrackers(str(folder), results)
            with trackers.open(lambda: {name: make_tracker()}, _CONFIG):
                trackers.start()
                for step in steps:
                    trackers.values(step, {"loss/generator": step / 4})
                    trackers.picture(step, "samples", _png())
        trackers = RunTrackers(str(folder), results)
        with trackers.open(lambda: {name: make_tracker()}, _CONFIG):
            results.add([ResultRow.from_json(_ROW)])
            trackers.scores()
        assert not caplog.records
        return folder

    return run


def test_mlflow(hand_over, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    hand_over("mlflow", lambda: MLflowTracker(uri=uri, experiment="losses"))
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("losses")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "a" and run.info.status == "FINISHED"
    assert run.data.params.items() >= {"options.z_dim": "4", "loss.fn": "@hinge"}.items()
    assert run.data.tags["diverged"] == "False"
    history = client.get_metric_history(run.info.run_id, "loss/generator")
    assert [(each.step, each.value) for each in history] == [(1, 0.25), (2, 0.5), (3, 0.75)]
    [score] = client.get_metric_history(run.info.run_id, "score/fid")
    assert (score.step, score.value) == (2, 1.5)
    names = {each.path for each in client.list_artifacts(run.info.run_id)}
    assert names == {"config.gin", "results.jsonl", "images"}
    pictures = client.list_artifacts(run.info.run_id, "images")
    assert sum(each.path.endswith(".png") for each in pictures) == 3


def _wandb_records(path):
    """The records in a file of an offline run: blocks as in LevelDB's log, after 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    data, position, content = path.read_bytes(), 7, b""
    while position + 7 <= len(data):
        rest = 2**15 - position % 2**15
        if rest < 7:
            position += rest
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        content += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # A whole record, or the last part of one.
            record = wandb_internal_pb2.Record()
            record.ParseFromString(content)
            content = b""
            yield record


def test_wandb(hand_over, monkeypatch):
    pytest.importorskip("wandb.proto.wandb_internal_pb2")
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = hand_over("wandb", lambda: WandbTracker(project="losses", group="study"))
    files = sorted((folder / "wandb").glob("offline-run-*/*.wandb"))
    records = [record for file in files for record in _wandb_records(file)]
    runs = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    about = {(run.run_id, run.display_name, run.project, run.run_group) for run in runs}
    assert len(about) == 1 and about.pop()[1:] == ("a", "losses", "study")
    config = {item.key: item.value_json for item in runs[0].config.update}
    assert config["options.z_dim"] == "4" and config["loss.fn"] == '"@hinge"'
    history = [
        {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    losses = [(row["step"], row["loss/generator"]) for row in history if "loss/generator" in row]
    assert losses == [("1", "0.25"), ("2", "0.5"), ("3", "0.75")]
    [score] = [(row["step"], row["score/fid"]) for row in history if "score/fid" in row]
    assert score == ("2", "1.5")
    assert len(list((folder / "wandb").glob("offline-run-*/files/media/**/*.png"))) == 3
    texts = {os.path.basename(path) for path in (folder / "wandb").glob("offline-run-*/files/*")}
    assert texts >= {"config.gin", "results.jsonl"}


def test_wandb_without_a_key_is_refused_before_the_training(monkeypatch, tmp_path):
    pytest.importorskip("wandb.proto.wandb_internal_pb2")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(UserError, match=r"run `wandb login`, or set wandb\.mode = 'offline'"):
        WandbTracker(mode="online").check()
    WandbTracker(mode="offline").check()


def test_aim(hand_over, tmp_path):
    aim = pytest.importorskip("aim")
    from aim.sdk.index_manager import RepoIndexManager
    from aim.storage.context import Context

    (tmp_path / "repo").mkdir()
    hand_over("aim", lambda: AimTracker(repo=str(tmp_path / "repo"), experiment="losses"))
    repo = aim.Repo.from_path(str(tmp_path / "repo"))
    [run_id] = repo.list_all_runs()
    RepoIndexManager.get_index_manager(repo).index(run_id)  # As `aim up` does.
    run = repo.get_run(run_id)
    assert run.name == "a" and run.experiment == "losses" and run["status"] == "finished"
    assert run["config"]["options.z_dim"] == 4 and run["config.gin"] == _CONFIG
    assert '"fid"' in run["results.jsonl"]
    series = {
        metric.name: [(step, values[0]) for step, values in metric.data.items()]
        for metric in run.metrics()
    }
    assert series == {
        "loss/generator": [(1, 0.25), (2, 0.5), (3, 0.75)],
        "score/fid": [(2, 1.5)],
    }
    pictures = run.get_image_sequence("samples", Context({}))
    assert [step for step, _ in pictures.data.items()] == [1, 2, 3]
