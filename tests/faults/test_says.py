"""Faults of what the commands say and check: progress, dry runs, several mistakes at once."""

import contextlib
import io
import os
import re
import resource
import subprocess
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from compare_gan import main as command_line
from compare_gan.training.run_dir import RunDir


def _main(*args):
    """Runs a command in this process: exit code, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command_line.main(list(map(str, args)))
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()


def _bindings(*bindings):
    return [arg for binding in bindings for arg in ("--gin_bindings", binding)]


@pytest.fixture(name="whole_run", scope="module")
def _whole_run(tiny_run, simple_steps, tmp_path_factory):
    """A training with its evaluation: its directory, standard error, and the drawn losses."""
    run = tmp_path_factory.mktemp("says") / "run"
    drawn = {}
    with pytest.MonkeyPatch.context() as patch:
        # The tiny evaluation may take any time.
        patch.setattr("compare_gan.engine.progress.PATIENCE", 0.0)
        patch.setattr(
            "compare_gan.training.pictures.curves.plot_curves",
            lambda series, path, **_: drawn.update(series),
        )
        status, _, err = _main(
            "train",
            "--model_dir",
            run,
            "--num_eval_averaging_runs",
            2,
            *_bindings(
                *tiny_run,
                *simple_steps,
                "evaluation.batch_size = 10",
                "options.training_steps = 3",
            ),
        )
    assert status == 0, err
    return run, err, drawn


def test_evaluation_inside_train_shows_its_progress(whole_run):
    """Fault: an evaluation inside train of many minutes.

    Command: train.
    User sees: how many images are done, of which set, and the time left.
    Exit code: 0.
    Lost: nothing.
    """
    _, err, _ = whole_run
    for number in (1, 2):
        assert re.search(rf"generated images, set {number} of 2: \d+/40, \d+:\d\d left", err), err


def test_the_start_shows_what_it_does_and_how_long_it_took(whole_run):
    """Fault: a start of minutes, most of it compiling.

    Command: train.
    User sees: that the step is traced and compiled, while it is, and then the split of the time.
    Exit code: 0.
    Lost: nothing.
    """
    _, err, _ = whole_run
    assert re.search(r"Compiling the training step, \d+:\d\d so far", err), err
    split = re.search(r"Start to first step: ([\d.]+) s: (.*)\.\n", err)
    assert split, err
    parts = dict(re.findall(r"(\w+) ([\d.]+) s", split[2]))
    assert parts.keys() >= {"import", "checks", "data", "extractor", "build", "trace", "compile"}
    assert float(split[1]) == pytest.approx(sum(map(float, parts.values())), abs=0.05 * len(parts))


def test_scores_are_in_tensorboard(whole_run):
    """Fault: scores are only in files.

    Command: train, eval.
    User sees: a curve for each score in TensorBoard.
    Exit code: 0.
    Lost: nothing.
    """
    run, _, _ = whole_run
    events = EventAccumulator(str(run / "tensorboard" / "evaluation"), {"tensors": 0})
    events.Reload()
    names = set(events.Tags()["tensors"])
    [event] = events.Tensors("score/fid_fashion_cnn")
    table = (run / "scores.csv").read_text().splitlines()
    row = dict(zip(table[0].split(","), table[1].split(","), strict=False))
    assert event.step == int(row["step"]) == 3
    [scored] = RunDir(run).results().read()
    assert names == {f"score/{name}" for name in scored.score_names}
    value = event.tensor_proto.float_val[0]
    assert value == pytest.approx(float(row["fid_fashion_cnn_mean"]), rel=1e-6)


def test_losses_that_are_always_zero_are_not_drawn(whole_run):
    """Fault: losses.png has a flat penalty of zero.

    Command: train.
    User sees: only losses that the run has.
    Exit code: 0.
    Lost: nothing.
    """
    _, _, drawn = whole_run
    assert {"discriminator", "generator"} <= set(drawn) and "penalty" not in drawn
    assert all(np.any(values) for _, values in drawn.values())


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_missing_extractor_ends_a_dry_run_as_it_ends_a_training(dry_run, tiny_run, tmp_path):
    """Fault: the extractor's file is missing.

    Command: train --dry-run, train.
    User sees: the same sentence in both.
    Exit code: 2.
    Lost: nothing.
    """
    lost = "/nowhere/network.keras"
    status, _, err = _main(
        "train",
        *(["--dry-run"] if dry_run else []),
        "--model_dir",
        tmp_path / "run",
        *_bindings(
            *tiny_run, "evaluation.extractor = 'keras_model'", f"keras_model.path = '{lost}'"
        ),
    )
    assert status == 2 and lost in err
    assert err.splitlines()[-1].startswith("Error: ")
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_a_dry_run_refuses_a_directory_that_train_refuses(tiny_run, tmp_path):
    """Fault: --model_dir has a run of another architecture.

    Command: train --dry-run.
    User sees: the sentence of train.
    Exit code: 2.
    Lost: nothing.
    """
    (tmp_path / "config.gin").write_text("options.z_dim = 5\n")
    arguments = ["train", "--model_dir", tmp_path, *_bindings(*tiny_run)]
    status, _, err = _main(*arguments, "--dry-run")
    assert status == 2 and "options.z_dim: 5 → 4" in err
    assert _main(*arguments)[2].splitlines()[-1] == err.splitlines()[-1]


def test_a_dry_run_describes_classes_extractor_disk_and_time(tiny_run, simple_steps, tmp_path):
    """Fault: a dry run that leaves out what decides about a run.

    Command: train --dry-run.
    User sees: images of each class, the extractor that auto means, disk space and time.
    Exit code: 0.
    Lost: nothing.
    """
    status, out, err = _main(
        "train",
        "--dry-run",
        "--model_dir",
        tmp_path / "new",
        *_bindings(
            *tiny_run,
            *simple_steps,
            "options.training_steps = 100",
            "evaluation.extractor = 'fashion_cnn'",
        ),
    )
    assert status == 0, err
    labelled = re.search(r"^classes +(.*); 20 without a label$", out, re.MULTILINE)
    assert sum(int(count) for count in re.findall(r" (\d+)(?:,|$)", labelled[1])) == 20
    assert re.search(r"^extractor +fashion_cnn, weights [0-9a-f]{16}$", out, re.MULTILINE)
    # Steps 0, 3, 6, …, 99 and 100; a grid at each of them but the first, one more at the end, and
    # one of real images.
    assert re.search(r"^disk .*: 35 checkpoints of \d+ KiB, 36 pictures .* are free$", out, re.M)
    assert re.search(r"^time +at least \d+:\d\d for 100 steps of ", out, re.MULTILINE)
    assert re.search(r"^devices +1, which share a batch of 8$", out, re.MULTILINE)
    assert not (tmp_path / "new").exists()


def test_a_dry_run_counts_the_devices_on_jax():
    """Fault: a batch that the devices cannot share, under JAX.

    Command: train --dry-run.
    User sees: the sentence of train.
    Exit code: 2.
    Lost: nothing.
    """
    pytest.importorskip("jax")
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=3",
    }
    bindings = _bindings("options.batch_size = 64", "run_config.distribution = 'mirrored'")
    config = ["--gin_config", "s3gan_fashion_mnist", "--data_fake_dataset"]
    command = [sys.executable, "-m", "compare_gan.main", "train", "--dry-run", *config, *bindings]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 2, done.stderr
    assert "options.batch_size is 64, which 3 replicas cannot share equally." in done.stderr


_MISTAKES = """\
options.gan_class = @S3GAN
options.architecture = "resnet_cifer_arch"
options.batch_size = -16
options.training_steps = 0
options.z_dimm = 8
dataset.name = "cifar10"
S3GAN.g_lrr = 0.1
S3GAN.conditional = "yes"
G.batch_norm_fn = @conditional_batchnorm
evaluation.num_fake = -1
"""


@pytest.mark.parametrize("dry_run", [False, True])
def test_all_mistakes_of_a_config_are_reported_at_once(dry_run, tmp_path):
    """Fault: a config with eight mistakes of different kinds.

    Command: train, train --dry-run.
    User sees: eight sentences, each with its line.
    Exit code: 2.
    Lost: nothing.
    """
    path = tmp_path / "config.gin"
    path.write_text(_MISTAKES)
    arguments = ["--dry-run"] if dry_run else ["--model_dir", tmp_path / "run"]
    status, _, err = _main("train", "--gin_config", path, *arguments)
    lines = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert status == 2
    places = sorted(int(re.search(r", line (\d+): ", line)[1]) for line in lines)
    assert places == [2, 3, 4, 5, 7, 8, 9, 10], err


def test_mistakes_in_files_and_bindings_are_reported_together(tmp_path):
    """Fault: mistakes in an included file and in --gin_bindings.

    Command: train.
    User sees: a sentence for each, with the file and line, or the option.
    Exit code: 2.
    Lost: nothing.
    """
    (tmp_path / "common.gin").write_text("# A comment.\noptions.z_dimm = 4\n")
    (tmp_path / "config.gin").write_text("include 'common.gin'\noptions.batch_sise = 4\n")
    bindings = _bindings("S3GAN.g_lrr = 1", "options.disc_iter = 2")
    status, _, err = _main(
        "train", "--model_dir", tmp_path / "run", "--gin_config", tmp_path / "config.gin", *bindings
    )
    assert status == 2 and len(err.splitlines()) == 4, err
    for text in (
        "common.gin, line 2: options has no parameter 'z_dimm'",
        "config.gin, line 2: options has no parameter 'batch_sise'",
        "--gin_bindings: S3GAN has no parameter 'g_lrr'",
        "--gin_bindings: options has no parameter 'disc_iter'",
    ):
        assert text in err


def test_a_config_that_cannot_be_parsed_is_one_mistake(tmp_path):
    """Fault: a line that is no binding; what follows cannot be judged.

    Command: train.
    User sees: one sentence with the line.
    Exit code: 2.
    Lost: nothing.
    """
    (tmp_path / "config.gin").write_text("options.z_dimm = 4\noptions.z_dim == 4\n")
    status, _, err = _main("train", "--dry-run", "--gin_config", tmp_path / "config.gin")
    assert status == 2 and len(err.splitlines()) == 1


def test_the_consequence_of_a_mistake_is_not_another_one(tmp_path):
    """Fault: the name of a value that every run needs is misspelled.

    Command: train.
    User sees: one sentence, about the misspelling; none about the missing value.
    Exit code: 2.
    Lost: nothing.
    """
    text = _MISTAKES.splitlines()[0] + "\noptions.bach_size = 16\n"
    (tmp_path / "config.gin").write_text(text)
    status, _, err = _main("train", "--dry-run", "--gin_config", tmp_path / "config.gin")
    assert status == 2 and len(err.splitlines()) == 1
    assert "line 2: options has no parameter 'bach_size'. Did you mean 'batch_size'?" in err


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["train", "--help"]])
def test_help_and_list_answer_at_once(slowness, arguments):
    """Fault: an answer that needs no engine waits for one.

    Command: --help, list.
    User sees: the answer within half a second.
    Exit code: 0.
    Lost: nothing.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "compare_gan.main", *arguments],
        capture_output=True,
        text=True,
        timeout=1200,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0 and done.stdout
    # The time of the processor hardly depends on what else runs on the machine.
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 0.5 * slowness()
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"numpy", "keras", "tensorflow", "jax", "scipy", "matplotlib"}
