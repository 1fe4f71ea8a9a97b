"""The few-labels benchmark: jobs are done once, and results become those of a study."""

import collections
import contextlib
import glob
import json
import logging
import pathlib
import statistics
import sys

import pytest
from click.testing import CliRunner

from compare_gan import main as command_line
from compare_gan.studies.summary import scores_by_seed

_FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks" / "few_labels"
# The rows of the table, in the order of `as_study.ROWS`.
_ROW_NAMES = (
    "supervised", "S²GAN", "S³GAN", "S²GAN-CO", "S³GAN-CO", "clustering",
    "clustering + self-supervision", "single label", "single label + self-supervision",
    "random label", "SSGAN, unconditional",
)  # fmt: skip
_TINY = (
    "dataset.fake = True",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 16",
    "options.z_dim = 4",
    "backbone.width = 4",
    "backbone.units = [1]",
    "infer_labels.layer = 'block1'",
    "infer_labels.num_clusters = 3",
    "pretext.training_steps = 2",
    "pretext.batch_size = 4",
)


@pytest.fixture(name="modules")
def _modules(monkeypatch):
    """The programs, with their commands run in this process."""
    monkeypatch.syspath_prepend(str(_FOLDER))
    import accuracy
    import as_study
    import jobs

    for name in ("accuracy", "as_study", "jobs"):
        monkeypatch.delitem(sys.modules, name)
    return accuracy, as_study, jobs


@pytest.fixture(name="started")
def _started(modules, monkeypatch, tmp_path):
    """The commands that were run, as `(command, row)`, and the manifest that `label` found."""
    *_, jobs = modules
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("compare_gan.training.pictures._COLUMNS", 2)
    monkeypatch.setattr("compare_gan.labels.classifier._ITERATIONS", 2)
    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)
    started = []

    def compare_gan(command, config, bindings, *more):
        there = glob.glob(f"{more[1]}/manifest.json")
        started.append((command, config.removesuffix("_fashion_mnist.gin"), *there))
        given = [part for binding in bindings for part in ("--gin_bindings", binding)]
        with contextlib.redirect_stdout(sys.stderr):
            command_line.main([command, "--gin_config", str(jobs.CONFIGS / config), *given, *more])
        return 0

    monkeypatch.setattr(jobs, "compare_gan", compare_gan)
    yield started
    logger.handlers, logger.level, logger.propagate = before


def _call(module, tmp_path, *more, status=0) -> str:
    bindings = [part for binding in _TINY for part in ("--gin_bindings", binding)]
    paths = ("--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results.jsonl"))
    result = CliRunner().invoke(module.main, [*paths, *bindings, *more], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.stdout


def _lines(tmp_path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]


def _cells(table: str, *start: str) -> list[str]:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    [row] = [row for row in rows if row[: len(start)] == list(start)]
    return row[len(start) :]


def test_processes_share_the_work(modules, tmp_path, monkeypatch):
    *_, jobs = modules
    named = [(name, {"name": name}) for name in "abc"]
    results = jobs.Results(str(tmp_path / "results.jsonl"))
    one, other = (jobs.pending(named, str(tmp_path), results) for _ in range(2))
    order = [next(one), next(other)]
    results.add({"name": "a"}, {})
    order.append(next(one))
    assert order == [0, 1, 2]
    results.add({"name": "b"}, {})
    # The last job is locked by another process: it is waited for, and done here if that process
    # ends without a result.
    monkeypatch.setattr(jobs.time, "sleep", lambda seconds: one.close())
    assert next(other) == 2
    results.add({"name": "c"}, {})
    assert list(other) == []


@pytest.mark.slow
def test_the_accuracy_of_inferred_labels(modules, started, tmp_path, monkeypatch):
    accuracy, *_ = modules
    few = {"raw": "raw pixels", "self_supervised": "self-supervised"}
    monkeypatch.setattr(accuracy, "FEATURES", few)
    tiny = ("--dataset", "fashion_mnist_10k", "--fractions", "0.1", "--fractions", "0.2")
    tiny = (*tiny, "--draws", "1")
    table = _call(accuracy, tmp_path, *tiny)
    assert len(started) == 4
    accuracies = [f"{100 * line['accuracy']:.1f}" for line in _lines(tmp_path)]
    assert [*_cells(table, "10 %"), *_cells(table, "20 %")] == accuracies
    # Rotations are learned once for all fractions.
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"backbones", "locks"}
    assert len(list((tmp_path / "runs" / "backbones").glob("*.npz"))) == 1
    started.clear()
    assert _call(accuracy, tmp_path, *tiny) == table and not started


@pytest.mark.parametrize("data", ["fashion_mnist", "imagenet128"])
def test_every_row_has_a_config(modules, data):
    _, as_study, jobs = modules
    names = {path.stem.removesuffix(f"_{data}") for path in jobs.CONFIGS.glob(f"*_{data}.gin")}
    assert names == set(as_study.ROWS)


def test_the_results_become_a_study_with_the_scores_of_the_table(modules, tmp_path):
    _, as_study, _ = modules
    records = as_study.convert(str(tmp_path / "study")).records()
    assert len(records) == 57 and {record.state for record in records} == {"finished"}
    table = (_FOLDER / "README.md").read_text()
    by_variant = collections.defaultdict(list)
    for record in records:
        by_variant[tuple(record.axes.values())].append(record)
    rows = dict(zip(as_study.ROWS.values(), _ROW_NAMES, strict=True))
    for (row, labels), runs in by_variant.items():
        assert sorted(run.seed for run in runs) == [1, 2, 3]
        fraction = labels.replace("%", " %") if labels.endswith("%") else ""
        fids = list(scores_by_seed(runs, "fid_fashion_cnn").values())
        spread = f"{statistics.mean(fids):.2f} ± {statistics.stdev(fids):.2f}"
        [fid, _, _, right, minutes, _] = _cells(table, rows[row], fraction)
        assert fid == spread
        known = [run.wall_seconds / 60 for run in runs if run.wall_seconds is not None]
        assert float(minutes.split(" ± ")[0]) == pytest.approx(statistics.mean(known), abs=0.05)
        if right != "–":
            accuracies = [100 * run.rows[-1].training_labels["hidden_accuracy"] for run in runs]
            assert float(right.split(" ± ")[0]) == pytest.approx(
                statistics.mean(accuracies), abs=0.05
            )
    [version] = {record.code_version for record in records if record.name == "S2GAN-labels=5-seed1"}
    assert version == "4.0.0.dev0+86f9cf66d0"
    provenance = records[0].rows[-1].provenance
    assert (provenance.num_fake, provenance.weights) == (10_000, "ema")
    assert records[0].images_seen and records[0].step == 1500
    result = CliRunner().invoke(as_study.main, [str(tmp_path / "study")])
    assert result.exit_code == 1 and "exists already" in result.output
