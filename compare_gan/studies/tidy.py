"""Tidy rows of a study: one for each run, or for each evaluated step of each run."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from compare_gan.evaluation.provenance import Provenance
from compare_gan.evaluation.results import ResultRow
from compare_gan.studies.measurements import final_measurement, measurements, score_names
from compare_gan.studies.records import RunRecord

PROVENANCE = tuple(field.name for field in dataclasses.fields(Provenance))
_AFTER_AXES = ("seed", "state", "step", "steps")
_COSTS = (
    "wall_seconds", "cpu_seconds", "gpu_seconds", "images_per_second", "images_seen", "attempts",
    "code_version", "model_dir",
)  # fmt: skip
_OF_ROW = ("protocol", "rollbacks", "training_labels", "notes")
_OF_STEP = ("is_final", "training_seconds")
_PRUNING = ("pruned_at_step", "pruned_value")
_NUMBERS = {*_PRUNING, "seed", "step", "steps", "rollbacks", "training_seconds", *_COSTS[:6]}
_FIXED = {"run", "variant", "chosen_by", *_PRUNING, *_AFTER_AXES, *_COSTS, *_OF_ROW, *_OF_STEP}


def run_rows(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """A row for each run; see `StudyTable.rows`.

    Example:
      >>> from compare_gan.studies.tidy import run_rows
      >>> run_rows([])
      []
    """
    make = _Columns(records)
    return [
        make.identity(run)
        | make.scores(final_measurement(run))
        | {name: getattr(run, name) for name in _COSTS}
        | _facts(final_measurement(run))
        for run in records
    ]


def step_rows(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """A row for each evaluated step of each run; see `StudyTable.step_rows`.

    Example:
      >>> from compare_gan.studies.tidy import step_rows
      >>> step_rows([])
      []
    """
    make = _Columns(records)
    return [
        make.identity(run) | {"step": step} | make.scores(rows) | _progress(run, step)
        for run in records
        for step, rows in measurements(run).items()
    ]


def numbers(records: Sequence[RunRecord]) -> set[str]:
    """Names of the columns that hold numbers, if they hold anything.

    Example:
      >>> from compare_gan.studies.tidy import numbers
      >>> "wall_seconds" in numbers([])
      True
    """
    names = {name for run in records for row in run.rows for name in row.scores}
    return {*_NUMBERS, *names, *(f"{name}_std_over_sets" for name in names)}


class _Columns:
    """The columns that depend on the study: its axes and scores."""

    def __init__(self, records: Sequence[RunRecord]):
        self._scores = score_names(records)
        rows = [row for run in records for row in run.rows]
        self._over_sets = {
            name for row in rows if len(row.provenance.seeds) > 1 for name in row.scores
        }
        self._accompanying = {
            name: dict.fromkeys(suffix for row in rows for suffix in row.accompanying(name))
            for name in self._scores
        }
        axes = dict.fromkeys(axis for run in records for axis in run.axes)
        self._is_searched = any(run.chosen_by for run in records)
        self._is_pruned = any(run.pruning for run in records)
        taken = {*_FIXED, *self._scores}
        self._axes = {axis: f"axis.{axis}" if axis in taken else axis for axis in axes}

    def identity(self, run: RunRecord) -> dict[str, Any]:
        searched = {"chosen_by": run.chosen_by} if self._is_searched else {}
        labels = {column: run.axes.get(axis) for axis, column in self._axes.items()}
        after = {name: getattr(run, name) for name in _AFTER_AXES}
        if self._is_pruned:
            decision = run.pruning
            values = (decision.step, decision.value) if decision else (None, None)
            after |= dict(zip(_PRUNING, values, strict=True))
        return {"run": run.name, "variant": run.variant} | searched | labels | after

    def scores(self, rows: Mapping[str, ResultRow]) -> dict[str, float | None]:
        cells: dict[str, float | None] = {}
        for name in self._scores:
            row = rows.get(name)
            score = row.scores[name] if row else None
            cells[name] = score.mean if score else None
            if name in self._over_sets:
                cells[f"{name}_std_over_sets"] = score.std if score else None
            values = row.accompanying(name) if row else {}
            cells |= {f"{name}_{suffix}": values.get(suffix) for suffix in self._accompanying[name]}
        return cells


def _facts(rows: Mapping[str, ResultRow]) -> dict[str, Any]:
    """What the rows of a run's scores state; a field in which they differ has all its values."""
    distinct = list({id(row): row for row in rows.values()}.values())
    facts: dict[str, list[Any]] = {
        "protocol": [row.protocol_name or None for row in distinct],
        "rollbacks": [row.rollbacks for row in distinct],
        "training_labels": [row.training_labels for row in distinct],
        "notes": [" ".join(row.notes) or None for row in distinct],
    }
    for field in PROVENANCE:
        facts[f"provenance.{field}"] = [getattr(row.provenance, field) for row in distinct]
    return {name: _one_cell(values) for name, values in facts.items()}


def _one_cell(values: Sequence[Any]) -> Any:
    cells = [
        json.dumps(value) if isinstance(value, (Mapping, list, tuple)) else value
        for value in values
    ]
    different = list(dict.fromkeys(cells))
    return different[0] if len(different) == 1 else "; ".join(map(str, different)) or None


def _progress(run: RunRecord, step: int) -> dict[str, Any]:
    images = None
    if run.images_seen is not None and run.step:
        images = round(run.images_seen * step / run.step)
    speed = run.images_per_second
    return {
        "is_final": step == run.steps and bool(final_measurement(run)),
        "images_seen": images,
        "training_seconds": images / speed if images is not None and speed else None,
    }
