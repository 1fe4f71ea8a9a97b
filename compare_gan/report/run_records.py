"""What the text files of a run directory record: state, scores, courses, times."""

import dataclasses
import math
import os
import statistics
from collections.abc import Mapping, Sequence

from compare_gan.engine import step_of
from compare_gan.evaluation.results import ResultRow
from compare_gan.report.absent import AbsentError
from compare_gan.report.run_config import config_values
from compare_gan.training.monitors.monitors import read as read_monitors
from compare_gan.training.run_dir import RunDir
from compare_gan.training.summaries import read_log
from compare_gan.training.trainings_file import Training

MOST_POINTS = 500  # Of a course.


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """A run in short.

    Attributes:
      name: Name of the directory and of the one around it.
      state: `not started`, `training`, `interrupted`, `finished` or `diverged`.
      step: Number of finished steps; None if no step is recorded.
      steps: Number of steps of the whole training; None if the config does not show it.
      dataset: Name of the data set; None if it is not known.
      image_shape: [H, W, C], or None.
      num_classes: Number of classes; None without labels.
      class_names: Names of the classes, or None.
      divergence: Step and values of the divergence that ended the run, in words; or None.
      rollbacks: How often training went back to a checkpoint after a divergence.
      images_seen: Real images that the discriminator has seen; None if it is not known.
      images_per_second: Median over the log; None without a log.
    """

    name: str
    state: str
    step: int | None = None
    steps: int | None = None
    dataset: str | None = None
    image_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None
    class_names: Sequence[str] | None = None
    divergence: str | None = None
    rollbacks: int = 0
    images_seen: int | None = None
    images_per_second: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores of a run.

    Attributes:
      rows: All result rows, in the order of their steps.
      headline: The row of the last training step, or of the newest scored one if that is not scored
        yet; of several, the one with the most scores.
      is_final: Whether the headline is of the last training step.
    """

    rows: Sequence[ResultRow]
    headline: ResultRow
    is_final: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Courses:
    """Values over the steps.

    Attributes:
      steps: The steps.
      values: For each name, a value at each step; None where it is missing or not finite.
    """

    steps: Sequence[int]
    values: Mapping[str, Sequence[float | None]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EarlyWarning:
    """An early warning.

    Attributes:
      monitor: Name of the rule.
      seen: What was seen, in words.
      advice: A line of gin that usually helps.
      since: Step of the sample grid at which it began.
      until: Step of the last grid at which it was given.
      lasts: Whether it was given at the last grid of the run.
    """

    monitor: str
    seen: str
    advice: str
    since: int
    until: int
    lasts: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Monitoring:
    """Values of monitors, and the early warnings."""

    courses: Courses
    warnings: Sequence[EarlyWarning]


def summarize(run: RunDir) -> Summary:
    """The run in short, as far as its files show it."""
    values = config_values(run)
    steps = _number(values.get("options.training_steps"))
    batch = _number(values.get("options.batch_size"))
    disc_iters = _number(values.get("options.disc_iters", "1"))
    log = read_log(run.log)
    checkpoints = run.list_checkpoints()
    reached = [row["step"] for row in log[-1:]] + [step_of(path) for path in checkpoints[-1:]]
    step = max(reached, default=None)
    description = run.description
    shown = {} if description is None else dataclasses.asdict(description)
    speeds = [row["images_per_second"] for row in log if row.get("images_per_second")]
    return Summary(
        name=_name(run.path),
        state=_state(run, step, steps),
        step=step,
        steps=steps,
        **{
            name: shown.get(name)
            for name in ("dataset", "image_shape", "num_classes", "class_names")
        },
        divergence=run.divergence,
        rollbacks=len(run.rollbacks.read()),
        images_seen=_product(step, disc_iters, batch),
        images_per_second=statistics.median(speeds) if speeds else None,
    )


def _product(*factors: int | None) -> int | None:
    """The product; None if a factor is not known."""
    known = [each for each in factors if each is not None]
    return math.prod(known) if len(known) == len(factors) else None


def _name(path: str) -> str:
    """The name of a run with that of the folder around it: `seeds/3` says more than `3`."""
    path = os.path.abspath(path)
    return "/".join(filter(None, (os.path.basename(os.path.dirname(path)), os.path.basename(path))))


def _state(run: RunDir, step: int | None, steps: int | None) -> str:
    if run.diverged:
        return "diverged"
    if run.lock.seems_held:
        return "training"
    if step is None:
        return "not started"
    return "finished" if steps is not None and step >= steps else "interrupted"


def read_scores(run: RunDir, steps: int | None) -> Scores:
    """The scores of a run.

    Args:
      run: The run.
      steps: Number of steps of the whole training, or None.

    Raises:
      AbsentError: No checkpoint has been scored.
    """
    rows = sorted(run.results().read(), key=lambda row: -1 if row.step is None else row.step)
    if not rows:
        raise AbsentError("No checkpoint has been scored: `compare_gan eval` does that.")
    final = [row for row in rows if steps is not None and row.step == steps]
    newest = final or [row for row in rows if row.step == rows[-1].step]
    # Of several rows, the last with the most scores: a metric may have been added by itself.
    headline = max(reversed(newest), key=lambda row: len(row.scores))
    return Scores(rows=rows, headline=headline, is_final=bool(final))


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def read_courses(run: RunDir) -> Courses:
    """The values of `log.jsonl`, thinned to at most `MOST_POINTS` steps.

    Raises:
      AbsentError: There are none yet.
    """
    rows = read_log(run.log)
    if not rows:
        raise AbsentError("No step is recorded in log.jsonl.")
    return courses_of(rows, [row["step"] for row in rows])


def read_monitoring(run: RunDir) -> Monitoring:
    """The values of monitors, and the early warnings.

    Raises:
      AbsentError: There are none.
    """
    rows = read_monitors(run.file("monitors.jsonl"))
    if not rows:
        raise AbsentError("No sample grid was monitored.")
    steps = [row["step"] for row in rows]
    found: dict[tuple[str, int], EarlyWarning] = {}
    for row in rows:
        for each in row["warnings"]:
            found[each["monitor"], each["since"]] = EarlyWarning(
                monitor=str(each["monitor"]),
                seen=str(each["seen"]),
                advice=str(each.get("advice", "")),
                since=int(each["since"]),
                until=int(row["step"]),
                lasts=row is rows[-1],
            )
    values = [row["values"] for row in rows]
    return Monitoring(courses=courses_of(values, steps), warnings=tuple(found.values()))


def courses_of(rows: Sequence[Mapping[str, object]], steps: Sequence[int]) -> Courses:
    """Courses of the numbers in rows; evenly thinned, with the first and the last row.

    Example:
      >>> from compare_gan.report.run_records import courses_of
      >>> courses_of([{"step": 1, "loss": 0.5}, {"step": 2}], [1, 2]).values
      {'loss': [0.5, None]}
    """
    count = len(rows)
    places = sorted({round(i * (count - 1) / (MOST_POINTS - 1)) for i in range(MOST_POINTS)})
    kept = range(count) if count <= MOST_POINTS else places
    names = dict.fromkeys(name for row in rows for name in row if name != "step")
    return Courses(
        steps=[steps[i] for i in kept],
        values={
            name: [
                float(value) if isinstance(value := rows[i].get(name), (int, float)) else None
                for i in kept
            ]
            for name in names
        },
    )


def read_trainings(run: RunDir) -> Sequence[Training]:
    """The processes that trained the run.

    Raises:
      AbsentError: They are not recorded.
    """
    trainings = run.trainings.read()
    if not trainings:
        raise AbsentError("Machine and times of this run were not recorded.")
    return trainings
