"""Records of runs, made by hand."""

import dataclasses

import pytest

from compare_gan.evaluation.provenance import Provenance
from compare_gan.evaluation.results import ResultRow, Score
from compare_gan.studies import RunRecord

_FIELDS = {field.name: "same" for field in dataclasses.fields(Provenance)}
_PROVENANCE = Provenance(
    **_FIELDS | dict(seeds=[0], num_fake=100, metric_options={}, extractor="inception")
)


def _row(step, scores, notes=(), std=0.0, **provenance):
    scores = {name: Score(value, std) for name, value in scores.items()}
    provenance = dataclasses.replace(_PROVENANCE, **provenance)
    return ResultRow(step, scores, provenance, tuple(scores), notes=notes)


@pytest.fixture(name="result_row", scope="session")
def _result_row():
    """`result_row(step, scores, notes=(), std=0.0, **provenance)`: a result row."""
    return _row


@pytest.fixture(name="run_record", scope="session")
def _run_record():
    """`run_record(axes, seed, fid=None, rows=None, **fields)`: a run of 10 steps.

    It is finished and has this FID at step 10, unless `rows` or `fields` say otherwise.
    """

    def make(axes, seed, fid=None, rows=None, **fields):
        variant = "-".join(axes.values())
        if rows is None:
            rows = [] if fid is None else [_row(10, {"fid": fid})]
        known = dict(
            name=f"{variant}-seed{seed}", variant=variant, axes=axes, seed=seed, steps=10, step=10,
            state="finished", rows=tuple(rows),
        )  # fmt: skip
        return RunRecord(**known | fields)

    return make


@pytest.fixture(name="study")
def _study(run_record):
    """2 losses x 3 seeds; one run of the second loss diverged."""

    def axes(loss):
        return {"loss.fn": loss}

    return [
        run_record(
            axes("hinge"), 1, 10.0, wall_seconds=60.0, cpu_seconds=110.0, gpu_seconds=0.0,
            images_per_second=100.0, images_seen=640, attempts=1, code_version="4.0",
        ),
        run_record(
            axes("hinge"), 2, 12.0, wall_seconds=120.0, cpu_seconds=230.0, gpu_seconds=0.0,
            images_per_second=80.0, images_seen=640, attempts=2, code_version="4.0",
        ),
        run_record(axes("hinge"), 3, 11.0),
        run_record(axes("wasserstein"), 1, 13.0),
        run_record(axes("wasserstein"), 2, 16.0),
        run_record(axes("wasserstein"), 3, state="diverged", step=4, wall_seconds=30.0),
    ]  # fmt: skip
