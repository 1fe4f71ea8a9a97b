"""Functional Keras models as networks: trained, saved, resumed, sampled."""

import gin
import keras
import numpy as np
import pytest

from compare_gan import config
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir

_SHAPE, _Z_DIM = (8, 8, 3), 4


def _dense(units, name, activation=None):
    return keras.layers.Dense(units, activation=activation, name=name)


@gin.configurable("generator", module="test_given_networks")
def _generator(image_shape=_SHAPE):
    z, y = keras.Input((_Z_DIM,)), keras.Input((10,), optional=True)
    hidden = _dense(8, "hidden", "tanh")(z)
    pixels = _dense(int(np.prod(image_shape)), "pixels", "sigmoid")(hidden)
    return keras.Model([z, y], keras.layers.Reshape(image_shape)(pixels))


@gin.configurable("discriminator", module="test_given_networks")
def _discriminator(num_logits=1):
    x, y = keras.Input(_SHAPE), keras.Input((10,), optional=True)
    hidden = _dense(8, "hidden", "tanh")(keras.layers.Flatten()(x))
    return keras.Model([x, y], [_dense(num_logits, "fc")(hidden), hidden])


_BINDINGS = (
    "options.gan_class = @ModularGAN",
    "ModularGAN.generator = @test_given_networks.generator()",
    "ModularGAN.discriminator = @test_given_networks.discriminator()",
    "ModularGAN.g_use_ema = True",
)


def test_functional_networks_are_trained_saved_resumed_and_sampled(make_trainer, tmp_path, eagerly):
    trainer = make_trainer(tmp_path, *_BINDINGS)
    names = set(trainer.state.variables())
    assert {"generator/hidden/kernel", "generator/pixels/kernel", "ema/pixels/bias"} < names
    trainer.run_steps(2)
    trainer.checkpoints.save()
    trainer.checkpoints.wait()
    expected = {name: v.numpy() for name, v in trainer.state.variables().items()}
    trainer.run.write_description(trainer.experiment.dataset, trainer.experiment.config_text)
    resumed = make_trainer(tmp_path, *_BINDINGS)
    assert resumed.step == 2
    for name, variable in resumed.state.variables().items():
        np.testing.assert_array_equal(variable.numpy(), expected[name], err_msg=name)
    images, _ = RunDir(str(tmp_path)).load().sampler.sample(3, seed=0)
    assert images.shape == (3, *_SHAPE)


@pytest.mark.parametrize(
    ("networks", "sentence"),
    (
        (
            {"generator": lambda: _generator((4, 4, 3))},
            r"images of shape \(2, 8, 8, 3\) .* received",
        ),
        ({"discriminator": lambda: _discriminator(2)}, r"logits \[2, 1\] .* received \(\[2, 2\]"),
        (
            {"generator": lambda: keras.Model(z := keras.Input((4,)), _dense(3, "a")(z))},
            "given generator cannot be called with",
        ),
    ),
)
def test_networks_of_other_shapes_are_refused(networks, sentence):
    made = {"generator": _generator, "discriminator": _discriminator} | networks
    made = {name: make() for name, make in made.items()}
    with pytest.raises(UserError, match=sentence):
        ModularGAN(_SHAPE, None, z_dim=_Z_DIM, **made)


def test_an_architecture_is_required_only_without_networks(tiny_run):
    bindings = [b for b in tiny_run if not b.startswith("options.architecture")]
    config.parse([], [*bindings, *(b for b in _BINDINGS if not b.startswith("options.arch"))])
    Experiment.from_gin().check()
    config.parse([], bindings)
    with pytest.raises(UserError, match=r"gives no value for options\.architecture"):
        Experiment.from_gin()
