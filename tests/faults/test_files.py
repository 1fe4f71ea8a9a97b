"""Faults of files: paths that look like patterns, damaged bookkeeping files, leftovers.

Docstrings are rows of the table in `docs/faults.md`, which `scripts/write_fault_table.py` makes.
"""

import errno
import json
import logging
import os
import shutil
import subprocess
import sys
import time

import eager
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import config, damaged, files, locks, main, paths
from compare_gan.datasets import ArraySource, Dataset
from compare_gan.datasets.remote_files import find
from compare_gan.errors import UserError
from compare_gan.evaluation.results import ResultRow
from compare_gan.labels import (
    BackboneOptions,
    InferOptions,
    LabelOptions,
    PretextOptions,
    infer,
)
from compare_gan.metrics.extractors.saved_model import SavedModel
from compare_gan.training.run_dir import RunDir
from compare_gan.training.summaries import Summaries

_DEAD = 2**22 + 1  # Greater than the number of any process.
# Contents that a file may have after a power cut, a full disk or an editor.
_DAMAGES = {
    "empty": b"",
    "half": b'{"version": 1, "st',
    "zeros": b"\0" * 64,
    "no_entries": b"{}",
    "list": b"[1, 2]",
    "text": b"not JSON\n",
    "latin-1": '{"version": 1, "name": "é"}'.encode("latin-1"),
}
_damages = pytest.mark.parametrize("content", _DAMAGES.values(), ids=_DAMAGES)


@pytest.fixture(name="command")
def _command(capfd, monkeypatch):
    """`command(*arguments)` runs a command in this process: exit code and both outputs."""
    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)
    damaged.warn_once.cache_clear()  # Each command is a process of its own elsewhere.

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        code = 0
        try:
            main.main([str(each) for each in arguments])
        except SystemExit as error:
            code = error.code
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    monkeypatch.setattr("compare_gan.training.pictures._ROWS", 2)
    monkeypatch.setattr("compare_gan.training.pictures._COLUMNS", 2)
    with eager.eagerly():
        yield run
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture(name="config_file", scope="module")
def _config_file(tmp_path_factory, tiny_run, simple_steps):
    path = tmp_path_factory.mktemp("config") / "run[1]*.gin"
    path.write_text("\n".join((*tiny_run, *simple_steps)))
    return path


@pytest.fixture(name="finished", scope="module")
def _finished(tmp_path_factory, config_file):
    """A run of six steps with a row of scores, which tests copy."""
    path = tmp_path_factory.mktemp("finished") / "run"
    with eager.eagerly():
        main.main(["train", *_training(path, config_file)])
        main.main(["eval", "--model_dir", str(path), "--num_eval_averaging_runs", "1"])
    return path


@pytest.fixture(name="run")
def _run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def _training(run, config_file, steps: int = 6, *bindings: str) -> list[str]:
    bound = (f"options.training_steps = {steps}", *bindings)
    return [
        "--model_dir", str(run), "--gin_config", str(config_file), "--schedule", "train",
        *(part for binding in bound for part in ("--gin_bindings", binding)),
    ]  # fmt: skip


def _damaged_copies(folder, name: str) -> list[bytes]:
    found = sorted(each for each in os.listdir(folder) if each.startswith(f"{name}.damaged-"))
    return [(folder / each).read_bytes() for each in found]


def _steps(run) -> list[int]:
    return [int(name.removeprefix("step-")) for name in sorted(os.listdir(run / "checkpoints"))]


# Paths.


def test_a_run_in_a_folder_of_any_name(command, finished, config_file, tmp_path):
    r"""
    Fault: the name of the run directory has brackets, `*`, `?`, `\`, braces, spaces, letters
      beyond ASCII or a newline, and ends in a slash
    Command: train (resumed), sample, eval, export
    User sees: as elsewhere: `Resuming from …/step-6`
    Exit code: 0
    Lost: nothing
    """
    run = shutil.copytree(finished, tmp_path / "lr[2e-4]*? back\\slash {a,b} é\nx")
    code, _, err = command("train", *_training(f"{run}/", config_file, steps=7))
    assert code == 0 and "step-6" in err and _steps(run)[-1] == 7
    for arguments in (
        ("sample", "--out", run / "grid[1]?.png"),
        ("sample", "--num", 3, "--out", run / "images*"),
        ("export", "--out", run / "net[1].keras"),
        ("eval", "--num_eval_averaging_runs", 1),
    ):
        assert command(arguments[0], "--model_dir", run, *arguments[1:])[0] == 0
    assert len(list((run / "images*").glob("*.png"))) == 3
    assert {"grid[1]?.png", "net[1].keras"} < set(os.listdir(run))
    assert [row.step for row in RunDir(run).results().read()] == [6, 7]


def test_neighbours_that_a_name_would_match_as_a_pattern(command, finished, config_file, tmp_path):
    """
    Fault: `runs/a?b` keeps one checkpoint only, and `runs/axb` is its neighbour
    Command: train with `run_config.keep_checkpoint_max = 1`
    User sees: nothing of the neighbour
    Exit code: 0
    Lost: nothing; the neighbour has all its checkpoints
    """
    run, neighbour = (shutil.copytree(finished, tmp_path / name) for name in ("a?b", "axb"))
    keep = "run_config.keep_checkpoint_max = 1"
    assert command("train", *_training(run, config_file, 7, keep))[0] == 0
    assert _steps(run) == [7] and _steps(neighbour) == [0, 3, 6]


def test_a_saved_model_in_a_folder_that_tensorflow_takes_for_a_pattern(command, run, tmp_path):
    """
    Fault: a SavedModel is written to `ex[1]`, which TensorFlow's own loader takes for a pattern
    Command: export --out 'ex[1]'
    User sees: `TensorFlow takes '…' for a pattern and cannot load it under this name: rename it …`
    Exit code: 0
    Lost: nothing; the extractor `saved_model` loads it from there
    """
    target = tmp_path / "ex[1]"
    code, _, err = command("export", "--model_dir", run, "--out", f"{target}/")
    assert code == 0 and "for a pattern and cannot load it under this name: rename it" in err
    with paths.plain(str(target)) as path:
        z, labels = np.zeros([2, 4], np.float32), np.eye(4, dtype=np.float32)[:2]
        images = tf.saved_model.load(path).signatures["serving_default"](
            z=tf.constant(z), labels=tf.constant(labels)
        )["images"]
    expected = RunDir(run).load().sampler(z, labels)
    np.testing.assert_allclose(images, expected, atol=1e-6)

    class Features(tf.Module):
        def __init__(self):
            super().__init__()
            self.scale = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 1], tf.float32)])
        def describe(self, images):
            return {"features": self.scale * tf.reshape(images, [-1, 16])}

    module, folder = Features(), str(tmp_path / "features[1]")
    tf.config.run_functions_eagerly(False)
    tf.saved_model.save(module, folder, {"serving_default": module.describe})
    features, _ = SavedModel(folder).forward(tf.ones([3, 4, 4, 1]))
    np.testing.assert_allclose(features, np.full([3, 16], 2.0))


def test_label_files_in_a_folder_with_brackets(tmp_path):
    """
    Fault: `replace_labels.file_pattern` is a pattern, and a folder in it has brackets in its name
    Command: train with `replace_labels.file_pattern = "runs/lr[2]/labels/hard/*.tfrecord"`
    User sees: nothing: a folder that has this name wins over those that it matches as a pattern
    Exit code: 0
    Lost: nothing
    """
    for name in ("lr[2]", "lr2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a*.tfrecord").touch()
        (tmp_path / name / "ab.tfrecord").touch()
    found = [os.path.relpath(path, tmp_path) for path in find(f"{tmp_path}/lr[2]/*.tfrecord")]
    assert found == ["lr[2]/a*.tfrecord", "lr[2]/ab.tfrecord"]
    assert find(f"{tmp_path}/lr[2]/a*.tfrecord") == [f"{tmp_path}/lr[2]/a*.tfrecord"]
    assert find(f"{tmp_path}/lr[0-9]/ab*") == [f"{tmp_path}/lr2/ab.tfrecord"]


@pytest.mark.parametrize("inside", ("", "/run"), ids=("itself", "a folder above"))
def test_a_run_directory_that_is_a_link_to_nowhere(command, config_file, tmp_path, inside):
    """
    Fault: the run directory, or a folder above it, is a link to a folder that is gone
    Command: train, sample
    User sees: `'…' is a link to '…', which does not exist: make that folder or file, or remove
      the link.`
    Exit code: 2
    Lost: nothing
    """
    os.symlink(tmp_path / "gone", tmp_path / "link")
    expected = f"'{tmp_path}/link' is a link to '{tmp_path}/gone', which does not exist"
    for arguments in (
        ("train", *_training(f"{tmp_path}/link{inside}", config_file)),
        ("sample", "--model_dir", f"{tmp_path}/link{inside}"),
    ):
        code, _, err = command(*arguments)
        assert code == 2 and expected in err
    assert os.listdir(tmp_path) == ["link"]


def test_a_run_directory_below_a_file(command, config_file, tmp_path):
    """
    Fault: a folder above the run directory is a file
    Command: train
    User sees: `'…/file/run' cannot be made: '…/file' is a file, not a folder.`
    Exit code: 2
    Lost: nothing
    """
    (tmp_path / "file").write_text("content")
    code, _, err = command("train", *_training(tmp_path / "file" / "run", config_file))
    assert code == 2 and f"cannot be made: '{tmp_path}/file' is a file, not a folder." in err
    assert (tmp_path / "file").read_text() == "content"


def test_a_run_directory_behind_a_link(command, finished, config_file, tmp_path):
    """
    Fault: the run directory, and a file in it, are links
    Command: train (resumed), eval
    User sees: as elsewhere
    Exit code: 0
    Lost: nothing; the links stay, and what they lead to is written
    """
    real = shutil.copytree(finished, tmp_path / "real")
    os.symlink(real, tmp_path / "link")
    shutil.move(real / "scores.csv", tmp_path / "table.csv")
    os.symlink(tmp_path / "table.csv", real / "scores.csv")
    assert command("train", *_training(tmp_path / "link", config_file, steps=7))[0] == 0
    run = tmp_path / "link"
    assert command("eval", "--model_dir", run, "--num_eval_averaging_runs", 1)[0] == 0
    assert run.is_symlink() and (real / "scores.csv").is_symlink() and _steps(real)[-1] == 7
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3


def test_an_output_that_is_a_device(tmp_path):
    """
    Fault: the superuser names a device or a pipe as an output, which a renamed file would replace
    Command: metrics --output /dev/null
    User sees: `'/dev/null' is a device or a pipe: name a file.`
    Exit code: 2
    Lost: nothing; the device stays
    """
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    with pytest.raises(UserError, match="pipe' is a device or a pipe: name a file"):
        files.write_text(pipe, "text")
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_file_name_as_long_as_allowed(command, run):
    """
    Fault: the name of an output is as long as the file system allows
    Command: sample --out <251 letters>.png
    User sees: as elsewhere
    Exit code: 0
    Lost: nothing
    """
    name = "é" * 125 + "x.png"
    assert command("sample", "--model_dir", run, "--out", run / name)[0] == 0
    assert (run / name).stat().st_size > 0


# Damaged bookkeeping files.


@_damages
def test_model_json(run, content):
    """
    Fault: `model.json` is empty, half, zeros, `{}`, of another type, not JSON, not UTF-8
    Command: sample, eval, export
    User sees: `'…/model.json' is not used (it is empty): its data set has been read instead.`
    Exit code: 0
    Lost: nothing; the next `train` writes the file anew
    """
    before = json.loads((run / "model.json").read_text())
    (run / "model.json").write_bytes(content)
    description = RunDir(run).load().sampler
    assert list(description.image_shape) == before["image_shape"]
    assert description.num_classes == before["num_classes"]
    assert (run / "model.json").read_bytes() == content


def test_model_json_in_commands(command, run, config_file):
    """
    Fault: `model.json` is gone, or half
    Command: sample; then train (finished)
    User sees: `'…/model.json' is not used (it is missing): its data set has been read instead.`
    Exit code: 0
    Lost: nothing; `train` writes it anew
    """
    before = (run / "model.json").read_text()
    (run / "model.json").unlink()
    code, _, err = command("sample", "--model_dir", run)
    assert code == 0 and "model.json' is not used (it is missing)" in err
    (run / "model.json").write_text(before[:20])
    code, _, err = command("sample", "--model_dir", run)
    assert code == 0 and "model.json' is not used (it is not JSON)" in err
    assert command("train", *_training(run, config_file))[0] == 0
    assert (run / "model.json").read_text() == before


def test_model_json_without_the_data(command, run):
    """
    Fault: `model.json` is empty, and the data set of the run is gone
    Command: sample
    User sees: `'…/model.json' is damaged: it is empty, and its data set cannot be read instead
      (…).`
    Exit code: 2
    Lost: nothing
    """
    (run / "model.json").write_text("")
    text = (run / "config.gin").read_text().replace("'synthetic'", "'no_such_data'")
    (run / "config.gin").write_text(text)
    code, _, err = command("sample", "--model_dir", run)
    assert code == 2 and "it is empty, and its data set cannot be read instead (" in err


@_damages
def test_training_labels_json(run, content, caplog):
    """
    Fault: `training_labels.json` is empty, half, zeros, `{}`, of another type, not JSON, not UTF-8
    Command: train (resumed)
    User sees: `'…/training_labels.json' is damaged: it is empty. The labels of the run are not
      compared with these.`
    Exit code: 0
    Lost: the check that the labels are those of the run; the file is `….damaged-1`
    """
    damaged.warn_once.cache_clear()
    (run / "training_labels.json").write_bytes(content)
    directory = RunDir(run)
    with caplog.at_level("WARNING", logger="compare_gan"):
        directory.check_training_labels(None)
        assert directory.training_labels() == {"version": 2, "method": "not recorded"}
        directory.write_training_labels(None)
    assert "The labels of the run are not compared with these." in caplog.text
    assert _damaged_copies(run, "training_labels.json") == [content]
    assert directory.training_labels() is None


def test_everything_damaged_at_once(command, run, config_file):
    """
    Fault: every bookkeeping file of a run is garbage: `model.json`, `training_labels.json`,
      `config.gin`, `operative_config.gin`, `log.jsonl`, `results.jsonl`, `scores.csv`, and a file
      `checkpoints/checkpoint` that TensorFlow would read
    Command: train (resumed), then eval
    User sees: a sentence for each file that cannot be derived, with its new name
    Exit code: 0
    Lost: nothing that could be read; the garbage is in files `….damaged-1`
    """
    names = (
        "model.json", "training_labels.json", "config.gin", "operative_config.gin", "log.jsonl",
        "results.jsonl", "scores.csv", "checkpoints/checkpoint", "samples.png", "losses.png",
    )  # fmt: skip
    garbage = b'\xff\xfe {"a": \0'
    for name in names:
        (run / name).write_bytes(garbage)
    code, _, err = command("train", *_training(run, config_file, steps=7))
    assert code == 0 and "Resuming from" in err and "7/7" in err
    assert command("eval", "--model_dir", run, "--num_eval_averaging_runs", 1)[0] == 0
    for name in ("training_labels.json", "config.gin", "log.jsonl", "results.jsonl", "scores.csv"):
        assert _damaged_copies(run, name) == [garbage]
    assert [row.step for row in RunDir(run).results().read()] == [7]
    for name in set(names) - {"checkpoints/checkpoint"}:
        assert (run / name).read_bytes() != garbage


@_damages
def test_the_note_of_divergence(command, run, config_file, content):
    """
    Fault: `DIVERGED` is empty, half, zeros, `{}`, of another type, not JSON, not UTF-8
    Command: train (resumed)
    User sees: `The run in '…' diverged at a step that is not known ('…/DIVERGED' is damaged);
      delete the file DIVERGED there …`
    Exit code: 2
    Lost: nothing
    """
    (run / "DIVERGED").write_bytes(content)
    with pytest.raises(UserError, match=r"diverged at a step that is not known .* is damaged"):
        RunDir(run).refuse_unsuitable("")
    if content == _DAMAGES["empty"]:
        assert command("train", *_training(run, config_file, steps=7))[0] == 2


@pytest.mark.parametrize("content", (b"\xff\xfe\0", b"\0" * 50))
def test_the_config_of_a_run(command, run, content):
    """
    Fault: `config.gin` is not text
    Command: sample, eval, export
    User sees: `'…/config.gin' is damaged: it is not text in UTF-8. The bindings are taken from
      '…/configs/0.gin'.`
    Exit code: 0
    Lost: nothing
    """
    (run / "config.gin").write_bytes(content)
    code, _, err = command("sample", "--model_dir", run)
    assert code == 0 and "The bindings are taken from" in err
    assert "configs/0.gin'" in err
    shutil.rmtree(run / "configs")  # As in runs of earlier versions.
    damaged.warn_once.cache_clear()
    code, _, err = command("sample", "--model_dir", run)
    assert code == 0 and "The bindings are taken from" in err and "operative_config" in err
    (run / "operative_config.gin").unlink()
    code, _, err = command("sample", "--model_dir", run)
    assert code == 2 and "config.gin' is damaged" in err


_BAD_LINES = {
    "blank": b"\n",
    "half": b'{"version": 1, "step": 3, "sco\n',
    "zeros": b"\0\0\0\0\n",
    "latin-1": '{"step": "é"}\n'.encode("latin-1"),
    "number": b"5\n",
    "no_scores": b'{"step": 3}\n',
    "wrong_types": b'{"step": 3, "scores": {"fid": {"mean": "a", "std": []}}, "protocol": {}}\n',
    "no_end": b'{"version": 1, "st',
}


@pytest.mark.parametrize("line", _BAD_LINES.values(), ids=_BAD_LINES)
def test_a_line_of_results(run, line, caplog):
    """
    Fault: a line of `results.jsonl` is blank, half, zeros, not UTF-8, or no row of scores
    Command: eval, compare, train
    User sees: `'…/results.jsonl' is damaged: line 2 cannot be read; the rest of it is used.`
    Exit code: 0
    Lost: the line, which stays in `results.jsonl.damaged-1`
    """
    damaged.warn_once.cache_clear()
    path, results = run / "results.jsonl", RunDir(run).results()
    [row] = results.read()
    before = path.read_bytes() + line
    path.write_bytes(before if line == _BAD_LINES["no_end"] else before + before[: -len(line)])
    content, rows = path.read_bytes(), 1 if line == _BAD_LINES["no_end"] else 2
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert results.read() == [row] * rows
        assert path.read_bytes() == content  # A reader changes nothing.
        results.add([row])
    assert results.read() == [row] * (rows + 1)
    blank = line == _BAD_LINES["blank"]
    assert ("line 2 cannot be read; the rest of it is used" in caplog.text) is not blank
    assert _damaged_copies(run, "results.jsonl") == ([] if blank else [content])
    assert len((run / "scores.csv").read_text().splitlines()) == rows + 2


def test_a_line_of_results_in_commands(command, run):
    """
    Fault: `results.jsonl` ends in half a line
    Command: compare
    User sees: `'…/results.jsonl' is damaged: line 2 cannot be read; the rest of it is used.`
    Exit code: 0
    Lost: nothing
    """
    with open(run / "results.jsonl", "ab") as file:
        file.write(_BAD_LINES["no_end"])
    for path in (run, run / "results.jsonl"):
        damaged.warn_once.cache_clear()
        code, out, err = command("compare", path)
        assert code == 0 and "line 2 cannot be read" in err and "fid" in out


def test_scores_of_something_else(command, tmp_path):
    """
    Fault: a file of scores is not text, or has nothing that is a row of scores
    Command: compare
    User sees: '…' is neither a results.jsonl nor an output of `compare_gan metrics`.
    Exit code: 2
    Lost: nothing
    """
    for name, content in (("a.json", b"\xff\xfe"), ("b.jsonl", b"\xff\n[]\n"), ("c.json", b"[]")):
        (tmp_path / name).write_bytes(content)
        code, _, err = command("compare", tmp_path / name)
        assert code == 2 and "is neither a results.jsonl nor an output" in err


@pytest.mark.parametrize(
    "content",
    (b"\xff\xfe\0", b"step,a\n1,2,3\n", b"step,dataset_hash\n1\n", b'step,a\n"1'),
    ids=("binary", "long", "short", "quote"),
)
def test_the_table_of_scores(run, content):
    """
    Fault: `scores.csv` is no table: binary, a line too long, too short, an open quotation mark
    Command: eval
    User sees: `'…/scores.csv' is damaged (…): it is made anew from the result rows; the damaged
      file is '…/scores.csv.damaged-1'.`
    Exit code: 0
    Lost: nothing
    """
    whole = (run / "scores.csv").read_bytes()
    (run / "scores.csv").write_bytes(content)
    RunDir(run).results().add([])
    assert (run / "scores.csv").read_bytes() == whole
    assert _damaged_copies(run, "scores.csv") == [content]


@pytest.mark.parametrize("line", _BAD_LINES.values(), ids=_BAD_LINES)
def test_a_line_of_the_log(command, run, config_file, line):
    """
    Fault: a line in the middle of `log.jsonl` is half, zeros, not UTF-8 or no row
    Command: train (resumed)
    User sees: `'…/log.jsonl' is damaged (line 2 cannot be read): the other lines stay; the damaged
      file is '…/log.jsonl.damaged-1'.`
    Exit code: 0
    Lost: the line, which stays in `log.jsonl.damaged-1`; all others are there
    """
    from compare_gan.training.summaries import Summaries, read_log

    log = run / "log.jsonl"
    first, *others = log.read_bytes().splitlines(keepends=True)
    line = line if line.endswith(b"\n") else line + b"\n"
    content = first + line + b"".join(others)
    log.write_bytes(content)
    rows = [json.loads(each) for each in (first, *others)]
    if line in (_BAD_LINES["no_scores"], _BAD_LINES["wrong_types"]):  # Rows of a log after all.
        assert len(read_log(str(log))) == len(rows) + 1
        return
    assert read_log(str(log)) == rows
    if line == _BAD_LINES["half"]:
        assert command("train", *_training(run, config_file, steps=7))[0] == 0
        assert read_log(str(log))[: len(rows)] == rows and read_log(str(log))[-1]["step"] == 7
    else:
        Summaries(str(log), str(run / "tensorboard"), first_step=6).close()
        assert read_log(str(log)) == rows
    expected = [] if line == b"\n" else [content]
    assert _damaged_copies(run, "log.jsonl") == expected


@_damages
def test_the_manifest_of_labels(tmp_path, content, caplog):
    """
    Fault: `labels/manifest.json` is empty, half, zeros, `{}`, of another type, not JSON, not UTF-8
    Command: label, train
    User sees: `'…/manifest.json' is damaged (it is empty): the labels are inferred anew; the
      damaged file is '…/manifest.json.damaged-1'.`
    Exit code: 0
    Lost: nothing; the labels of before are `labels.npz.damaged-1`
    """
    images = np.repeat([0, 10, 240, 250], 4).astype(np.uint8).reshape(4, 2, 2, 1)
    source = ArraySource.from_arrays({"train": (images, np.array([0, -1, -1, 1]))})
    options = LabelOptions(InferOptions(features="raw"), BackboneOptions(), PretextOptions())
    dataset, folder = Dataset("two", source), str(tmp_path)
    labels = infer(dataset, folder, options).shown_labels.tolist()
    (tmp_path / "manifest.json").write_bytes(content)
    arrays = (tmp_path / "labels.npz").read_bytes()
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert infer(dataset, folder, options).shown_labels.tolist() == labels
    assert "the labels are inferred anew" in caplog.text
    assert _damaged_copies(tmp_path, "manifest.json") == [content]
    assert _damaged_copies(tmp_path, "labels.npz") == [arrays]
    assert infer(dataset, folder, options).shown_labels.tolist() == labels
    assert len(_damaged_copies(tmp_path, "manifest.json")) == 1


@_damages
def test_the_index_of_a_checkpoint(run, content):
    """
    Fault: `index.json` of the newest checkpoint is empty, half, zeros, `{}`, of another type, not
      JSON, not UTF-8
    Command: train (resumed), sample, eval
    User sees: `Checkpoint '…/step-6' is damaged (…). Falling back to the one before.`
    Exit code: 0
    Lost: the steps since the checkpoint before
    """
    (run / "checkpoints" / "step-6" / "index.json").write_bytes(content)
    assert RunDir(run).load().step == 3


def test_a_file_that_is_damaged_again(tmp_path):
    """
    Fault: a file is damaged for the third time
    Command: train, eval
    User sees: the damaged file is `….damaged-3`
    Exit code: 0
    Lost: nothing; the files set aside before stay
    """
    path = tmp_path / "a.json"
    for n in (1, 2, 3):
        path.write_text(str(n))
        target = damaged.set_aside(str(path), "it is damaged", "it is written anew", keep=n == 2)
        assert target == f"{path}.damaged-{n}"
    assert _damaged_copies(tmp_path, "a.json") == [b"1", b"2", b"3"]


# Writing and leftovers.


@pytest.mark.parametrize("number", (errno.ENOSPC, errno.EIO, errno.EDQUOT))
def test_a_disk_that_reports_only_at_the_end_that_it_is_full(tmp_path, monkeypatch, number):
    """
    Fault: a network disk is full or broken, and says so only when a file is flushed
    Command: any that writes
    User sees: `No space left on device: …`
    Exit code: 1
    Lost: nothing; the old file stays
    """
    path = tmp_path / "results.jsonl"
    files.write_text(str(path), "old")

    def fail(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        files.write_text(str(path), "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["results.jsonl"]


def test_the_log_of_a_run_on_a_full_disk_is_named(tmp_path):
    """
    Fault: the disk is full when a line is added to the log of a run
    Command: train
    User sees: No space left on device: runs/a/log.jsonl.
    Exit code: 1
    Lost: the steps after the last checkpoint
    """
    log = tmp_path / "log.jsonl"
    summaries = Summaries(str(log), str(tmp_path / "tensorboard"), 0)
    log.unlink(missing_ok=True)
    log.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device: ") as caught:
        summaries.scalars(1, {"loss": 0.5})
    assert caught.value.filename == str(log)


def test_a_power_cut_between_writing_and_renaming(tmp_path, monkeypatch):
    """
    Fault: the power fails at any moment while a file is replaced
    Command: any that writes
    User sees: nothing
    Exit code: none
    Lost: nothing: the content is on disk before the name, and the name before the next write
    """
    path, events = str(tmp_path / "a.json"), []
    fsync, replace = os.fsync, os.replace

    def watched(descriptor):
        events.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def renamed(source, target):
        events.append("rename")
        replace(source, target)

    monkeypatch.setattr(files.os, "fsync", watched)
    monkeypatch.setattr(files.os, "replace", renamed)
    files.write_json(path, {"step": 1})
    [content, rename, folder] = events
    assert content.startswith(".a.json.") and rename == "rename" and folder == tmp_path.name


def test_leftovers_of_a_dead_process(command, run, config_file):
    """
    Fault: processes died while they wrote files, pictures, labels and checkpoints
    Command: train (finished already)
    User sees: nothing
    Exit code: 0
    Lost: nothing; `.….tmp`, `step-9_temp` and checkpoints without an index are removed
    """
    leftover = f".a.{locks.host()}.{_DEAD}.0.tmp"
    for folder in ("", "samples", "labels/hard", "checkpoints", "checkpoints/step-6"):
        (run / folder).mkdir(parents=True, exist_ok=True)
        (run / folder / leftover).touch()
    (run / f".ex.{locks.host()}.{_DEAD}.1.tmp" / "variables").mkdir(parents=True)
    (run / "checkpoints" / "step-9_temp").mkdir()
    (run / "checkpoints" / "step-9").mkdir()
    (run / "checkpoints" / "step-9" / "arrays-00-0.npz").touch()
    mine = [run / "notes.tmp", run / "labels" / ".cache.1.0.tmp"]
    for path in mine:
        path.touch()
    assert command("train", *_training(run, config_file))[0] == 0
    assert not [path for path in run.rglob(".*tmp") if path not in mine]
    assert all(path.exists() for path in mine) and _steps(run) == [0, 3, 6]


def test_leftovers_of_other_hosts_and_containers(tmp_path):
    """
    Fault: a container died, and its successor has another host name, or the same process number
    Command: any that writes
    User sees: nothing
    Exit code: 0
    Lost: nothing; another host's temporary files are removed after a day without a change
    """
    old, new = tmp_path / ".a.pod-7.1.0.tmp", tmp_path / ".a.pod-8.1.0.tmp"
    same = tmp_path / f".a.{locks.host()}.{os.getpid()}.999999.tmp"
    for path in (old, new, same):
        path.touch()
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    with files.atomic(str(tmp_path / "b")) as mine:
        open(mine, "w").close()
        files.remove_leftovers(str(tmp_path))
        assert sorted(os.listdir(tmp_path)) == sorted([os.path.basename(mine), new.name])


def test_result_rows_keep_what_a_later_version_added(run):
    """
    Fault: a line of `results.jsonl` has an entry that this version does not know
    Command: eval
    User sees: nothing
    Exit code: 0
    Lost: nothing; lines are copied as they are
    """
    path = run / "results.jsonl"
    line = json.dumps(json.loads(path.read_text()) | {"note": "mine"})
    path.write_text(line + "\n")
    row = ResultRow.from_json(line)
    RunDir(run).results().add([row])
    assert path.read_text().splitlines()[0] == line


def test_no_binding_of_a_damaged_run_remains(run):
    """
    Fault: a run with damaged files is loaded in a program of one's own
    Command: `compare_gan.load_generator`
    User sees: as for `sample`
    Exit code: none
    Lost: nothing; gin's bindings are those of before
    """
    config.parse([], ["options.batch_size = 12"])
    (run / "model.json").write_text("")
    RunDir(run).load()
    assert "options.batch_size = 12" in config.config_text()


def test_a_path_that_is_not_utf_8():
    """
    Fault: the name of a folder is not UTF-8
    Command: sample, export
    User sees: the path, in its own bytes
    Exit code: 0
    Lost: nothing
    """
    program = "from compare_gan import startup as s; s._print_any_name(); print('runs/\\udcff')"
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=True,
    ).stdout
    assert shown == b"runs/\xff\n"
