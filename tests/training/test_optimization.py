"""Where the trainer's options come from: gin's bindings under the name of the GAN."""

from typing import ClassVar

import gin
import pytest

from compare_gan import config
from compare_gan.errors import UserError
from compare_gan.gans import S3GAN
from compare_gan.training.experiment import Experiment
from compare_gan.training.optimization import OptimizationOptions


@gin.configurable("my_gan", module="test_optimization")
def _my_gan(**options):
    return S3GAN(**options)


def _options(make_trainer, path, *bindings):
    return make_trainer(path, *bindings).state.optimization


@pytest.mark.parametrize(
    ("gan", "bindings"),
    (
        ("@S3GAN", ("ModularGAN.g_lr = 0.5", "S3GAN.g_lr = 0.01")),
        ("@S3GAN", ("ModularGAN.g_lr = 0.01",)),
        ("@test_optimization.my_gan", ("S3GAN.g_lr = 0.01",)),
        ("@big/S3GAN", ("S3GAN.g_lr = 0.5", "big/S3GAN.g_lr = 0.01")),
        ("@big/S3GAN", ("S3GAN.g_lr = 0.01", "big/S3GAN.d_lr = 0.02")),
    ),
)
def test_the_nearest_binding_applies(make_trainer, tmp_path, gan, bindings):
    bindings = (f"options.gan_class = {gan}", *bindings)
    options = _options(make_trainer, tmp_path, *bindings)
    assert options.g_lr == 0.01 and options.scope == "S3GAN"
    assert options.discriminator_lr == (0.02 if "big/S3GAN.d_lr = 0.02" in bindings else 0.01)


def test_options_without_effect_are_named(caplog):
    class MyGAN:
        trainer_options: ClassVar = {"g_use_ema": True, "ema_decay": 0.9}

    OptimizationOptions.of(MyGAN())
    assert not caplog.text
    MyGAN.trainer_options |= {"ema_half_life": 50}
    OptimizationOptions.of(MyGAN())
    assert caplog.messages == ["MyGAN.ema_decay has no effect with MyGAN.ema_half_life."]


@pytest.mark.parametrize("gan", ("@S3GAN", "@test_optimization.my_gan"))
def test_a_value_out_of_range_is_refused_before_training(tiny_run, gan):
    config.parse([], [*tiny_run, f"options.gan_class = {gan}", "S3GAN.g_lr = -1.0"])
    with pytest.raises(UserError, match=r"^--gin_bindings: S3GAN\.g_lr must"):
        Experiment.from_gin().check()
