"""A study in TensorBoard's tab HParams: axes and seed of each ended run beside its final scores.

`tensorboard --logdir STUDY_DIR` finds the events in `tensorboard/`: one file about the experiment,
and a folder for each run.
"""

import contextlib
import glob
import hashlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compare_gan.studies import records
from compare_gan.studies.definition import StudyDefinition
from compare_gan.studies.measurements import final_measurement
from compare_gan.studies.records import RunRecord

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

_SEED = "seed"


def write_hparams(folder: str, study: StudyDefinition, runs: Sequence[RunRecord]) -> None:
    """Writes the events of the runs that have ended, unless they are there already.

    Nothing is written before a run has scores, or if the package `tensorboard` is not installed.

    Args:
      folder: Folder of the events.
      study: The study.
      runs: Records of all its runs.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.studies import define
      >>> from compare_gan.studies.hparams import write_hparams
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_hparams(folder, define(base="supervised_fashion_mnist"), runs=[])
      ...     os.listdir(folder)  # No run has scores.
      []
    """
    ended = [run for run in runs if run.state in records.ENDED]
    names = list(dict.fromkeys(name for run in ended for name in _final_scores(run)))
    if not names:
        return
    with contextlib.suppress(ModuleNotFoundError):  # Each training has warned.
        axes = {name: _numbers(labels) for name, labels in _labels(study, runs).items()}
        seeds = sorted({run.seed for run in runs})
        _write(folder, [_experiment(axes, seeds, names)])
        for run in ended:
            own = {name: axes[name][label] for name, label in run.axes.items()}
            session = _session(run, own | {_SEED: float(run.seed)})
            _write(os.path.join(folder, run.name), session, run.steps, _final_scores(run))


def _labels(study: StudyDefinition, runs: Iterable[RunRecord]) -> dict[str, list[str]]:
    """The labels of each axis, and of each parameter that a search has chosen values of."""
    labels = {name: dict.fromkeys(values) for name, values in study.axes.items()}
    for run in runs:
        for name, label in run.axes.items():
            labels.setdefault(name, {})[label] = None
    return {name: list(of_axis) for name, of_axis in labels.items()}


def _final_scores(run: RunRecord) -> dict[str, float]:
    rows = final_measurement(run)
    return {f"score/{name}": row.scores[name].mean for name, row in rows.items()}


def _numbers(labels: Iterable[str]) -> dict[str, Any]:
    """The values of an axis by label: numbers if all labels are numbers, else the labels."""
    labels = list(labels)
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return dict(zip(labels, labels, strict=True))
    if not all(map(math.isfinite, numbers)):
        return dict(zip(labels, labels, strict=True))
    return dict(zip(labels, numbers, strict=True))


def _experiment(
    axes: Mapping[str, Mapping[str, Any]], seeds: Sequence[int], scores: Sequence[str]
) -> "Summary":
    from tensorboard.plugins.hparams import summary_v2 as hp

    values = {name: list(each.values()) for name, each in axes.items()}
    values[_SEED] = [float(seed) for seed in seeds]
    return hp.hparams_config_pb(
        [hp.HParam(name, hp.Discrete(each)) for name, each in values.items()],
        [hp.Metric(name, display_name=name.partition("/")[2]) for name in scores],
        time_created_secs=0,
    )


def _session(run: RunRecord, values: Mapping[str, Any]) -> "list[Summary]":
    """The events of one run: its hyperparameters, and how it ended."""
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.plugins.hparams import summary_v2 as hp

    # A run that was pruned has neither succeeded nor failed.
    statuses = {records.FINISHED: api_pb2.STATUS_SUCCESS, records.PRUNED: api_pb2.STATUS_UNKNOWN}
    end = plugin_data_pb2.SessionEndInfo(
        status=statuses.get(run.state, api_pb2.STATUS_FAILURE),
        end_time_secs=run.wall_seconds or 0,
    )
    # As `tensorboard.plugins.hparams.summary.session_end_pb`, whose module imports TensorFlow.
    value = summary_pb2.Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(
            plugin_data_pb2.HParamsPluginData(session_end_info=end)
        ),
        tensor=metadata.NULL_TENSOR,
    )
    start = hp.hparams_pb(values, trial_id=run.name, start_time_secs=0)
    return [start, summary_pb2.Summary(value=[value])]


def _write(
    folder: str,
    summaries: "Sequence[Summary]",
    step: int = 0,
    scores: Mapping[str, float] | None = None,
) -> None:
    """Writes a file of events in the place of that of an earlier call, unless nothing differs."""
    from compare_gan.training.tensorboard_events import EventWriter

    content = [each.SerializeToString(deterministic=True) for each in summaries]
    text = repr((content, step, sorted((scores or {}).items())))
    suffix = f"hparams-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    before = glob.glob(os.path.join(glob.escape(folder), "events.out.tfevents.*.hparams-*"))
    if any(path.endswith(suffix) for path in before):
        return
    writer = EventWriter(folder, suffix)
    for summary in summaries:
        writer.summary(0, summary)
    writer.scalars(step, scores or {})
    writer.close()
    for path in before:
        with contextlib.suppress(FileNotFoundError):  # Another process of the study removed it.
            os.remove(path)
