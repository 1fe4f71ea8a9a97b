"""What each mode trains and scores, and in which order; tests/evaluation tests the scores."""

import json
import os

import pytest

from compare_gan import config
from compare_gan.errors import UserError
from compare_gan.training import modes
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_lock import RunLock

_PLAN = modes.EvaluationPlan(averaging_runs=1, every_steps=3)


@pytest.fixture(name="run")
def _run(tmp_path, tiny_run, monkeypatch, eagerly):
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))

    def run(schedule, *bindings, plan=_PLAN, stop_step=None):
        config.parse([], [*tiny_run, *bindings])
        run_dir = RunDir(str(tmp_path / "run"))
        modes.run(schedule, Experiment.from_gin(), run_dir, plan, stop_step=stop_step)
        return [row.step for row in run_dir.results().read()]

    return run


def test_train_does_not_evaluate_and_checks_once(run, monkeypatch):
    check, checked = Experiment.check, []

    def count(*args):
        checked.append(args)
        check(*args)

    monkeypatch.setattr(Experiment, "check", count)
    assert run("train", "options.training_steps = 3") == []
    assert len(checked) == 1


def test_eval_after_train_scores_each_chosen_checkpoint_once(run, tmp_path, capsys, finished_run):
    finished_run(tmp_path / "run")
    assert run("eval_after_train") == [3, 6]
    shown = capsys.readouterr().out
    assert "class_agreement_fashion_cnn" not in shown  # Shapes are no garments.
    assert "fid_fashion_cnn" in shown
    operative = (tmp_path / "run" / "operative_config.gin").read_text()
    assert "evaluation.batch_size = 100" in operative and "eval_z.minval = -1.0" in operative
    # A process that was killed before it wrote the table leaves the rows.
    table = tmp_path / "run" / "scores.csv"
    whole = table.read_text()
    table.unlink()
    assert run("eval_after_train") == [3, 6]
    assert table.read_text() == whole
    # Longer training of the same run adds rows for the new checkpoints.
    assert run("eval_after_train", "options.training_steps = 7") == [3, 6, 7]
    assert len(table.read_text().splitlines()) == 4


def test_the_step_at_which_a_training_stops_is_scored(run, tmp_path, caplog):
    assert run("eval_after_train", stop_step=2) == [2]
    assert run("eval_after_train", stop_step=2) == [2]
    assert "has reached step 2 already, and --stop_step is 2" in caplog.text
    assert run("eval_after_train", stop_step=4) == [2, 3, 4]
    assert run("eval_after_train") == [2, 3, 4, 6]


def test_a_stop_beyond_the_training_or_without_one_is_a_mistake(run):
    with pytest.raises(UserError, match=r"--stop_step must be at most options\.training_steps, 6"):
        run("train", stop_step=7)
    with pytest.raises(UserError, match="--stop_step is for a training"):
        run("continuous_eval", stop_step=2)


def test_the_meaning_of_the_spread_is_printed_once(run, tmp_path, capsys, finished_run):
    finished_run(tmp_path / "run")
    plan = modes.EvaluationPlan(averaging_runs=2, every_steps=3)
    assert run("eval_after_train", plan=plan) == [3, 6]
    shown = capsys.readouterr().out
    assert "Step 3" in shown and "Step 6" in shown
    assert shown.count("is the standard deviation over 2 sets") == 1
    assert shown.rstrip().endswith("other trainings (seeds).")


def test_a_row_with_another_provenance_does_not_count(run, tmp_path, finished_run):
    finished_run(tmp_path / "run")
    plan = modes.EvaluationPlan(averaging_runs=1, every_steps=6)
    done = run("eval_after_train", "evaluation.num_fake = 20", plan=plan)
    assert done == [6]
    # tests/evaluation/test_scoring.py has all that rows record.
    for other in ("split = 'train'", "seed = 5"):
        done += [6]
        assert run("eval_after_train", f"evaluation.{other}", plan=plan) == done
    assert run("eval_after_train", f"evaluation.{other}", plan=plan) == done


def test_mistakes_in_the_evaluation_are_reported_before_the_training(run, tmp_path):
    with pytest.raises(UserError, match=r"Unknown split of synthetic 'tset'\. Did you mean 'test'"):
        run("eval_after_train", "evaluation.split = 'tset'")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "schedule", ("eval_after_train", pytest.param("continuous_eval", marks=pytest.mark.slow))
)
def test_a_damaged_checkpoint_is_skipped(run, tmp_path, finished_run, schedule):
    finished_run(tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "step-3" / "index.json").write_bytes(b"")
    assert run(schedule) == [6]


def test_a_row_of_a_newer_version_is_reported_before_the_training(run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results.jsonl").write_text('{"version": 9}\n')
    with pytest.raises(UserError, match=r"Line 1 of .*results\.jsonl' has version 9"):
        run("eval_after_train")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_continuous_eval_scores_checkpoints_until_the_last(
    run, tmp_path, monkeypatch, finished_run
):
    finished_run(tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "step-6"
    last.rename(tmp_path / "later")
    waits = []

    def train_on(seconds):
        waits.append(seconds)
        (tmp_path / "later").rename(last)

    monkeypatch.setattr(modes.time, "sleep", train_on)
    assert run("continuous_eval") == [3, 6]
    assert len(waits) == 1  # The first pass found step 3 only, and waited.


def test_continuous_eval_of_a_diverged_run_ends(run, tmp_path, finished_run):
    finished_run(tmp_path / "run")
    (tmp_path / "run" / "DIVERGED").write_text(json.dumps({"step": 1, "terms": ["loss"]}))
    with pytest.raises(UserError, match="has diverged; nothing more will come"):
        run("continuous_eval", "options.training_steps = 9")
    # Its earlier checkpoints are scored.
    assert [row.step for row in RunDir(str(tmp_path / "run")).results().read()] == [3, 6]


def test_one_process_trains_while_others_read(run, tmp_path, finished_run):
    """Which lock is held, and by whom, is tested in test_run_lock.py."""
    finished_run(tmp_path / "run")
    with RunLock(str(tmp_path / "run" / "training.lock")):
        before = (tmp_path / "run" / "config.gin").read_text()
        for mode in ("train", "eval_after_train"):
            with pytest.raises(UserError, match=f"run' is in use: process {os.getpid()} on "):
                run(mode, "options.training_steps = 7")
        assert (tmp_path / "run" / "config.gin").read_text() == before
        assert run("continuous_eval") == [3, 6]
        assert RunDir(tmp_path / "run").load().step == 6
    (tmp_path / "run" / "training.lock").touch()  # As SIGKILL leaves it.
    assert run("train", "options.training_steps = 7") == [3, 6]
    assert RunDir(tmp_path / "run").load().step == 7
    assert not (tmp_path / "run" / "training.lock").exists()
