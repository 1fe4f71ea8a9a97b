"""The README's main job as a user runs it, with fewer steps: killed, resumed and evaluated.

The kills are slow tests: quick ones resume each stage by itself (`training/test_trainer.py` and
`labels/test_pretext.py`).
"""

import csv
import pathlib
import re
import shlex
import signal
import time

import numpy as np
import pytest

from compare_gan import engine

_ROOT = pathlib.Path(__file__).parents[2]
# The config's own networks and data, with fewer and smaller steps.
_SHORTER = (
    "options.training_steps = 12",
    "options.batch_size = 16",
    "run_config.deterministic = True",
    "run_config.iterations_per_loop = 1",
    "run_config.save_checkpoints_steps = 3",
    "run_config.sample_steps = 6",
    "evaluation.num_fake = 200",
    "backbone.width = 4",
    "pretext.training_steps = 20",
    "pretext.save_checkpoints_steps = 4",
)

_RUNS = ("undisturbed", "killed")


def _readme_command() -> list[str]:
    """The command that the README gives after the installation."""
    [line] = re.findall(r"&& (compare_gan train .*)", (_ROOT / "README.md").read_text())
    return shlex.split(line)


def _arguments(model_dir) -> list[str]:
    program, *arguments = _readme_command()
    assert program == "compare_gan"
    arguments[arguments.index("--model_dir") + 1] = str(model_dir)
    bindings = [part for binding in _SHORTER for part in ("--gin_bindings", binding)]
    return [*arguments, *bindings, "--num_eval_averaging_runs", "1"]


def _finish(process) -> tuple[str, str]:
    out, err = process.communicate(timeout=1200)
    assert process.returncode == 0, err
    return out, err


def _checkpoint(model_dir, step) -> dict[str, np.ndarray]:
    return engine.read_checkpoint(str(model_dir / "checkpoints" / f"step-{step}"))


# `compare_gan` that does not complete the checkpoint of this name: a fast process would be done
# before it is killed.
_HOLD = """
import os, sys, time
from compare_gan.main import main

def hold(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith(os.environ["HELD_CHECKPOINT"]):
        time.sleep(10_000)

sys.addaudithook(hold)
main()
"""


def _kill(process, folder, checkpoint) -> tuple[str, str]:
    """Kills a run at about the time when it has written a checkpoint."""
    deadline = time.monotonic() + 1200
    while not list(folder.glob(checkpoint)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.2))
    process.send_signal(signal.SIGKILL)
    said = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return said


@pytest.fixture(name="start_run", scope="module")
def _start_run(tmp_path_factory, start_in_module):
    """The folder of the runs, and a function that starts one from its name."""
    folder = tmp_path_factory.mktemp("main_job")

    def start(name, **options):
        cache = str(folder / "cache")
        return start_in_module(*_arguments(folder / name), COMPARE_GAN_CACHE=cache, **options)

    return folder, start


@pytest.fixture(name="undisturbed", scope="module")
def _undisturbed(start_run):
    """The folder of the runs, and the output of one that nothing disturbed."""
    folder, start = start_run
    # Only a fresh process shows what TensorFlow says when it is imported.
    return folder, _finish(start("undisturbed", fresh=True))


@pytest.fixture(name="runs", scope="module")
def _runs(start_run, undisturbed):
    """The folder, and the outputs of a run that was killed in each stage and restarted, too."""
    folder, start = start_run

    def start_and_kill(checkpoint, held):
        process = start("killed", code=_HOLD, HELD_CHECKPOINT=held)
        return _kill(process, folder / "killed", checkpoint)

    outputs = {"undisturbed": undisturbed[1]}
    pretext = "labels/pretext-*/checkpoints/step-8/index.json"
    start_and_kill(pretext, held="step-16/index.json")
    assert not (folder / "killed" / "labels" / "manifest.json").exists()
    first = "checkpoints/step-3/index.json"
    outputs["killed before"] = start_and_kill(first, held="step-9/index.json")
    assert not (folder / "killed" / "scores.csv").exists()
    outputs["killed"] = _finish(start("killed"))
    return folder, outputs


@pytest.mark.slow
def test_a_killed_run_ends_in_the_same_bits(runs):
    folder, outputs = runs
    resumed_from = int(re.search(r"Resuming from .*step-(\d+)", outputs["killed"][1])[1])
    assert 3 <= resumed_from < 12
    first, second = _checkpoint(folder / "undisturbed", 12), _checkpoint(folder / "killed", 12)
    assert first.keys() == second.keys() and len(first) > 100
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
    # The steps in between did change the weights.
    start = _checkpoint(folder / "undisturbed", 0)
    moved = [name for name in start if not np.array_equal(start[name], first[name])]
    assert len(moved) > 0.9 * len(first)


@pytest.mark.slow
def test_a_run_killed_while_learning_rotations_infers_the_same_labels(runs):
    folder, outputs = runs
    said = outputs["killed before"][1]
    assert 8 <= int(re.search(r"Resuming from .*/pretext-\w+/.*step-(\d+)", said)[1]) < 20
    for name in ("hard", "soft"):
        first, second = (np.load(folder / run / "labels/labels.npz")[name] for run in _RUNS)
        np.testing.assert_array_equal(first, second)


def _check_scores_and_pictures(folder, out):
    assert "fid_fashion_cnn" in out and "class_agreement_fashion_cnn" in out
    with open(folder / "scores.csv") as file:
        [row] = csv.DictReader(file)
    assert row["step"] == "12" and row["dataset"] == "fashion_mnist_10k"
    assert float(row["fid_fashion_cnn_mean"]) > 0
    assert 0 <= float(row["class_agreement_fashion_cnn_mean"]) <= 1
    for picture in ("samples.png", "losses.png", "samples/real.png", "samples/step_0000006.png"):
        assert (folder / picture).stat().st_size > 1000


def test_scores_and_pictures_are_there(undisturbed):
    folder, (out, _) = undisturbed
    _check_scores_and_pictures(folder / "undisturbed", out)


@pytest.mark.slow
def test_scores_and_pictures_of_a_killed_run_are_there(runs):
    folder, outputs = runs
    _check_scores_and_pictures(folder / "killed", outputs["killed"][0])


def _check_output(err):
    """No warnings from TensorFlow, no carriage returns in a log file."""
    assert not re.search(r"cuda|oneDNN|Traceback|WARNING|E0000|\r", err), err


def test_the_output_is_for_people(undisturbed):
    _, (_, err) = undisturbed
    assert "step 12/12" in err
    _check_output(err)


@pytest.mark.slow
def test_the_output_of_a_killed_run_is_for_people(runs):
    _, outputs = runs
    assert "step 12/12" in outputs["killed"][1]
    for _, err in outputs.values():
        _check_output(err)
