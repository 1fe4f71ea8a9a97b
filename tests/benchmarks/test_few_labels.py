"""The few-labels benchmark: finished jobs are not repeated, and results appear in the table."""

import contextlib
import glob
import json
import logging
import pathlib
import sys

import pytest
from click.testing import CliRunner

from compare_gan import main as command_line

_FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks" / "few_labels"
_TINY = (
    "dataset.fake = True",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 16",
    "options.z_dim = 4",
    "evaluation.num_real = 20",
    "backbone.width = 4",
    "backbone.units = [1]",
    "infer_labels.layer = 'block1'",
    "infer_labels.num_clusters = 3",
    "pretext.training_steps = 2",
    "pretext.batch_size = 4",
)


@pytest.fixture(name="modules")
def _modules(monkeypatch):
    """The two programs, with their commands run in this process."""
    monkeypatch.syspath_prepend(str(_FOLDER))
    import accuracy
    import jobs
    import run

    for name in ("accuracy", "jobs", "run"):
        monkeypatch.delitem(sys.modules, name)
    return accuracy, jobs, run


@pytest.fixture(name="started")
def _started(modules, monkeypatch, tmp_path):
    """The commands that were run, as `(command, row)`, and the manifest that `label` found."""
    _, jobs, _ = modules
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


def test_runs_share_labels_and_are_done_once(modules, started, tmp_path):
    *_, run = modules
    chosen = ("--rows", "s2gan", "--rows", "s3gan", "--fractions", "0.1", "--num_fake", "20")
    tiny = (*chosen, "--steps", "2", "--seeds", "1")
    table = _call(run, tmp_path, *tiny)
    [labels] = (tmp_path / "runs" / "labels").iterdir()
    assert started == [
        ("label", "s2gan"),
        ("train", "s2gan"),
        ("label", "s3gan", str(labels / "manifest.json")),
        ("train", "s3gan"),
    ]
    first, second = _lines(tmp_path)
    assert first["key"].items() >= {"row": "s2gan", "fraction": 0.1, "seed": 1, "steps": 2}.items()
    assert first["labels"] == second["labels"] and 0 <= first["labels"]["accuracy"] <= 1
    assert first["minutes"] is not None and first["protocol"]["num_fake"] == 20
    cells = _cells(table, "S²GAN", "10 %")
    assert cells[0] == f"{first['scores']['fid_fashion_cnn']:.2f}" and cells[-1] == "1 of 1"
    assert "2 of 2 runs" in table
    # Only grids, labels and their networks remain.
    names = {path.name for path in (tmp_path / "runs").iterdir()}
    assert names == {"labels", "grids", "backbones", "locks"}
    assert len(list((tmp_path / "runs" / "grids").iterdir())) == 2

    # Nothing is left to do; another seed is run alone, with its own network.
    started.clear()
    assert _call(run, tmp_path, *tiny) == table and not started
    assert "2 of 4 runs" in _call(run, tmp_path, *chosen, "--steps", "2", "--seeds", "2", "--table")
    assert not started
    # Other settings mean other runs, whose lines do not appear in this table.
    other = _call(run, tmp_path, *chosen, "--steps", "3", "--seeds", "1", "--table")
    assert "0 of 2 runs" in other and "2 more lines are of other settings" in other


def test_processes_share_the_work(modules, tmp_path, monkeypatch):
    _, jobs, _ = modules
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


def test_a_killed_run_resumes(modules, started, tmp_path, monkeypatch):
    _, jobs, run = modules
    tiny = ("--rows", "single_label", "--steps", "2", "--seeds", "1", "--num_fake", "20")
    save = jobs.Results.add

    def killed(self, key, values):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.Results, "add", killed)
    _call(run, tmp_path, *tiny, status=1)
    monkeypatch.setattr(jobs.Results, "add", save)
    [model_dir] = (tmp_path / "runs").glob("single_label_seed1_*")
    before = (model_dir / "results.jsonl").read_text()
    # The beginning of a line, as left by a kill during writing.
    (tmp_path / "results.jsonl").write_text('{"key": {"row": "sing')
    table = _call(run, tmp_path, *tiny, "--keep")
    assert (
        model_dir / "results.jsonl"
    ).read_text() == before  # It is neither trained nor scored again.
    [line] = _lines(tmp_path)
    assert line["minutes"] is None
    # One class: no class agreement.
    assert _cells(table, "single label", "")[2:] == ["–", "–", "–", "1 of 1"]


def test_a_run_that_diverged_has_a_line(modules, started, tmp_path):
    *_, run = modules
    tiny = ("--rows", "single_label", "--steps", "2", "--seeds", "1", "--num_fake", "20")
    settings = run.Settings(str(tmp_path / "runs"), 2, 20, 1, _TINY)
    [job] = run.make_jobs(settings, ["single_label"], [], 1)
    # As left by a kill between the end of training and the writing of the line.
    (tmp_path / "runs" / job.name).mkdir(parents=True)
    (tmp_path / "runs" / job.name / "DIVERGED").write_text('{"step": 1, "terms": ["loss"]}')
    table = _call(run, tmp_path, *tiny)
    assert not started and _cells(table, "single label")[-1] == "1 of 1, 1 diverged"


def test_the_table_shows_means_over_seeds(modules, tmp_path):
    _, jobs, run = modules
    settings = run.Settings(str(tmp_path), 5, 20, 1, ())
    all_jobs = run.make_jobs(settings, ["supervised", "s2gan_co"], [0.05, 0.2], 3)
    names = [(job.row, job.fraction, job.seed) for job in all_jobs]
    assert names[:4] == [
        ("supervised", None, 1),
        ("s2gan_co", 0.05, 1),
        ("s2gan_co", 0.2, 1),
        ("supervised", None, 2),
    ]
    assert len({json.dumps(job.key) for job in all_jobs}) == len(all_jobs) == 9
    results = jobs.Results(str(tmp_path / "results.jsonl"))
    for job, fid in zip(all_jobs[:4], (1.0, 5.0, 6.0, 2.0), strict=True):
        about = {"minutes": 3.0, "code_version": "1"}
        results.add(job.key, {"scores": {"fid_fashion_cnn": fid}, **about})
    results.add(all_jobs[4].key, {"diverged": True, **about})
    table = run.table(all_jobs, results)
    # The deviation of 1 and 2, ddof 1, is √½.
    assert _cells(table, "supervised", "")[0] == "1.50 ± 0.71"
    assert _cells(table, "supervised", "")[-1] == "2 of 3"
    assert _cells(table, "S²GAN-CO", "5 %")[0] == "5.00"
    assert _cells(table, "S²GAN-CO", "5 %")[-1] == "2 of 3, 1 diverged"
    assert "5 of 9 runs" in table


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
    *_, jobs, run = modules
    names = {path.stem.removesuffix(f"_{data}") for path in jobs.CONFIGS.glob(f"*_{data}.gin")}
    assert names == set(run.ROWS)
