"""What is to be done for a study: its runs, and the labels that several of them need."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from compare_gan.studies import records
from compare_gan.studies.definition import StudyDefinition, StudyRun
from compare_gan.studies.study_dir import StudyDir


@dataclasses.dataclass(eq=False)
class Job:
    """A run, or labels that runs share.

    Attributes:
      name: Name of the run or of the labels.
      arguments: Arguments of the command that does it.
      is_done: Function that returns whether it has been done, by whatever process.
      run: The run; None for labels.
      needs: The job that comes first; None without any.
      tries: Number of attempts that this process has made, without those that a lost node cost.
      failed: Whether this process makes no further attempt.
    """

    name: str
    arguments: tuple[str, ...]
    is_done: Callable[[], bool]
    run: StudyRun | None = None
    needs: "Job | None" = None
    tries: int = 0
    failed: bool = False


def make_jobs(
    place: StudyDir,
    study: StudyDefinition,
    runs: Iterable[StudyRun],
    label_keys: Mapping[str, str],
) -> list[Job]:
    """The jobs of some runs; those of labels stand before the first run that needs them.

    Args:
      place: The directory of the study.
      study: The study.
      runs: The runs.
      label_keys: See `inspection.inspect`.
    """
    labels: dict[str, Job] = {}
    jobs: list[Job] = []
    for run in runs:
        key = label_keys.get(run.name)
        if key is not None and key not in labels:
            labels[key] = _labels_job(place, run, key)
            jobs.append(labels[key])
        jobs.append(_run_job(place, study, run, None if key is None else labels[key]))
    return [job for job in jobs if job.run is not None or not job.is_done()]


def _labels_job(place: StudyDir, run: StudyRun, key: str) -> Job:
    folder = place.labels(key)
    manifest = os.path.join(folder, "manifest.json")
    bindings = (*run.bindings, f"infer_labels.backbone_dir = {place.backbones!r}")
    arguments = ("label", *_config(place, run, bindings), "--label_dir", folder)
    return Job(f"labels-{key}", arguments, lambda: os.path.exists(manifest))


def _run_job(place: StudyDir, study: StudyDefinition, run: StudyRun, labels: Job | None) -> Job:
    bindings = run.bindings
    if labels is not None:
        folder = place.labels(labels.name.removeprefix("labels-"))
        bindings += (
            f"infer_labels.backbone_dir = {place.backbones!r}",
            f"infer_labels.label_dir = {folder!r}",
        )
    arguments = (
        "train",
        "--model_dir", place.run_dir(run.name),
        *_config(place, run, bindings),
        "--num_eval_averaging_runs", str(study.averaging_runs),
        "--eval_every_steps", str(study.eval_every_steps),
        *([] if run.variant.stop is None else ["--stop_step", str(run.variant.stop)]),
    )  # fmt: skip
    return Job(
        run.name,
        arguments,
        lambda: place.record(run, is_held=False).state in records.SETTLED,
        run,
        labels,
    )


def _config(place: StudyDir, run: StudyRun, bindings: Sequence[str]) -> list[str]:
    given = ["--gin_config", place.config(run.variant.name)]
    return [*given, *(part for binding in bindings for part in ("--gin_bindings", binding))]
