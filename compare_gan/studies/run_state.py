"""The record of a run, read from its directory, its lock and the journal."""

import os
import statistics
import time
from collections.abc import Iterable, Sequence
from typing import Any

from compare_gan.evaluation.results import ResultRow
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.studies import records
from compare_gan.studies.definition import StudyRun, Variant
from compare_gan.studies.journal import Attempt
from compare_gan.studies.records import RunRecord
from compare_gan.training.diverged_file import DivergedFile
from compare_gan.training.summaries import read_log


def read_record(
    run: StudyRun, model_dir: str, attempts: Sequence[Attempt] = (), is_held: bool = False
) -> RunRecord:
    """The record of a run.

    Args:
      run: The run.
      model_dir: Its directory, which need not exist.
      attempts: The attempts at it, oldest first.
      is_held: Whether a process works on it.

    Raises:
      UserError: A newer version of this library wrote a file.

    Example:
      >>> from compare_gan.studies import define
      >>> from compare_gan.studies.run_state import read_record
      >>> [run] = define(base="supervised_fashion_mnist").runs
      >>> read_record(run, "runs/new").state
      'waiting'
    """
    rows = tuple(sorted(ResultsFile(os.path.join(model_dir, "results.jsonl")).read(), key=_step_of))
    log = read_log(os.path.join(model_dir, "log.jsonl"))
    rates = [row["images_per_second"] for row in log if row.get("images_per_second")]
    step = max((row["step"] for row in log), default=None)
    variant = run.variant
    return RunRecord(
        name=run.name,
        variant=variant.name,
        axes=variant.axes,
        seed=run.seed,
        state=_state(variant, model_dir, rows, attempts, is_held),
        step=step,
        steps=variant.steps,
        rows=rows,
        wall_seconds=_sum(_wall_seconds(attempts, is_held)),
        cpu_seconds=_sum(attempt.cpu_seconds for attempt in attempts),
        gpu_seconds=_sum(attempt.gpu_seconds for attempt in attempts),
        images_per_second=statistics.median(rates) if rates else None,
        images_seen=(step or 0) * variant.images_per_step or None,
        attempts=len(attempts),
        code_version=attempts[-1].code_version if attempts else None,
        model_dir=model_dir,
        chosen_by=variant.chosen_by,
        stop=variant.stop,
        pruning=variant.pruning,
    )


def _state(
    variant: Variant,
    model_dir: str,
    rows: Sequence[ResultRow],
    attempts: Sequence[Attempt],
    is_held: bool,
) -> str:
    if is_held:
        return records.RUNNING
    if DivergedFile(os.path.join(model_dir, "DIVERGED")).exists:
        return records.DIVERGED
    if any(_is_complete(row, variant, variant.steps) for row in rows):
        return records.FINISHED
    if variant.pruning is not None:
        return records.PRUNED
    if variant.stop is not None and any(_is_complete(row, variant, variant.stop) for row in rows):
        return records.PAUSED
    if attempts and attempts[-1].status == records.PAUSED:
        return records.WAITING  # The comparison has not ended it: it is to go on.
    if attempts and attempts[-1].status == records.FAILED:
        return records.FAILED
    if attempts or os.path.isdir(model_dir):
        return records.INTERRUPTED
    return records.WAITING


def _is_complete(row: ResultRow, variant: Variant, step: int) -> bool:
    """Whether a row has the scores of this step that the study asks for."""
    if row.step != step:
        return False
    if protocol := variant.values.get("evaluation.protocol"):
        return row.protocol_name == protocol
    asked = variant.values.get("evaluation.metrics", ())
    return set(row.metrics) >= {name for name in asked if not name.startswith("@")}


def _step_of(row: ResultRow) -> int:
    return -1 if row.step is None else row.step


def _wall_seconds(attempts: Sequence[Attempt], is_held: bool) -> list[float | None]:
    seconds: list[float | None] = [attempt.wall_seconds for attempt in attempts]
    if attempts and is_held and attempts[-1].status is None:
        seconds[-1] = time.time() - attempts[-1].started
    return seconds


def _sum(values: Iterable[Any]) -> float | None:
    """The sum; None if there is nothing to add or a value is not known."""
    values = list(values)
    return None if not values or None in values else sum(values)
