"""An experiment is resolved: what gin holds later has no effect on it."""

import gin
import numpy as np
import pytest

from compare_gan import config
from compare_gan.training import Experiment, RunDir, Trainer

_BINDINGS = (
    "tf.train.AdamOptimizer.beta1 = 0.5",
    "penalty.fn = @wgangp_penalty",
    "options.lamba = 10",
    "options.disc_iters = 1",
)


def test_a_run_trains_as_its_config_says_whatever_gin_holds_later(tiny_run, tmp_path, eagerly):
    losses = []
    for cleared in (False, True):
        config.parse([], [*tiny_run, *_BINDINGS])
        experiment = Experiment.from_gin()
        if cleared:
            gin.clear_config()
        trainer = Trainer(experiment, RunDir(tmp_path / str(cleared)))
        losses.append(trainer.run_steps(2))
    assert losses[0].keys() == losses[1].keys() and "loss/penalty" in losses[0]
    for name, course in losses[0].items():
        # Equal but for the order of sums in threads.
        np.testing.assert_allclose(course, losses[1][name], rtol=1e-5, err_msg=name)


def test_loading_a_run_leaves_the_bindings_of_another(make_trainer, tmp_path):
    trainer = make_trainer(tmp_path / "run")
    trainer.checkpoints.save()
    trainer.checkpoints.wait()
    trainer.run.write_description(trainer.experiment.dataset, trainer.experiment.config_text)
    config.parse([], ["options.batch_size = 3"])
    assert RunDir(tmp_path / "run").load().step == 0
    assert gin.query_parameter("options.batch_size") == 3


def test_bindings_are_put_back_after_an_error():
    config.parse([], ["options.batch_size = 8"])
    bindings = config.Bindings()
    config.parse([], ["options.batch_size = 3"])
    with pytest.raises(ZeroDivisionError), bindings.active():
        assert gin.query_parameter("options.batch_size") == 8
        1 / 0  # noqa: B018
    assert gin.query_parameter("options.batch_size") == 3
