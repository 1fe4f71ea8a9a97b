"""TensorBoard's own backend of the tab HParams reads what a study has written."""

import glob
import sys

import synthetic_study
from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import (
    api_pb2,
    backend_context,
    get_experiment,
    list_session_groups,
)

from compare_gan.evaluation.results import ResultRow, Score
from compare_gan.studies import PruningDecision, RunRecord, define
from compare_gan.studies.hparams import write_hparams
from compare_gan.studies.records import FINISHED, PRUNED


def _backend(logdir):
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(logdir)).Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(logdir))
    return backend_context.Context(base_plugin.TBContext(data_provider=provider))


def _experiment(logdir):
    handler = get_experiment.Handler(
        RequestContext(), _backend(logdir), "", api_pb2.GetExperimentRequest()
    )
    return handler.run()


def _sessions(logdir):
    """The session of each run, by name, and its hyperparameters."""
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_UNKNOWN]
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=statuses,
        col_params=[],
        start_index=0,
        slice_size=100,
        aggregation_type=api_pb2.AGGREGATION_AVG,
    )
    backend = _backend(logdir)
    handler = list_session_groups.Handler(RequestContext(), backend, "", request)
    groups = handler.run().session_groups
    return {group.name: (group.sessions[0], group.hparams) for group in groups}


def test_the_tab_shows_axes_seeds_and_final_scores(stub, place, base, tmp_path):
    axes = {"loss.fn": ["@hinge", "@wasserstein"], "options.lamba": [1, 0.5]}
    study = place.update(define(base=base, axes=axes, seeds=[1, 7]))
    stub.does = {"wasserstein-lamba=1-seed7": "diverge", "wasserstein-lamba=1-seed1": "crash"}
    stub.run(place, study, retries=0)

    experiment = _experiment(place.path)
    domains = {
        info.name: [each.string_value or each.number_value for each in info.domain_discrete.values]
        for info in experiment.hparam_infos
    }
    assert domains == {
        "loss.fn": ["hinge", "wasserstein"],
        "options.lamba": [0.5, 1.0],
        "seed": [1.0, 7.0],
    }
    assert [(m.name.tag, m.display_name) for m in experiment.metric_infos] == [("score/fid", "fid")]

    sessions = _sessions(place.path)
    assert sessions.keys() == {run.name for run in study.runs}
    session, values = sessions["hinge-lamba=0.5-seed7"]
    assert values["loss.fn"].string_value == "hinge"
    assert (values["options.lamba"].number_value, values["seed"].number_value) == (0.5, 7)
    assert session.status == api_pb2.STATUS_SUCCESS
    [metric] = session.metric_values
    # Step and score that the stub of a training writes.
    assert (metric.training_step, metric.value) == (6, 1.5)
    for name in stub.does:
        session, _ = sessions[name]
        assert session.status == api_pb2.STATUS_FAILURE and not session.metric_values


def test_events_are_written_once_and_replaced_when_scores_change(place, two_losses, stub):
    study = place.update(two_losses(seeds=1))
    stub.run(place, study)
    events = f"{place.tensorboard}/**/*tfevents*"
    before = set(glob.glob(events, recursive=True))
    assert len(before) == 3
    write_hparams(place.tensorboard, study, place.records())
    assert set(glob.glob(events, recursive=True)) == before
    results = f"{place.run_dir('hinge-seed1')}/results.jsonl"
    with open(results) as file:
        line = file.read().replace("1.5", "2.5")
    with open(results, "a") as file:
        file.write(line)
    write_hparams(place.tensorboard, study, place.records())
    after = set(glob.glob(events, recursive=True))
    assert len(after) == 3 and len(after - before) == 1
    session, _ = _sessions(place.path)["hinge-seed1"]
    assert [metric.value for metric in session.metric_values] == [2.5]


def test_without_scores_or_without_tensorboard_nothing_is_written(
    place, two_losses, stub, monkeypatch, tmp_path
):
    study = place.update(two_losses(seeds=1))
    write_hparams(place.tensorboard, study, place.records())
    assert not glob.glob(place.tensorboard)
    stub.run(place, study)
    monkeypatch.setitem(sys.modules, "tensorboard.plugins.hparams", None)
    write_hparams(str(tmp_path / "other"), study, place.records())
    assert not (tmp_path / "other").exists()


def test_tensorflow_is_not_needed(place, two_losses, stub, monkeypatch, tmp_path):
    study = place.update(two_losses(seeds=1))
    stub.run(place, study)
    for name in [name for name in sys.modules if name.startswith("tensorboard.plugins.hparams")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    write_hparams(str(tmp_path / "other"), study, place.records())
    assert len(list((tmp_path / "other").rglob("*tfevents*"))) == 3


def test_values_that_a_search_has_chosen_are_hyperparameters(base, tmp_path):
    study = define(base=base, axes={"loss.fn": ["@hinge"]})
    runs = [
        RunRecord(
            name=f"trial{number}-seed1",
            variant=f"trial{number}",
            axes={"loss.fn": "hinge", "ModularGAN.g_lr": rate},
            seed=1,
            steps=2,
            state=FINISHED,
            rows=(ResultRow(2, {"fid": Score(9.0, 0.0)}, synthetic_study.provenance()),),
        )
        for number, rate in enumerate(("0.001", "0.0002"))
    ]
    write_hparams(str(tmp_path), study, runs)
    found = {name: hparams for name, (_, hparams) in _sessions(tmp_path).items()}
    assert found["trial1-seed1"]["ModularGAN.g_lr"].number_value == 0.0002
    assert {info.name for info in _experiment(tmp_path).hparam_infos} == {
        "loss.fn", "ModularGAN.g_lr", "seed",
    }  # fmt: skip


def test_a_pruned_run_has_neither_succeeded_nor_failed(base, tmp_path):
    study = define(base=base, axes={"loss.fn": ["@hinge", "@wasserstein"]})
    row = ResultRow(2, {"fid": Score(9.0, 0.0)}, synthetic_study.provenance())
    finished, pruned = (
        RunRecord(
            name=f"{loss}-seed1",
            variant=loss,
            axes={"loss.fn": loss},
            seed=1,
            steps=steps,
            state=state,
            rows=(row,),
            pruning=pruning,
        )
        for loss, steps, state, pruning in (
            ("hinge", 2, FINISHED, None),
            ("wasserstein", 4, PRUNED, PruningDecision({"loss.fn": "wasserstein"}, 2, 9.0, True)),
        )
    )
    write_hparams(str(tmp_path), study, [finished, pruned])
    sessions = {name: session for name, (session, _) in _sessions(tmp_path).items()}
    assert sessions["hinge-seed1"].status == api_pb2.STATUS_SUCCESS
    assert sessions["wasserstein-seed1"].status == api_pb2.STATUS_UNKNOWN
    assert not sessions["wasserstein-seed1"].metric_values
