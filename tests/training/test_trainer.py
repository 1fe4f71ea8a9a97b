"""Training: results do not depend on the lengths of calls or on interruptions."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from compare_gan.engine.checkpoints import list_checkpoints, step_of
from compare_gan.errors import DivergenceError, UserError
from compare_gan.training.recorder import Recorder
from compare_gan.training.summaries import read_log


def _values(trainer):
    return {name: v.numpy() for name, v in trainer.state.variables().items()}


def _assert_same_values(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_any_number_of_steps_uses_one_trace_and_gives_the_same(tmp_path, make_trainer):
    """And the log shows what was learned: shapes differ by colour, so the predictor learns them."""
    trainer = make_trainer(
        tmp_path, "options.disc_iters = 1", "options.training_steps = 306", "S3GAN.d_lr = 0.01"
    )
    start = _values(trainer)
    parts = [trainer.run_steps(count) for count in (1, 3, 2)]
    cut = _values(trainer)
    accuracy = trainer.run_steps(300)["accuracy/class_accuracy"]
    assert np.mean(accuracy[-50:]) > 0.8 > np.mean(accuracy[:5])
    for name, variable in trainer.state.variables().items():
        variable.assign(start[name])
    trainer.loop.iterator = None  # Its batches are those of later steps.
    history = trainer.run_steps(6)
    assert trainer.loop.function.experimental_get_tracing_count() == 1
    _assert_same_values(cut, _values(trainer))
    for name, course in history.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), course)
    assert {"loss/discriminator", "loss/generator", "loss/rotation_loss_real", "loss/class_loss",
            "gradient_norm/generator", "gradient_norm/discriminator"} <= history.keys()  # fmt: skip


def test_training_changes_everything_that_is_trained(tmp_path, make_trainer, finished_run):
    before = _values(make_trainer(tmp_path / "new"))
    finished_run(tmp_path / "trained")
    after = _values(make_trainer(tmp_path / "trained"))
    unchanged = {name for name in before if np.array_equal(before[name], after[name])}
    # The dummy discriminator has no bias that hinge or rotation would leave alone.
    assert unchanged == {"seed"}
    assert after["step"] == 6


def test_a_resumed_run_ends_like_an_uninterrupted_one(
    tmp_path, make_trainer, finished_run, eagerly
):
    finished_run(tmp_path / "whole")
    whole = make_trainer(tmp_path / "whole")
    first = make_trainer(tmp_path / "cut", "options.training_steps = 3")
    first.train()
    resumed = make_trainer(tmp_path / "cut")
    assert resumed.step == 3
    resumed.train()
    _assert_same_values(_values(resumed), _values(whole))
    rows = [read_log(str(tmp_path / name / "log.jsonl")) for name in ("cut", "whole")]
    assert [row["loss/generator"] for row in rows[0]] == [row["loss/generator"] for row in rows[1]]


def test_a_training_that_stops_between_ends_like_one_in_one_go(tmp_path, make_trainer, eagerly):
    decay = ("S3GAN.g_lr = @cosine_decay()", "cosine_decay.steps = 6")
    whole = make_trainer(tmp_path / "whole", *decay)
    whole.train()
    for stop in (2, 5, None):
        stopped = make_trainer(tmp_path / "cut", *decay)
        stopped.train(stop)
        assert stopped.step == (stop or 6)
    _assert_same_values(_values(stopped), _values(whole))


def test_files_of_a_finished_run(tmp_path, finished_run):
    finished_run(tmp_path)
    assert [step_of(path) for path in list_checkpoints(str(tmp_path / "checkpoints"))] == [0, 3, 6]
    pictures = {"real.png", "step_0000003.png", "step_0000006.png"}
    assert set(os.listdir(tmp_path / "samples")) == pictures
    found = set(os.listdir(tmp_path))
    assert {"samples.png", "losses.png", "log.jsonl", "operative_config.gin"} <= found
    assert not [name for name in found if name.endswith(".tmp")]
    with Image.open(tmp_path / "losses.png") as curves:
        assert min(curves.size) > 500
    operative = (tmp_path / "operative_config.gin").read_text()
    assert "S3GAN.weight_rotation_loss_g = 0.2" in operative  # A default.
    # Calls end where pictures or checkpoints are due: at 2, 3, 4 and 6.
    assert [row["step"] for row in read_log(str(tmp_path / "log.jsonl"))] == [2, 3, 4, 6]


def test_the_speed_counts_the_images_of_every_step_of_the_discriminator(
    tmp_path, make_trainer, monkeypatch, eagerly
):
    record, durations = Recorder.on_steps, []

    def note_and_record(self, step, history, seconds):
        durations.append(seconds)
        record(self, step, history, seconds)

    monkeypatch.setattr(Recorder, "on_steps", note_and_record)
    make_trainer(tmp_path, "options.training_steps = 1", "options.disc_iters = 3").train()
    [row] = read_log(str(tmp_path / "log.jsonl"))
    assert row["images_per_second"] == pytest.approx(3 * 8 / durations[0])


def test_a_finished_run_is_not_changed(tmp_path, make_trainer, finished_run):
    finished_run(tmp_path)
    before = (tmp_path / "log.jsonl").stat().st_mtime_ns
    make_trainer(tmp_path).train()
    assert (tmp_path / "log.jsonl").stat().st_mtime_ns == before


def test_divergence_is_marked_and_the_last_good_checkpoint_remains(
    tmp_path, make_trainer, simple_steps, eagerly
):
    # Adam moves each weight by the learning rate: products of such weights overflow.
    options = (*simple_steps, "loss.fn = @wasserstein", "D.spectral_norm = False")
    broken = (*options, "S3GAN.d_lr = 1e38")
    make_trainer(tmp_path, *options, "options.training_steps = 3").train()
    with pytest.raises(DivergenceError, match=r"at step [45]: .*are not finite") as caught:
        make_trainer(tmp_path, *broken).train()
    assert "gradient_norm/" in str(caught.value) or "loss/" in str(caught.value)
    note = json.loads((tmp_path / "DIVERGED").read_text())
    assert note["step"] in (4, 5) and note["terms"]
    assert [step_of(path) for path in list_checkpoints(str(tmp_path / "checkpoints"))] == [0, 3]
    with pytest.raises(UserError, match=r"diverged at step [45].*delete the file DIVERGED"):
        make_trainer(tmp_path, *broken)
    (tmp_path / "DIVERGED").unlink()
    resumed = make_trainer(tmp_path, *options)
    assert resumed.step == 3
    assert all(np.all(np.isfinite(value)) for value in _values(resumed).values())


def test_samples_that_are_not_finite_are_divergence_too(
    tmp_path, make_trainer, simple_steps, monkeypatch, eagerly
):
    def fail(*args):
        raise DivergenceError("The generator made images that are not finite.")

    monkeypatch.setattr(Recorder, "on_due", fail)
    with pytest.raises(DivergenceError, match="diverged at step 3: The generator made"):
        make_trainer(tmp_path, *simple_steps).train()
    assert json.loads((tmp_path / "DIVERGED").read_text()) == {
        "version": 1,
        "step": 3,
        "terms": ["samples"],
    }
    assert [step_of(path) for path in list_checkpoints(str(tmp_path / "checkpoints"))] == [0]


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM))
def test_a_signal_ends_the_run_with_a_checkpoint(
    tmp_path, make_trainer, simple_steps, monkeypatch, eagerly, number
):
    trainer = make_trainer(tmp_path, *simple_steps)
    record = Recorder.on_steps

    def kill_then_record(*args):
        os.kill(os.getpid(), number)
        record(*args)

    monkeypatch.setattr(Recorder, "on_steps", kill_then_record)
    previous = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 2, checkpoint saved"):
        trainer.train()
    assert signal.getsignal(number) is previous
    assert step_of(list_checkpoints(str(tmp_path / "checkpoints"))[-1]) == 2


def test_a_seed_that_is_drawn_is_recorded(tmp_path, make_trainer, simple_steps, eagerly):
    options = *simple_steps, "run_config.tf_random_seed = None", "options.training_steps = 1"
    first, second = make_trainer(tmp_path / "1", *options), make_trainer(tmp_path / "2", *options)
    assert first.state.seed.numpy() != second.state.seed.numpy()
    first.train()
    assert make_trainer(tmp_path / "1", *options).state.seed.numpy() == first.state.seed.numpy()


def test_mistakes_are_reported_before_anything_is_written(tmp_path, make_trainer):
    with pytest.raises(UserError, match="rotated_batch_fraction is 3: the batch size"):
        make_trainer(tmp_path / "new", "S3GAN.rotated_batch_fraction = 3")
    assert not (tmp_path / "new").exists()


def test_another_config_on_the_same_directory_is_refused(tmp_path, make_trainer, finished_run):
    finished_run(tmp_path)
    with pytest.raises(UserError, match=r"another config \(options\.z_dim: 4 → 5\): choose"):
        make_trainer(tmp_path, "options.z_dim = 5")
    # Without the config before, the shapes of the weights show it.
    shutil.rmtree(tmp_path / "configs")
    (tmp_path / "config.gin").unlink()
    with pytest.raises(UserError, match="step-6' does not fit this config"):
        make_trainer(tmp_path, "G.batch_norm_fn = @conditional_batch_norm")


@pytest.mark.parametrize("centered", (None, True, False))
def test_old_configs_get_a_note_on_gamma(tmp_path, make_trainer, caplog, centered):
    more = [] if centered is None else [f"conditional_batch_norm.centered = {centered}"]
    with caplog.at_level("INFO", logger="compare_gan"):
        make_trainer(tmp_path, "G.batch_norm_fn = @conditional_batch_norm", *more)
    assert ("gamma is 1 + y·W" in caplog.text) == (centered is None)


def test_learning_rates_follow_the_config_on_resuming(tmp_path, make_trainer, finished_run):
    finished_run(tmp_path)
    resumed = make_trainer(tmp_path, "S3GAN.g_lr = 0.5", "S3GAN.d_lr = 0.25")
    assert resumed.step == 6
    assert float(resumed.state.g_optimizer.learning_rate) == 0.5
    assert float(resumed.state.d_optimizer.learning_rate) == 0.25
