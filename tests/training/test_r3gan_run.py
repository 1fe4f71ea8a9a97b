"""Five training steps of R3GAN with all its schedules, against those of its authors' program."""

import functools

import numpy as np
import pytest
import r3gan_numbers
import tensorflow as tf

from compare_gan.architectures import r3gan
from compare_gan.gans import ModularGAN
from compare_gan.losses import rp_gan
from compare_gan.penalties import R1R2
from compare_gan.schedules import CosineDecay
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.optimizers import adam
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

_STEPS, _CLASSES = 5, 5


@pytest.fixture(scope="module")
def numbers():
    return r3gan_numbers.read_numbers()


def _state(numbers):
    """The state before the first step: the recorded weights, schedules over four steps."""
    run = {key: numbers[f"r3gan/run_cond/{key}"] for key in ("lr", "beta2", "gamma", "ema_nimg")}
    decay = {key: CosineDecay(float(v[0]), float(v[-1]), steps=4) for key, v in run.items()}
    # Squared gradients with respect to images in [0, 1] are four times those for [-1, 1].
    gamma = CosineDecay(float(run["gamma"][0]) / 4, float(run["gamma"][-1]) / 4, steps=4)
    gan = ModularGAN(
        image_shape=(16, 16, 3), num_classes=_CLASSES, z_dim=8, conditional=True, loss=rp_gan,
        penalties=[R1R2(gamma)],
        generator=r3gan.Generator((16, 16, 3), embed_y_dim=8, **r3gan_numbers.TINY),
        discriminator=r3gan.Discriminator((16, 16, 3), **r3gan_numbers.TINY),
    )  # fmt: skip
    optimization = OptimizationOptions(
        g_lr=decay["lr"],
        g_optimizer_fn=functools.partial(adam, beta1=0.0, beta2=decay["beta2"]),
        g_use_ema=True,
        ema_half_life=decay["ema_nimg"],
    )
    networks = gan.generator, gan.discriminator
    named = [r3gan_numbers.fill(network, numbers, "cond") for network in networks]
    return TrainState(gan, seed=0, optimization=optimization, batch_size=4), *named


def _batch(numbers, step):
    def both(name):
        return np.stack([numbers[f"r3gan/run_cond/in/{name}_{side}"][step] for side in "dg"])

    labels = np.eye(_CLASSES, dtype=np.float32)[both("labels")]
    batch = {"images": both("x01"), "z": both("z"), "labels": labels, "fake_labels": labels}
    batch["seed"] = np.zeros((2, 2), np.int32)
    return {name: tf.constant(value) for name, value in batch.items()}


@pytest.mark.slow
def test_five_steps_are_those_of_the_authors(numbers, assert_golden):
    state, generator, discriminator = _state(numbers)
    averages = dict(zip((id(v) for v in state.gan.generator_variables), state.ema, strict=True))
    weights = {
        "g_sumsq": generator,
        "d_sumsq": discriminator,
        "ema_sumsq": {name: averages[id(v)] for name, v in generator.items()},
    }
    step, found = TrainStep(state), {}
    for i in range(_STEPS):
        result = step(_batch(numbers, i)).numpy()
        values = dict(zip(step.names, result, strict=True))
        for name, variables in weights.items():
            order = numbers[f"r3gan/run_cond/{'d' if name[0] == 'd' else 'g'}_names"]
            values[name] = [np.sum(np.square(variables[key])) for key in order]
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    slopes = numbers["r3gan/run_cond/r1"] + numbers["r3gan/run_cond/r2"]
    # Half of the squared gradients, which are four times those for images in [-1, 1]. Those of the
    # first step are of equal weights; for the others see below.
    np.testing.assert_allclose(found["loss/r1_r2"][0], 2 * slopes[0], rtol=5e-6)
    np.testing.assert_allclose(found["loss/r1_r2"], 2 * slopes, rtol=1e-2)
    for name, key in (
        ("loss/discriminator", "d_loss"),
        ("loss/generator", "g_loss"),
        ("gradient_norm/discriminator", "d_grad_norm"),
        ("gradient_norm/generator", "g_grad_norm"),
        *((name, name) for name in weights),
    ):
        key = f"r3gan/run_cond/{key}"
        if "norm" in name or "loss" in name:  # Before any update.
            np.testing.assert_allclose(found[name][0], numbers[key][0], rtol=5e-6)
        # The first step of Adam without momentum divides gradients by their own size: the rounding
        # of the smallest ones decides their sign, and so a whole step of the learning rate. Norms
        # of gradients amplify that.
        rtol = 1e-2 if "norm" in name else 1e-4
        assert_golden("R3GAN", key, found[name], numbers[key], rtol=rtol)
