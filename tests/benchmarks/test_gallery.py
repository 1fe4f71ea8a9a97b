"""The commands of the gallery: its pages, data sets, probe and archives."""

import dataclasses
import json
import os
import pathlib
import sys
import tarfile

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks" / "gallery"))

import icons
import make
import pack
import probe
import self_supervision
import synthetic_study
import turned

from compare_gan import files, folders, report
from compare_gan.datasets.packaged import PATH
from compare_gan.studies import Study, StudyDir, read_study
from compare_gan.studies.records import FAILED, RUNNING


def test_images_are_turned_counterclockwise():
    image = np.arange(4).reshape(1, 2, 2)
    images = turned.turn(np.repeat(image, 4, axis=0), np.arange(4))
    assert images.tolist() == [
        [[0, 1], [2, 3]],
        [[1, 3], [0, 2]],
        [[3, 2], [1, 0]],
        [[2, 0], [3, 1]],
    ]


def test_every_image_is_turned_by_an_angle_of_its_own(tmp_path):
    path = tmp_path / "new" / "turned.npz"
    assert CliRunner().invoke(turned.main, [str(path)]).exit_code == 0
    with np.load(path) as made, np.load(PATH) as original:
        images, upright = made["images"][..., 0], original["images"]
        assert (made["labels"] == original["labels"]).all()
        assert list(made["class_names"]) == list(original["class_names"])
    counts = [
        (np.rot90(upright, k, axes=(1, 2)) == images).all(axis=(1, 2)).sum() for k in range(4)
    ]
    assert sum(counts) >= len(images)  # A symmetric image may count twice.
    assert min(counts) > 2300  # A quarter of 10,000; the standard deviation is 43.


def test_icons_are_taken_once_over_white_by_category(tmp_path, monkeypatch):
    monkeypatch.setattr(icons, "_LEAST", 2)
    theme = tmp_path / "theme"
    for size, names in ((16, ("a",)), (32, ("a", "b")), (64, ("b", "c"))):
        folder = theme / f"{size}x{size}" / "apps"
        folder.mkdir(parents=True)
        for name in names:
            Image.new("RGBA", (size, size), (size, 0, 0, 128)).save(folder / f"{name}.png")
    (folder / "link.png").symlink_to("c.png")
    rare = theme / "32x32" / "rare"
    rare.mkdir()
    Image.new("RGBA", (32, 32)).save(rare / "x.png")
    result = CliRunner().invoke(icons.main, [str(tmp_path / "out"), "--theme", str(theme)])
    assert result.exit_code == 0 and result.output == "apps: 3\n"
    found = folders.find_images(str(tmp_path / "out"))
    assert found.num_classes == 1 and found.class_names == ("apps",)
    for name, red in (("a", 32), ("b", 32), ("c", 64)):
        image = np.asarray(Image.open(tmp_path / "out" / "apps" / f"{name}.png"))
        assert image.shape == (32, 32, 3)
        expected = np.array([red, 0, 0]) * 128 / 255 + 255 * (1 - 128 / 255)
        assert np.abs(image - expected).max() <= 1  # Rounding of the composition.


@pytest.mark.parametrize(("distance", "low", "high"), [(8.0, 0.99, 1.0), (0.0, 0.35, 0.65)])
def test_a_probe_finds_what_is_linear_in_the_features(distance, low, high):
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=500)
    features = rng.normal(size=(500, 3)) + distance * labels[:, None]
    assert low <= probe.probe(features.astype(np.float32), labels, 2) <= high


def test_the_page_on_self_supervision_compares_seeds_at_each_step(tmp_path, monkeypatch):
    definition, records = synthetic_study.define_study(), synthetic_study.records(seeds=3)
    monkeypatch.setattr(StudyDir, "definition", lambda self: definition)
    monkeypatch.setattr(StudyDir, "records", lambda self: records)
    with (tmp_path / "probe.jsonl").open("w") as file:
        for run in records:
            line = {"run": run.name, "step": 500, "accuracy": run.seed / 8}
            file.write(json.dumps(line) + "\n")
    output = tmp_path / "page.html"
    arguments = [str(tmp_path), "--output", str(output)]
    result = CliRunner().invoke(self_supervision.main, arguments, catch_exceptions=False)
    assert result.output == f"{output}\n"
    html = output.read_text()
    assert definition.title in html and "accuracy of the probe: difference to" in html
    fids = self_supervision.scores_of(records, "fid_fashion_cnn")
    assert set(fids["hinge-none"]) == set(range(250, 1501, 250))
    assert "wasserstein-none" not in fids  # All its runs diverged.
    pair = {"hinge-none": fids["hinge-none"], "hinge-layer_norm": fids["hinge-layer_norm"]}
    _, table = self_supervision.differences(pair, "fid", {name: name for name in pair})
    last = table.rows[-1]
    ours, theirs = (pair[name][1500] for name in ("hinge-layer_norm", "hinge-none"))
    expected = np.mean([ours[seed] - theirs[seed] for seed in (1, 2, 3)])
    assert last[:3] == ["hinge-layer_norm", 1500, 3] and last[5] == pytest.approx(expected)
    probes = self_supervision.probes_of(records, tmp_path / "probe.jsonl")
    assert probes["hinge-none"] == {500: {1: 0.125, 2: 0.25, 3: 0.375}}


def test_steps_that_only_some_seeds_have_are_not_drawn():
    values = {"a": {0: {1: 0.5, 2: 0.7}, 70: {1: 0.1}, 100: {1: 0.8, 2: 0.9}}}
    drawn = self_supervision.courses(values, "accuracy")
    assert [row[:2] for row in drawn.rows] == [("a", 0), ("a", 100)]


def test_an_archive_has_the_records_of_ended_runs_without_heavy_files(tmp_path, monkeypatch):
    study = tmp_path / "runs" / "losses"
    ended, running = synthetic_study.records(seeds=2)[:2]
    runs = []
    for record, state in ((ended, ended.state), (running, RUNNING)):
        folder = study / "runs" / record.name
        (folder / "checkpoints" / "step-9").mkdir(parents=True)
        (folder / "modules" / "0" / "samples").mkdir(parents=True)
        for name in (
            "results.jsonl",
            "log.jsonl",
            "samples.png",
            "losses.png",
            "training.lock",
            ".results.lock",
            "checkpoints/step-9/arrays.npz",
            "modules/0/samples/own.py",
        ):
            (folder / name).write_text(name)
        runs.append(dataclasses.replace(record, model_dir=str(folder), state=state))
    (study / "logs").mkdir()
    (study / "shared" / "labels" / "logs").mkdir(parents=True)
    for name in ("study.json", "journal.jsonl", "probe.jsonl", "shared/labels/logs/labels.npz"):
        (study / name).write_text(name)
    (study / "logs" / "run.txt").write_text("Heavy.")
    monkeypatch.setattr(StudyDir, "records", lambda self: runs)
    arguments = [str(study), str(tmp_path / "packed")]
    result = CliRunner().invoke(pack.main, arguments, catch_exceptions=False)
    path = tmp_path / "packed" / "losses.tar.xz"
    assert result.output.startswith(f"{path}: 1 ended runs, ")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    found = (tmp_path / "unpacked").rglob("*")
    run = f"losses/runs/{ended.name}"
    assert {str(each.relative_to(tmp_path / "unpacked")) for each in found if each.is_file()} == {
        *(f"losses/{name}" for name in ("study.json", "journal.jsonl", "probe.jsonl")),
        *(f"{run}/{name}" for name in ("results.jsonl", "log.jsonl", "samples.png")),
        # Only whole paths are left out: other folders may have the names of heavy ones.
        "losses/shared/labels/logs/labels.npz",
        f"{run}/modules/0/samples/own.py",
    }


def test_an_archive_that_cannot_be_completed_leaves_the_old_one(tmp_path, monkeypatch):
    study = tmp_path / "losses"
    study.mkdir()
    (study / "study.json").write_text("study.json")
    monkeypatch.setattr(StudyDir, "records", lambda self: [])
    path = pack.pack(str(study), str(tmp_path / "packed"))
    before = path.read_bytes()
    monkeypatch.setattr(tarfile.TarFile, "addfile", _fail)
    with pytest.raises(OSError, match="No space left"):
        pack.pack(str(study), str(tmp_path / "packed"))
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def _fail(*_):
    raise OSError("No space left on device")


def _make(*arguments):
    return CliRunner().invoke(make.main, [str(each) for each in arguments], catch_exceptions=False)


@pytest.fixture(name="studies")
def _studies(tmp_path, monkeypatch):
    """The studies that were run in an empty working directory; their runs end as `ends` says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(make, "prepare_tensorflow", lambda: None)
    monkeypatch.setattr(report, "write_page", lambda _, path: files.write_text(path, ""))
    made = []

    def run(study, executor, environment):
        made.append((study.place.path, executor.slots))
        assert environment == dict(os.environ)
        return [dataclasses.replace(each, state=run.ends or each.state) for each in study.records()]

    run.ends = None
    monkeypatch.setattr(Study, "run", run)
    return made, run


def test_the_pages_of_the_gallery_and_their_studies_are_known():
    assert {path.stem for path in make._GALLERY.glob("*.html")} <= make.PAGES.keys()
    assert {path.name.split(".")[0] for path in make._RECORDS.iterdir()} <= make.STUDIES.keys()
    for each in make.STUDIES.values():
        bindings = "\n".join(read_study(each.file).bindings)
        assert ("dataset.data_dir" in bindings) == (each.images is not None)
        if each.images:
            assert f"dataset.data_dir = '{each.images.path}'" in bindings
    result = _make()
    assert result.exit_code == 0 and len(result.output.splitlines()) == len(make.PAGES)
    assert "self_supervision: studies/rotation_upright, studies/rotation_turned\n" in result.output


def test_a_page_that_there_is_not_is_refused_before_any_work(studies, tmp_path):
    result = _make("landscap")
    assert result.exit_code == 1
    assert "Unknown page 'landscap'. Did you mean 'landscape'? Known: few_labels" in result.output
    assert not list(tmp_path.iterdir())


def test_a_page_from_records_needs_neither_images_nor_runs(studies, tmp_path):
    arguments = ("rotation_icons", "--runs", "here", "--output", "out")
    result = _make(*arguments)
    assert result.output.splitlines()[-1] == "out/rotation_icons.html"
    assert (tmp_path / "out" / "rotation_icons.html").exists()
    records = StudyDir("here/rotation_icons").records()
    assert len(records) == 6 and all(each.state == "finished" for each in records)
    assert os.listdir(tmp_path / "here") == ["rotation_icons"]  # No leftovers, no images.
    probed = tmp_path / "here" / "rotation_icons" / "probe.jsonl"
    probed.unlink()
    _make(*arguments)
    assert not probed.exists()  # Not unpacked again.


def test_a_study_without_records_begins_with_its_images(studies, tmp_path, monkeypatch):
    made, run = studies
    images = tmp_path / "runs" / "gallery" / "turned_fashion_mnist.npz"
    monkeypatch.setattr(turned, "write", lambda path: files.write_text(path, "turned"))
    run.ends = FAILED
    result = _make("rotation_turned", "--workers", 3, "--output", tmp_path)
    assert result.exit_code == 1
    assert "6 of 6 runs have neither finished nor diverged" in result.output
    assert [(os.path.relpath(path), slots) for path, slots in made] == [("runs/rotation_turned", 3)]
    assert images.read_text() == "turned"
    assert not (tmp_path / "rotation_turned.html").exists()
    run.ends = "finished"
    images.write_text("there already")
    assert _make("rotation_turned", "--output", tmp_path).exit_code == 0
    assert (tmp_path / "rotation_turned.html").exists()
    assert images.read_text() == "there already"


def test_the_page_of_the_few_labels_is_made_from_their_results(studies, tmp_path):
    assert _make("few_labels", "--output", tmp_path).exit_code == 0
    assert len(StudyDir("runs/few_labels").records()) == 57


def test_the_pages_on_self_supervision_have_the_probe(studies, tmp_path, monkeypatch):
    made, run = studies
    run.ends = "finished"
    calls = []
    monkeypatch.setattr(StudyDir, "records", lambda self: synthetic_study.records(seeds=1)[:2])
    monkeypatch.setattr(probe, "probe_runs", lambda runs, path: calls.append((len(runs), path)))
    monkeypatch.setattr(self_supervision, "write_page", lambda *of: calls.append(of))
    result = _make("self_supervision", "--output", tmp_path)
    folders = ["runs/rotation_upright", "runs/rotation_turned"]
    assert [os.path.relpath(path) for path, _ in made] == folders
    assert calls == [
        *((2, f"{folder}/probe.jsonl") for folder in folders),
        (folders, f"{tmp_path}/self_supervision.html"),
    ]
    assert result.output == f"{tmp_path}/self_supervision.html\n"


def test_icons_are_not_written_among_other_files(tmp_path):
    (tmp_path / "a.txt").touch()
    result = CliRunner().invoke(icons.main, [str(tmp_path)])
    assert result.exit_code == 1 and f"'{tmp_path}' is not empty" in result.output
    result = CliRunner().invoke(icons.main, [str(tmp_path / "new"), "--theme", str(tmp_path)])
    assert result.exit_code == 1 and "apt-get install oxygen-icon-theme" in result.output
