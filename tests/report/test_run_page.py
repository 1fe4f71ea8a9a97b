"""The page of a run: of a tiny trained one, and of runs that lack parts."""

import dataclasses
import os
import re
import shutil

import eager
import html5lib
import numpy as np
import pytest
import synthetic_study

from compare_gan import files
from compare_gan.evaluation import Score
from compare_gan.report import page as pages
from compare_gan.report import run_config, run_images, run_records
from compare_gan.report.run_data import RunData, collect_run
from compare_gan.report.run_page import page_of, run_page

_ALWAYS = {"scores"}  # Absent where nothing is scored.


@pytest.fixture(name="trained", scope="module")
def _trained(make_trainer, tmp_path_factory):
    """The directory of a run of two steps."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    with eager.eagerly():
        make_trainer(
            path,
            "options.training_steps = 2",
            "run_config.iterations_per_loop = 1",
            "run_config.sample_steps = 1",
            "evaluation.extractor = 'inception'",  # Its weights are not on this machine.
            "S3GAN.augmentations = [@diff_augment(), @ada()]",
            "diff_augment.policy = 'cutout'",
            "ada.policy = 'noise'",
        ).train()
    return str(path)


@pytest.fixture(name="copied")
def _copied(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "tiny")


def _titles(page):
    return [section.title for section in page.sections if section.blocks]


def test_spreads_are_beside_their_scores_and_not_drawn():
    rows = []
    for row in synthetic_study.records(seeds=1)[0].rows:
        scores = {"kid": Score(0.5, 0.1), "kid_standard_error": Score(0.25, 0.0)}
        rows.append(dataclasses.replace(row, scores=row.scores | scores))
    run = RunData(
        summary=run_records.Summary(name="a", state="finished"),
        scores=run_records.Scores(rows=rows, headline=rows[-1], is_final=True),
    )
    page = page_of(run)
    table = page.sections[0].blocks[0]
    assert table.columns == ["score", "mean", "standard deviation", "for comparison"]
    assert [cells[0] for cells in table.rows][-1] == "kid"
    assert [cells[3] for cells in table.rows] == [None, None, "standard error 0.25"]
    assert "kid_standard_error" not in pages.render(page)


def test_scores_of_one_set_of_samples_have_no_deviation():
    rows = [
        dataclasses.replace(row, provenance=dataclasses.replace(row.provenance, seeds=[0]))
        for row in synthetic_study.records(seeds=1)[0].rows
    ]
    run = RunData(
        summary=run_records.Summary(name="a", state="finished"),
        scores=run_records.Scores(rows=rows, headline=rows[-1], is_final=True),
    )
    assert page_of(run).sections[0].blocks[0].columns == ["score", "value"]


def test_a_trained_run_shows_everything_that_it_has(trained):
    run = collect_run(trained)
    assert run.absent.keys() == {*_ALWAYS, "prd"}
    assert "extractor 'inception' are not on this machine" in run.absent["prd"]
    assert run.labels is None  # All are given, which needs no mention.
    assert run.samples.images.shape == (4, 10, 8, 8, 3) and run.samples.step == 2
    assert run.real.images.shape == (4, 5, 8, 8, 3) and run.real.names == run.samples.names
    assert run.augmentations.names == ["as they are", "diff_augment", "ada, p = 0", "all of them"]
    assert run.augmentations.images.shape == (4, 4, 8, 8, 3)
    assert run.evolution.steps == [1, 2] and run.evolution.frames.shape[1:3] == (4, 10)
    assert run.interpolations.images.shape == (8, 10, 8, 8, 3)
    assert (run.neighbours.by, run.neighbours.num_references) == ("pixels", 40)
    assert run.summary.state == "finished" and run.summary.images_seen == 2 * 2 * 8
    [training] = run.trainings
    assert (training.first_step, training.last_step, training.cores > 0) == (0, 2, True)
    assert training.seconds["steps"] >= 0 and training.seconds["pictures"] > 0
    assert sum(training.seconds.values()) <= training.total_seconds + 0.1
    assert run.config.origins == ("--gin_bindings",)
    steps = {each.name: each for each in run.config.parameters}["options.training_steps"]
    assert (steps.value, steps.replaced, steps.place) == ("2", "6", "--gin_bindings")
    assert {"loss/d_loss", "images_per_second"} <= run.courses.values.keys()
    assert _titles(page_of(run)) == [
        "Samples",
        "Real beside fake",
        "What the discriminator sees",
        "Evolution",
        "Interpolations",
        "Nearest training images",
        "Training",
        "Config",
        "Machine and time",
        "Not shown",
    ]


def test_the_page_needs_nothing_from_elsewhere(trained):
    html = pages.render(run_page(trained))
    html5lib.HTMLParser(strict=True).parse(html)
    assert not re.search(r"(src|href)=\"(?!data:|#)", html)
    images = re.findall(r"<img [^>]*>", html)
    assert len(images) > 20 and all(re.search(r'alt="[^"]+"', image) for image in images)


def test_a_module_that_is_not_allowed_is_not_imported(copied, tmp_path, monkeypatch):
    for folder in (tmp_path, os.path.join(copied, "modules", "0")):
        files.write_text(os.path.join(folder, "evil_parts.py"), "raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)  # Where commands find modules, and configs of runs do not.
    monkeypatch.syspath_prepend(tmp_path)
    config = files.read_text(os.path.join(copied, "config.gin"))
    for name in ("config.gin", "configs/0.gin"):
        files.write_text(os.path.join(copied, name), f"import evil_parts\n{config}")
    run = collect_run(copied)
    assert run.absent.keys() == {
        *_ALWAYS, "augmentations", "interpolations", "neighbours", "prd",
    }  # fmt: skip
    assert "'evil_parts' is not installed" in run.absent["neighbours"]
    assert run.samples.step == 2  # The stored grid.
    assert "evil_parts" in run.samples.origin and run.config.imports == ["evil_parts"]
    html = pages.render(page_of(run))
    # One sentence for all that one reason costs.
    parts = "Interpolations, Nearest training images, Precision and recall, What the discriminator"
    assert f"{parts} sees: " in html


def test_data_that_are_not_here_cost_only_what_needs_them(copied):
    path = os.path.join(copied, "config.gin")
    config = files.read_text(path).replace("'synthetic'", "'image_folder'")
    config = re.sub(r"synthetic\.\S+ = .*", "", config)
    config = f"{config}\ndataset.data_dir = '/nowhere'\n"
    for name in ("config.gin", "configs/0.gin"):
        files.write_text(os.path.join(copied, name), config)
    run = collect_run(copied)
    assert run.absent.keys() == {*_ALWAYS, "neighbours", "prd"}
    assert "/nowhere" in run.absent["neighbours"]
    assert run.samples.origin.startswith("Drawn from the checkpoint of step 2")


def test_a_damaged_checkpoint_and_files_cost_what_they_hold(copied):
    shutil.rmtree(os.path.join(copied, "checkpoints"))
    for name in ("log.jsonl", "trainings.json", "monitors.jsonl"):
        with open(os.path.join(copied, name), "w") as file:
            file.write("{")
    run = collect_run(copied)
    assert run.absent.keys() == {
        *_ALWAYS, "courses", "interpolations", "monitoring", "neighbours", "prd", "trainings",
    }  # fmt: skip
    assert "contains no checkpoint" in run.samples.origin
    assert run.summary.state == "not started"


def test_the_barest_run_has_a_page(tmp_path):
    files.write_text(str(tmp_path / "run" / "config.gin"), "options.training_steps = 5\n")
    page = run_page(str(tmp_path / "run"))
    assert _titles(page) == ["Config", "Not shown"]
    assert page.lead == "A GAN. Training has not begun."


def test_names_from_data_are_escaped(tmp_path):
    hostile = "<script>alert(1)</script>\ud800"
    images = np.zeros((1, 2, 8, 8, 1), np.uint8)
    rows = run_images.Rows(images=images, names=[hostile], step=1, origin=hostile)
    config = run_config.Config(
        parameters=[
            run_config.Parameter(name=hostile, value=hostile, default=None, is_default=False)
        ],
        unset={hostile: hostile},
        text=hostile,
    )
    run = RunData(
        summary=run_records.Summary(name=hostile, state="diverged", divergence=hostile),
        samples=rows,
        config=config,
        absent={"scores": hostile},
    )
    path = str(tmp_path / "page.html")
    pages.write(page_of(run), path)
    html = files.read_text(path)
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;?") > 8


def test_a_page_of_large_images_is_small():
    def noisy(*lead, side):
        gray = np.random.default_rng(0).integers(0, 256, (*lead, 8, 8, 3), dtype=np.uint8)
        return gray.repeat(side // 8, -3).repeat(side // 8, -2)

    names = [f"class {i}" for i in range(10)]
    rows = run_images.Rows(images=noisy(10, 10, side=128), names=names, step=5, origin="")
    frames = noisy(24, 6, 1, side=64)
    run = RunData(
        summary=run_records.Summary(name="a", state="finished"),
        samples=rows,
        real=rows,
        interpolations=rows,
        evolution=run_images.Evolution(
            steps=list(range(24)), frames=frames, names=names[:6], available=24
        ),
    )
    assert len(pages.render(page_of(run))) < 5_000_000
