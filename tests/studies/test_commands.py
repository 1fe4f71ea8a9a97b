"""`compare_gan study …`, and studies whose runs are trained."""

import io
import json
import logging
import os
import re
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from compare_gan.config import example_studies
from compare_gan.engine import list_checkpoints
from compare_gan.errors import UserError
from compare_gan.studies import End, Study, define, forecast, inspection, local, read_study
from compare_gan.studies.forecast import Forecast
from compare_gan.studies.inspection import inspect, inspect_apart
from compare_gan.studies.measurements import final_measurement
from compare_gan.training import Experiment


@pytest.fixture(name="untrained")
def _untrained(monkeypatch, stub):
    """Commands start processes that train nothing; configs are not checked."""
    for name, value in stub.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(local, "_COMMAND", stub.command)
    monkeypatch.setattr(inspection, "inspect_apart", lambda *_: {})
    monkeypatch.setattr(
        forecast, "forecast", lambda variants: {v.name: Forecast(60.0, 2**20) for v in variants}
    )
    return stub


@pytest.fixture(name="file")
def _file(tmp_path, base):
    path = tmp_path / "losses.gin"
    path.write_text(
        "study.base = 'base.gin'\nstudy.axes = {'loss.fn': [@hinge, @wasserstein]}\n"
        "study.metrics = ['fid']\n"
    )
    return path


def test_a_study_from_its_file_to_its_end(run_command, untrained, file, tmp_path):
    folder = tmp_path / "study"
    status, out, _ = run_command("study", "run", file, "--study_dir", folder, "--dry-run")
    assert status == 0
    assert "losses: 2 runs: 2 waiting" in out
    assert "Time: at least 2:00 for 2 runs, one after the other: the arithmetic of" in out
    assert "Disk: about 2 MiB; " in out and "MiB are free" in out
    assert not folder.exists()

    status, out, err = run_command("study", "run", file, "--study_dir", folder, "--workers", 2)
    assert status == 0
    assert "hinge        1.5  1 of 1" in out
    assert "hinge-seed1: finished: fid 1.5" in err
    assert len(untrained.names) == 2

    status, out, _ = run_command("study", "status", folder)
    assert status == 0
    assert "losses: 2 runs: 2 finished" in out

    status, out, _ = run_command("study", "add", folder, "--seeds", 2)
    assert status == 0
    assert "The study now has 3 seeds (new: 2, 3) and 6 runs." in out
    status, out, _ = run_command("study", "run", "--study_dir", folder, "--dry-run")
    assert re.search(r"Time: about 0:\d\d for 4 runs", out)
    status, out, _ = run_command("study", "run", "--study_dir", folder)
    assert status == 0
    assert sorted(untrained.names) == [
        "hinge-seed2", "hinge-seed3", "wasserstein-seed2", "wasserstein-seed3",
    ]  # fmt: skip
    assert "hinge        1.5 ± 0  3 of 3" in out
    status, out, _ = run_command("study", "run", "--study_dir", folder, "--dry-run")
    assert "All runs have ended: nothing is left to do." in out and "Time:" not in out


def test_a_script_for_a_cluster_has_the_runs_that_are_left(run_command, untrained, file, tmp_path):
    folder = tmp_path / "study"
    arguments = ("study", "script", file, "--study_dir", folder, "--for")
    script = tmp_path / "job.sh"
    status, out, _ = run_command(*arguments, "slurm", "--workers", 1, "--output", script)
    assert (status, out) == (0, f"2 runs: sbatch {script}\n")
    assert "#SBATCH --array=0-1%1" in script.read_text()
    assert os.path.isdir(folder / "logs")

    # The command of a task.
    only = ("study", "run", "--study_dir", folder, "--workers", 1, "--only")
    status, out, _ = run_command(*only, "hinge-seed1")
    assert status == 0
    assert untrained.names == ["hinge-seed1"]
    assert "wasserstein" not in out
    status, _, err = run_command(*only, "hing-seed1")
    assert status == 2
    assert "The study has no run 'hing-seed1'. Did you mean 'hinge-seed1'?" in err

    status, out, _ = run_command(*arguments, "kubernetes")
    assert status == 0
    assert "  completions: 1\n" in out
    assert "wasserstein-seed1\n" in out
    assert "hinge-seed1" not in out
    run_command(*only, "wasserstein-seed1")
    status, _, err = run_command(*arguments, "slurm")
    assert status == 2
    assert "have ended: no task is left" in err


def test_a_study_with_a_run_that_fails_ends_with_status_1(
    run_command, untrained, file, tmp_path, monkeypatch
):
    monkeypatch.setenv("STUB", json.dumps({"hinge-seed1": "crash", "wasserstein-seed1": "diverge"}))
    arguments = ("study", "run", file, "--study_dir", tmp_path / "study", "--retries", 0)
    status, out, err = run_command(*arguments)
    assert status == 1
    assert "wasserstein  0 of 1, 1 diverged" in out
    assert "1 of 2 runs have neither finished nor diverged" in err


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["run", "--study_dir", "nowhere"], "'{}/nowhere' is not the directory of a study"),
        (["run", "losse.gin", "--study_dir", "x"], "Did you mean 'losses.gin'?"),
        (["status", "nowhere"], "is not the directory of a study"),
        (["add", "nowhere", "--seeds", "1"], "is not the directory of a study"),
        (["prune", "nowhere"], "is not the directory of a study"),
        (["run", "losses.gin", "--study_dir", "losses.gin"], "losses.gin' is a file"),
        (["run", "losses.gin", "--study_dir", "run"], "{}/run' is the directory of a run"),
    ],
)
def test_a_mistake_is_one_sentence(run_command, file, arguments, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.gin").touch()
    status, out, err = run_command("study", *arguments)
    assert (status, out) == (2, "")
    assert sentence.format(tmp_path) in err
    assert not (tmp_path / "x").exists()


def _checkpoint(folder, step):
    path = folder / "checkpoints" / f"step-{step}"
    path.mkdir(parents=True)
    (path / "index.json").write_text("{}")
    (path / "arrays-0.npz").write_bytes(bytes(1000))


def test_pruning_keeps_the_last_checkpoint_and_all_results(
    run_command, untrained, file, tmp_path, monkeypatch
):
    monkeypatch.setenv("STUB", json.dumps({"wasserstein-seed1": "crash"}))
    folder = tmp_path / "study"
    run_command("study", "run", file, "--study_dir", folder, "--retries", 0)
    runs = [folder / "runs" / name for name in ("hinge-seed1", "wasserstein-seed1")]
    for run in runs:
        (run / "samples").mkdir()
        for step in (0, 3, 6):
            _checkpoint(run, step)
    from compare_gan.engine import list_checkpoints

    assert len(list_checkpoints(str(runs[0] / "checkpoints"))) == 3
    status, out, err = run_command("study", "prune", folder)
    assert status == 2
    assert "0.0 MiB (checkpoints: 2)" in out
    assert "--yes is needed" in err
    status, out, _ = run_command("study", "prune", folder, "--yes", "--pictures")
    assert status == 0
    assert "(checkpoints: 2, folders with pictures: 1)" in out
    assert os.listdir(runs[0] / "checkpoints") == ["step-6"]
    assert len(os.listdir(runs[1] / "checkpoints")) == 3  # It failed, and may go on.
    assert not (runs[0] / "samples").exists()
    assert (runs[0] / "results.jsonl").exists()
    assert "(checkpoints: 0)" in run_command("study", "prune", folder)[1]


_TINY = """
options.gan_class = @S3GAN
options.architecture = 'dummy_arch'
options.batch_size = 8
options.z_dim = 4
S3GAN.self_supervision = 'none'
dataset.name = 'synthetic'
dataset.image_size = 8
dataset.labeled_fraction = 0.5
dataset.inferred_labels = True
infer_labels.features = 'raw'
synthetic.num_examples = 40
run_config.monitors = False
evaluation.extractor = 'fashion_cnn'
evaluation.num_fake = 40
"""


@pytest.fixture(name="tiny")
def _tiny(tmp_path):
    """Options of a study that is trained."""
    path = tmp_path / "tiny.gin"
    path.write_text(_TINY)
    return {
        "base": str(path),
        "axes": {"loss.fn": ["@hinge", "@wasserstein"]},
        "steps": 2,
        "metrics": ["fid"],
        "averaging_runs": 1,
    }


_EAGERLY = """
import tensorflow as tf
from compare_gan.main import main
tf.config.run_functions_eagerly(True)
main()
"""


class _ForkExecutor:
    """An executor of another kind: forks of a process in which TensorFlow has been imported."""

    slots = 2

    def __init__(self, forks):
        self._forks = forks
        self._running = []

    def start(self, task):
        fork = self._forks.start(*task.arguments, code=_EAGERLY)
        self._running.append((task, fork, time.monotonic()))

    def ended(self, seconds):
        time.sleep(0.05)
        ended = [each for each in self._running if each[1].poll() is not None]
        self._running = [each for each in self._running if each not in ended]
        found = []
        for task, fork, started in ended:
            with open(task.log, "w") as log:
                log.write(fork.communicate()[1])
            found.append((task, End(fork.returncode, time.monotonic() - started)))
        return found

    def interrupt(self):
        raise NotImplementedError


def test_a_study_that_is_trained(tiny, tmp_path, forks, monkeypatch):
    """Two runs share the labels that are inferred for both; scores have their provenance."""
    monkeypatch.setattr(inspection, "inspect_apart", lambda study, runs, _: inspect(study, runs))
    os.makedirs(tmp_path / "study" / "logs")
    study = Study(study_dir=tmp_path / "study", **tiny)
    found = study.run(executor=_ForkExecutor(forks))
    logs = [path.read_text() for path in (tmp_path / "study" / "logs").iterdir()]
    assert [record.state for record in found] == ["finished", "finished"], logs
    assert found == Study(study_dir=tmp_path / "study").records()
    finals = [final_measurement(record)["fid_fashion_cnn"] for record in found]
    assert all(final.provenance.num_fake == 40 for final in finals)
    assert len({final.training_labels["hash"] for final in finals}) == 1
    [labels] = os.listdir(study.place.labels(""))
    assert len(study.place.journal.attempts()[f"labels-{labels}"]) == 1
    assert [record.images_seen for record in found] == [16, 16]
    assert found[0].cpu_seconds is None


def _newest_arrays(record):
    """The content of the newest checkpoint of a run."""
    newest = list_checkpoints(os.path.join(record.model_dir, "checkpoints"))[-1]
    [name] = [name for name in os.listdir(newest) if name.endswith(".npz")]
    with np.load(os.path.join(newest, name)) as file:
        return {key: file[key] for key in file.files}


@pytest.mark.slow
def test_a_search_that_prunes_ends_like_one_that_does_not(tiny, tmp_path, forks, monkeypatch):
    """Runs that go on have the bits of a training in one go; the others end at the comparison."""
    pytest.importorskip("optuna", reason="Optuna is not installed")
    monkeypatch.setattr(inspection, "inspect_apart", lambda study, runs, _: inspect(study, runs))
    labels = ["dataset.inferred_labels = False"]
    given = tiny | {"steps": 2, "trials": 3, "objective": "fid_fashion_cnn", "sampler": "random"}
    given |= {"bindings": labels, "search": {"S3GAN.g_lr": ("log", 1e-4, 1e-1)}}
    found = {}
    for name, options in {
        "whole": {},
        "pruned": {"pruner": "successive_halving", "pruning_steps": [1]},
    }.items():
        os.makedirs(tmp_path / name / "logs")
        study = Study(study_dir=tmp_path / name, **given | options)
        found[name] = study.run(executor=_ForkExecutor(forks))
    assert {record.state for record in found["whole"]} == {"finished"}
    assert {record.state for record in found["pruned"]} == {"finished", "pruned"}
    for whole, record in zip(*found.values(), strict=True):
        assert record.axes == whole.axes
        if record.state == "pruned":
            assert record.step == record.pruning.step == 1
            assert [row.step for row in record.rows] == [1]
            continue
        assert final_measurement(record)["fid_fashion_cnn"].scores == (
            final_measurement(whole)["fid_fashion_cnn"].scores
        )
        np.testing.assert_equal(_newest_arrays(record), _newest_arrays(whole))


def test_configs_are_checked_as_by_train(tiny):
    study = define(**tiny | {"seeds": 2})
    keys = inspect(study, study.runs)
    assert keys["hinge-seed1"] == keys["wasserstein-seed1"] != keys["hinge-seed2"]
    wrong = define(**tiny | {"axes": {"loss.fn": ["@hing", "@hinge"]}, "protocol": "fid50"})
    with pytest.raises(UserError) as error:
        inspect(wrong, wrong.runs)
    lines = str(error.value).splitlines()
    assert lines[0] == (
        "The variant 'hing': Nothing configurable is called 'hing'. Did you mean 'hinge'?"
    )
    assert lines[1].startswith("The variant 'hinge': Unknown protocol 'fid50'. Did you mean")


def test_a_warning_names_the_variants_that_it_concerns(tiny, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("compare_gan"), "handlers", [caplog.handler])
    axes = {"norm": {"none": "D.layer_norm = False", "layer": "D.layer_norm = True"}}
    bindings = ["options.architecture = 'sndcgan_arch'", "sndcgan.Discriminator.ch = 1"]
    study = define(**tiny | {"axes": axes, "bindings": bindings})
    inspect(study, study.runs)
    warning = "D.layer_norm has no effect on sndcgan."
    assert set(caplog.messages) == {f"The variant '{study.variants[1].name}': {warning}"}


def test_an_interval_of_scores_without_a_checkpoint_is_a_mistake(tiny):
    options = tiny | {"axes": None, "steps": 40, "eval_every_steps": 15}
    possible = define(**options, bindings=["run_config.save_checkpoints_steps = 5"])
    inspect(possible, possible.runs)
    in_vain = define(**options, bindings=["run_config.save_checkpoints_steps = 20"])
    with pytest.raises(UserError, match=r"multiple of study.eval_every_steps, 15: .* is 20."):
        inspect(in_vain, in_vain.runs)


def _each_value_once(runs):
    """The runs that have a value of an axis which no run before them has."""
    seen, chosen = set(), []
    for run in runs:
        if not seen.issuperset(run.variant.axes.items()):
            seen.update(run.variant.axes.items())
            chosen.append(run)
    return chosen or runs


@pytest.mark.parametrize("part", ["each value once", pytest.param("all", marks=pytest.mark.slow)])
def test_example_studies_are_valid(tmp_path, monkeypatch, part):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "gallery").mkdir(parents=True)
    images, labels = np.zeros((10_000, 28, 28), np.uint8), np.arange(10_000) % 10
    np.savez("runs/gallery/turned_fashion_mnist.npz", images=images, labels=labels)
    for i in range(600):
        path = tmp_path / "runs" / "gallery" / "icons" / "abc"[i % 3] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(path)
    studies = {each.name: read_study(each.name) for each in example_studies()}
    assert {name: len(study.runs) for name, study in studies.items()} == {
        "studies/few_labels_fashion_mnist": 57,  # As benchmarks/few_labels.
        "studies/landscape_fashion_mnist": 96,
        "studies/losses_fashion_mnist": 4,
        "studies/main_job_fashion_mnist": 42,
        "studies/modes_stacked_digits": 12,
        "studies/regularizers_fashion_mnist": 24,
        "studies/rotation_icons": 6,
        "studies/rotation_turned": 6,
        "studies/rotation_upright": 6,
        "studies/rotation_weights": 24,
        "studies/seeds_fashion_mnist": 12,
        "studies/small_data_fashion_mnist": 30,
    }
    for study in studies.values():
        runs = study.with_seeds([1]).runs
        inspect(study, _each_value_once(runs) if part == "each value once" else runs)


def test_configs_are_checked_in_a_process_that_uses_no_gpu(tiny, monkeypatch, capsys):
    study = define(**tiny)
    wrong = define(**tiny | {"axes": {"loss.fn": ["@hing"]}})
    said = []

    def run(command, *, input, env, **options):
        assert env["CUDA_VISIBLE_DEVICES"] == "-1"
        assert env["OWN"] == "1"
        monkeypatch.setattr("sys.stdin", io.StringIO(input))
        capsys.readouterr()
        exec(command[-1], {})
        out, err = capsys.readouterr()
        said.append(err.count("Two configs say this."))
        return subprocess.CompletedProcess(command, 0, stdout=out)

    monkeypatch.setattr(subprocess, "run", run)
    check, log = Experiment.check, logging.getLogger("compare_gan.tests")
    monkeypatch.setattr(
        Experiment, "check", lambda self: log.warning("Two configs say this.") or check(self)
    )
    assert inspect_apart(study, study.runs, {"OWN": "1"}) == inspect(study, study.runs)
    with pytest.raises(UserError, match="Nothing configurable is called 'hing'"):
        inspect_apart(wrong, wrong.runs, {"OWN": "1"})
    assert said == [1, 0]


def test_a_study_has_a_file_or_options(file, tmp_path):
    with pytest.raises(UserError, match="received both: seeds"):
        Study(file, study_dir=tmp_path / "study", seeds=3)
