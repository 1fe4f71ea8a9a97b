"""`compare_gan report` and `compare --page`: what they write, when, and what they refuse."""

import json
import os
import re

import html5lib
import numpy as np
import pytest
import synthetic_study

from compare_gan import files
from compare_gan.evaluation import Score
from compare_gan.evaluation.results import ResultRow
from compare_gan.plots import grids
from compare_gan.report import writing
from compare_gan.studies import StudyDir, define


def _scores(folder, fid, step=10, **provenance):
    stated = synthetic_study.provenance(**provenance)
    row = ResultRow(step, {"fid_fashion_cnn": Score(fid, 0.1)}, stated, ("fid",))
    files.write_text(os.path.join(folder, "results.jsonl"), row.to_json() + "\n")


@pytest.fixture(name="study")
def _study(tmp_path):
    """A study of two runs, none of which has begun."""
    place = StudyDir(tmp_path / "study")
    place.update(
        define(base="supervised_fashion_mnist", metrics=["fid"], seeds=2, steps=10, title="Seeds")
    )
    return place


@pytest.fixture(name="runs")
def _runs(tmp_path):
    """Directories of two runs, which differ in batch size and score."""
    paths = []
    for name, batch_size in (("first", 8), ("second", 16)):
        path = str(tmp_path / name)
        config = f"options.training_steps = 10\noptions.batch_size = {batch_size}\n"
        files.write_text(os.path.join(path, "config.gin"), config)
        lines = [{"step": step, "loss/generator": step / batch_size} for step in (5, 10)]
        files.write_text(os.path.join(path, "log.jsonl"), "\n".join(map(json.dumps, lines)) + "\n")
        _scores(path, float(batch_size))
        picture = grids.image_grid(np.full((4, 28, 28, 1), batch_size, np.uint8), 2)
        grids.save_png(picture, os.path.join(path, "samples.png"))
        paths.append(path)
    return paths


def test_a_study_directory(run_command, study):
    status, out, err = run_command("report", study.path)
    page = study.file("report.html")
    assert (status, out, err) == (0, f"{page}\n", "")
    text = files.read_text(page)
    html5lib.HTMLParser(strict=True).parse(text)
    assert "<h1>Seeds</h1>" in text and "No run of the study has been evaluated yet." in text


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("missing",), "There is no directory '{missing}'."),
        (("file",), "'{file}' is a file: name the directory of a run or a study."),
        (("empty",), "'{empty}' is not a run directory: it has no config.gin."),
        (("missing", "--watch"), "There is no directory '{missing}'."),
        (("empty", "--output", "empty"), "'{empty}' is a folder: name a file."),
    ],
)
def test_mistakes_are_one_sentence(run_command, tmp_path, arguments, message):
    paths = {name: str(tmp_path / name) for name in ("missing", "file", "empty")}
    os.mkdir(paths["empty"])
    files.write_text(paths["file"], "")
    status, out, err = run_command("report", *(paths.get(each, each) for each in arguments))
    assert (status, out, err) == (2, "", f"Error: {message.format(**paths)}\n")
    assert os.listdir(paths["empty"]) == []


def test_watching_writes_when_something_has_changed_until_all_runs_have_ended(study):
    waits = []
    changes = iter(
        [
            lambda: None,
            lambda: _scores(study.run_dir("run-seed1"), 12.5),
            lambda: files.write_text(os.path.join(study.run_dir("run-seed2"), "x.tmp"), ""),
            lambda: files.write_text(study.file("study.json"), "damaged"),
            lambda: study.update(study_before),
            lambda: _scores(study.run_dir("run-seed2"), 14.5),
        ]
    )
    study_before = study.definition()

    def sleep(seconds):
        waits.append(seconds)
        next(changes)()

    written = writing.watch(study.path, sleep=sleep)
    page = next(written)
    assert "12.5" not in files.read_text(page)
    assert next(written) == page and len(waits) == 2
    assert "12.50" in files.read_text(page)
    assert next(written) == page and len(waits) == 5  # The damage cost nothing but a warning.
    assert next(written) == page and len(waits) == 6
    assert re.search(r'data-key="13.5"', files.read_text(page))
    assert list(written) == [] and len(waits) == 6
    assert min(waits) >= 2


def test_an_interrupted_watch_says_what_there_is(run_command, study, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing.watch, "__defaults__", (None, (), 2.0, interrupt))
    status, out, err = run_command("report", study.path, "--watch")
    page = study.file("report.html")
    assert (status, out) == (130, f"{page}\n")
    assert err.strip() == f"Interrupted: '{page}' shows what there was."


def test_comparison_of_two_runs(run_command, runs, tmp_path):
    page = tmp_path / "page.html"
    status, out, _ = run_command("compare", *runs, "--page", page)
    assert status == 0 and out == run_command("compare", *runs)[1] + f"{page}\n"
    text = files.read_text(str(page))
    html5lib.HTMLParser(strict=True).parse(text)
    assert "<h1>first and second</h1>" in text
    values = re.findall(r'data-key="([^"]*)"', text)
    score = values.index("fid_fashion_cnn")
    assert values[score : score + 4] == ["fid_fashion_cnn", "8.0", "16.0", "8.0"]
    parameter = values.index("options.batch_size")
    assert values[parameter : parameter + 3] == ["options.batch_size", "8", "16"]
    assert "options.training_steps" not in text
    assert text.count("<img") == 2 and text.count("<svg") == 1
    assert "measured differently" not in text


def test_scores_that_cannot_be_compared_have_no_difference(run_command, runs, tmp_path):
    _scores(runs[1], 16.0, num_fake=5)
    run_command("compare", *runs, "--page", tmp_path / "page.html")
    text = files.read_text(str(tmp_path / "page.html"))
    assert "measured differently and cannot be compared: num_fake" in text
    assert "difference</button>" not in text and "Provenance that differs" in text


def test_a_page_compares_two_runs_at_least(run_command, runs, tmp_path):
    message = "Error: A page compares at least two runs, received 1.\n"
    for chosen in (runs[:1], [runs[0], runs[0] + os.sep]):
        assert run_command("compare", *chosen, "--page", tmp_path / "p.html") == (2, "", message)
    assert not (tmp_path / "p.html").exists()
