"""Faults of devices, microbatches and clusters: numbers that do not fit together."""

import pytest
import tensorflow as tf

from compare_gan import config, engine
from compare_gan.engine.device_count import set_wanted_devices
from compare_gan.errors import UserError
from compare_gan.main import main
from compare_gan.training import Experiment
from compare_gan.training.trainer import make_strategy


def _fails(capsys, tiny_run, *bindings, options=()):
    """The sentence and the exit status of a dry run."""
    arguments = [part for each in (*tiny_run, *bindings) for part in ("--gin_bindings", each)]
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--dry-run", *options, *arguments])
    return capsys.readouterr().err.strip().splitlines()[-1], exit_.value.code


@pytest.fixture(name="wanted")
def _wanted(monkeypatch):
    """`wanted(count)`: as `--devices`, whose device this process has used already."""
    monkeypatch.setattr("compare_gan.engine.device_count._count", None)
    return set_wanted_devices


def test_microbatches_that_do_not_divide_the_batch(capsys, tiny_run):
    """Fault: microbatches that do not divide the batch of a device.

    Command: compare_gan train (run_config.microbatches = 3, options.batch_size = 8)
    User sees: the two numbers.
    Exit code: 2
    Lost: nothing
    """
    sentence, status = _fails(capsys, tiny_run, "run_config.microbatches = 3")
    assert status == 2
    assert "run_config.microbatches is 3" in sentence and "batch size of a device, 8" in sentence


def test_microbatches_too_small_for_the_rotated_images(capsys, tiny_run):
    """Fault: microbatches that are too small for the images of the rotation task.

    Command: compare_gan train (run_config.microbatches = 2, S3GAN.rotated_batch_fraction = 2)
    User sees: which numbers do not fit.
    Exit code: 2
    Lost: nothing
    """
    sentence, status = _fails(capsys, tiny_run, "run_config.microbatches = 2")
    assert status == 2 and "rotated_batch_fraction is 2" in sentence


def test_devices_that_have_been_used(capsys, tiny_run, wanted):
    """Fault: --devices in a Python process that has computed already.

    Command: compare_gan.main.main(["train", "--devices", "2", …])
    User sees: that the devices cannot be changed any more.
    Exit code: 2
    Lost: nothing
    """
    tf.constant(0.0)
    sentence, status = _fails(capsys, tiny_run, options=("--devices", "2"))
    assert status == 2 and sentence.startswith("Error: --devices cannot be changed any more")


def test_more_devices_than_gpus(monkeypatch, wanted):
    """Fault: --devices names more GPUs than there are.

    Command: compare_gan train --devices 4 (on a machine with two GPUs)
    User sees: both numbers.
    Exit code: 2
    Lost: nothing
    """
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * 2)
    with pytest.raises(UserError, match=r"--devices is 4, but this machine has 2 GPUs\."):
        engine.use_devices(4)


@pytest.mark.parametrize("binding", ["single_core = True", "distribution = 'one_device'"])
def test_several_devices_and_a_config_for_one(tiny_run, wanted, binding):
    """Fault: --devices asks for several devices, and the config for one.

    Command: compare_gan train --devices 2 (run_config.single_core = True)
    User sees: the option of the config.
    Exit code: 2
    Lost: nothing
    """
    wanted(2)
    config.parse([], [*tiny_run, f"run_config.{binding}"])
    with pytest.raises(UserError, match=f"--devices is 2, but .* run_config.{binding}"):
        make_strategy(Experiment.from_gin().run_config)


def test_logical_cpus_of_workers(monkeypatch, wanted):
    """Fault: --devices divides the CPU of a worker of TF_CONFIG.

    Command: TF_CONFIG=… compare_gan train --devices 2
    User sees: to start more workers instead.
    Exit code: 2
    Lost: nothing
    """
    wanted(2)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pytest.raises(UserError, match="start more workers instead"):
        engine.make_strategy("multi_worker")
