"""Faults of training itself: divergence, and weights that are not finite."""

import json
import logging
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from compare_gan import engine
from compare_gan.errors import DivergenceError
from compare_gan.training import RunDir, Trainer
from compare_gan.training.monitors.monitors import read as read_monitors
from compare_gan.training.recorder import Recorder
from compare_gan.training.rollbacks import Entry
from compare_gan.training.summaries import read_log

# Adam moves each weight by the learning rate, here beyond the largest float32: the generator's
# weights are not finite after one update, which no value of that step shows.
_BREAKS = ("S3GAN.g_lr = 1e39", "S3GAN.d_lr = 0.001", "run_config.sample_steps = 1000")


def _finite(path):
    return all(np.all(np.isfinite(value)) for value in engine.read_checkpoint(path).values())


def test_weights_that_are_not_finite_are_never_saved(tmp_path, make_trainer, eagerly):
    """
    Fault: The generator's weights overflow in the step before a checkpoint, and no sample is due.
    Command: `compare_gan train`
    User sees: Training diverged at step 1: generator/… are not finite.
    Exit code: 3
    Lost: nothing that was saved
    """
    trainer = make_trainer(
        tmp_path,
        *_BREAKS,
        "run_config.save_checkpoints_steps = 1",
    )
    with pytest.raises(DivergenceError, match=r"at step 1: generator/.* not finite\. The last"):
        trainer.train()
    saved = engine.list_checkpoints(str(tmp_path / "checkpoints"))
    assert [engine.step_of(path) for path in saved] == [0] and _finite(saved[0])
    note = json.loads((tmp_path / "DIVERGED").read_text())
    assert note["step"] == 1 and note["terms"][0].startswith("generator/")


def _break_first_batches(monkeypatch, at, times):
    """Makes the generator's weights infinite at a step, `times` times."""
    left = [times]
    record = Recorder.on_steps

    def on_steps(self, step, history, seconds):
        record(self, step, history, seconds)
        if step == at and left[0]:
            left[0] -= 1
            weight = self._state.gan.generator.trainable_variables[0]
            weight.assign(np.full(weight.shape, np.inf))

    monkeypatch.setattr(Recorder, "on_steps", on_steps)


# The kind of GAN plays no part: few updates without tasks take least time.
_SIMPLE = (
    "S3GAN.self_supervision = 'none'",
    "S3GAN.use_predictor = False",
    "options.disc_iters = 1",
    "D.spectral_norm = False",
)
_ROLLBACK = (
    *_SIMPLE,
    "run_config.on_divergence = 'rollback'",
    "run_config.max_rollbacks = 2",
    "run_config.iterations_per_loop = 1",
    "run_config.sample_steps = 2",
)


def test_a_rollback_goes_on_with_other_batches(tmp_path, make_trainer, monkeypatch, eagerly):
    """
    Fault: Weights overflow once; the config asks for rollbacks.
    Command: `compare_gan train` with `run_config.on_divergence = "rollback"`
    User sees: Training diverged at step 5: … It goes on from step 3 with other batches
    Exit code: 0
    Lost: the steps since the last checkpoint
    """
    plain = make_trainer(tmp_path / "plain", *_SIMPLE)
    plain.train()
    _break_first_batches(monkeypatch, at=4, times=1)
    trainer = make_trainer(tmp_path / "run", *_ROLLBACK)
    trainer.train()
    run = RunDir(str(tmp_path / "run"))
    [entry] = run.rollbacks.read()
    assert (entry.step, entry.checkpoint) == (5, 3) and entry.terms
    steps = [engine.step_of(path) for path in run.list_checkpoints()]
    assert steps == [0, 3, 6] and all(map(_finite, run.list_checkpoints()))
    assert [run.rollbacks.count_before(step) for step in steps] == [0, 0, 1]
    assert not run.diverged
    first, second = (engine.read_checkpoint(r.list_checkpoints()[1]) for r in (run, plain.run))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    first, second = (engine.read_checkpoint(r.list_checkpoints()[2]) for r in (run, plain.run))
    assert first["seed"] == second["seed"]
    assert not all(np.array_equal(first[name], second[name]) for name in first)
    assert [row["step"] for row in read_log(run.log)] == [1, 2, 3, 4, 5, 6]


def test_a_run_killed_after_a_rollback_ends_like_one_that_was_not(
    tmp_path, make_trainer, monkeypatch, eagerly
):
    """
    Fault: A run is killed between a rollback and the next checkpoint.
    Command: `compare_gan train`, twice
    User sees: the same weights as without the kill
    Exit code: 0
    Lost: nothing that was saved
    """
    _break_first_batches(monkeypatch, at=4, times=1)
    make_trainer(tmp_path / "whole", *_ROLLBACK).train()

    _break_first_batches(monkeypatch, at=4, times=1)
    killed = make_trainer(tmp_path / "killed", *_ROLLBACK)
    change = Trainer._change_batches

    def change_and_die(self, *args):
        change(self, *args)
        raise SystemExit

    monkeypatch.setattr(Trainer, "_change_batches", change_and_die)
    with pytest.raises(SystemExit):
        killed.train()
    monkeypatch.setattr(Trainer, "_change_batches", change)
    make_trainer(tmp_path / "killed", *_ROLLBACK).train()
    ends = [
        engine.read_checkpoint(str(tmp_path / n / "checkpoints/step-6"))
        for n in ("whole", "killed")
    ]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_rollbacks_are_bounded_over_all_starts(tmp_path, make_trainer, monkeypatch, eagerly):
    """
    Fault: Every attempt diverges; the config asks for rollbacks.
    Command: `compare_gan train` with `run_config.on_divergence = "rollback"`
    User sees: Training diverged at step 5: … The last checkpoint is kept.
    Exit code: 3
    Lost: the steps since the last checkpoint
    """
    _break_first_batches(monkeypatch, at=4, times=100)
    with pytest.raises(DivergenceError, match="Training diverged at step 5"):
        make_trainer(tmp_path, *_ROLLBACK).train()
    run = RunDir(str(tmp_path))
    assert len(run.rollbacks.read()) == 2 and run.diverged
    (tmp_path / "DIVERGED").unlink()
    with pytest.raises(DivergenceError):
        make_trainer(tmp_path, *_ROLLBACK).train()
    assert len(run.rollbacks.read()) == 2
    assert [engine.step_of(path) for path in run.list_checkpoints()] == [0, 3]
    (tmp_path / "rollbacks.json").write_text("{}")
    assert run.rollbacks.read() == []
    run.rollbacks.add(Entry(7, ["loss"], 3))
    assert (tmp_path / "rollbacks.json.damaged-1").read_text() == "{}"
    assert run.rollbacks.count_before(4) == 1


def test_rollbacks_and_monitors_on_jax(tmp_path):
    """
    Fault: Weights overflow once under JAX; the config asks for rollbacks.
    Command: `compare_gan train`, `KERAS_BACKEND=jax`
    User sees: Training diverged at step 4: … It goes on from step 2 with other batches
    Exit code: 0
    Lost: the steps since the last checkpoint
    """
    pytest.importorskip("jax", reason='not installed: pip install -e ".[jax]"')
    done = subprocess.run(
        [
            sys.executable,
            str(pathlib.Path(__file__).parent / "divergence_on_jax.py"),
            str(tmp_path),
        ],
        env=os.environ
        | {
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "COMPARE_GAN_CACHE": str(tmp_path / "cache"),
            "PYTHONPATH": str(pathlib.Path(__file__).parents[2]),
            "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same with and without monitors"] is True
    assert {"variety", "logit/held_out", "d_loss_share"} <= set(found["values"])
    assert found["rollbacks"] == [2] and found["finite after a rollback"] is True
    assert found["same after a rollback"] is False


def test_a_learning_rate_of_a_million_is_no_longer_silent(tmp_path, make_trainer, caplog):
    """
    Fault: A learning rate of 1e6: the losses stay finite, the samples are all alike.
    Command: `compare_gan train`
    User sees: Step 200: samples vary only 3.1% as much as real images do …
    Exit code: 0
    Lost: nothing
    """
    options = (
        "S3GAN.g_lr = 1e6", "S3GAN.d_lr = 1e6", "options.training_steps = 400",
        "run_config.iterations_per_loop = 100", "run_config.sample_steps = 100",
        "run_config.save_checkpoints_steps = 400",
        "options.disc_iters = 1", "S3GAN.use_predictor = False",
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, logger="compare_gan"):
        make_trainer(tmp_path, *options).train()
    rows = read_monitors(str(tmp_path / "monitors.jsonl"))
    assert [bool(row["warnings"]) for row in rows] == [False, True, True, True]
    expected = {"collapse", "dead_generator", "wild_discriminator", "rotation_unsolved"}
    assert all(expected <= {each["monitor"] for each in row["warnings"]} for row in rows[1:])
    [warning] = [each for each in rows[-1]["warnings"] if each["monitor"] == "collapse"]
    assert warning["since"] == 100 and warning["advice"] == "ModularGAN.g_lr = 0.0002"
    once = [text for text in caplog.messages if text.startswith("Step 200: samples vary only")]
    assert len(once) == 1 and "since step 100; often helps: ModularGAN.g_lr = 0.0002" in once[0]
    assert "Early warnings at the end, see monitors.jsonl" in caplog.text
