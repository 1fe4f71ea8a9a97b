"""Both losses of R3GAN through ADA's transformations, against those of its authors' program."""

import pathlib

import numpy as np
import pytest
import r3gan_numbers
import tensorflow as tf
from ada_draws import recorded_draws

from compare_gan.architectures import r3gan
from compare_gan.augmentations import ADA, Augmentation
from compare_gan.gans import ModularGAN
from compare_gan.losses import rp_gan
from compare_gan.penalties import R1R2

_PATH = pathlib.Path(__file__).parents[1] / "data" / "r3gan_augmented_golden.npz"
_SHAPE = (16, 16, 3)


@pytest.fixture(name="numbers", scope="module")
def _numbers():
    return r3gan_numbers.read_numbers()


@pytest.fixture(name="recorded", scope="module")
def _recorded():
    with np.load(_PATH, allow_pickle=False) as arrays:
        return dict(arrays)


class _RecordedADA(Augmentation):
    """ADA with the recorded draws of some calls, in the order of the calls."""

    name = "recorded"

    def __init__(self, recorded, calls):
        super().__init__()
        self.recorded, self.calls = recorded, list(calls)
        self.ada = ADA("blit,geometry,color:0.5,cutout", p=float(recorded["p_gamma"][0]))

    def __call__(self, images, uniform, normal, step):
        draws = recorded_draws(self.recorded, f"{self.calls.pop(0)}/", self.ada.strengths)
        return self.ada(images, *draws)


def _gan(numbers, recorded, calls):
    """R3GAN with the recorded weights, and its variables by name in the order of the networks."""
    gan = ModularGAN(
        image_shape=_SHAPE, num_classes=None, z_dim=8, loss=rp_gan,
        # Squared gradients with respect to images in [0, 1] are four times those for [-1, 1].
        penalties=[R1R2(float(recorded["p_gamma"][1]) / 4)],
        augmentations=[_RecordedADA(recorded, calls)],
        generator=r3gan.Generator(_SHAPE, **r3gan_numbers.TINY),
        discriminator=r3gan.Discriminator(_SHAPE, **r3gan_numbers.TINY),
    )  # fmt: skip
    return gan, [
        r3gan_numbers.fill(n, numbers, "uncond") for n in (gan.discriminator, gan.generator)
    ]


def _batch(numbers, suffix=""):
    batch = {
        name: numbers[f"r3gan/in/{key}{suffix}"] for name, key in (("z", "z"), ("images", "x01"))
    }
    return {**batch, "seed": np.zeros(2, np.int32)}


def test_a_discriminator_step_is_that_of_the_authors(numbers, recorded, assert_golden):
    gan, (variables, _) = _gan(numbers, recorded, ["d/draw_real", "d/draw_fake"])
    batch = _batch(numbers)
    with tf.GradientTape() as tape:
        terms = gan.discriminator_loss(batch, gan.fakes(batch))
    gradients = tape.gradient(terms.total, [variables[n].value for n in recorded["d/names"]])
    slopes = (recorded["d/r1"] + recorded["d/r2"]).mean()
    for name, found, expected in (
        ("adversarial", terms.parts["d_loss"], recorded["d/adversarial"].mean()),
        ("slopes", terms.parts["r1_r2"], 2 * slopes),  # Half of four times theirs.
        ("loss", terms.total, recorded["d/loss"]),
        ("gradients", np.concatenate([np.ravel(g) for g in gradients]), recorded["d/gradients"]),
    ):
        # Second derivatives in float32, through ADA's sampling.
        assert_golden("R3GAN", f"augmented/d/{name}", found, expected, rtol=5e-6)


def test_a_generator_step_is_that_of_the_authors(numbers, recorded, assert_golden):
    gan, (_, variables) = _gan(numbers, recorded, ["g/draw_fake", "g/draw_real"])
    with tf.GradientTape() as tape:
        terms = gan.generator_loss(_batch(numbers, "_g_step"))
    gradients = tape.gradient(terms.total, [variables[n].value for n in recorded["g/names"]])
    for name, found, expected in (
        ("loss", terms.total, recorded["g/loss"]),
        ("gradients", np.concatenate([np.ravel(g) for g in gradients]), recorded["g/gradients"]),
    ):
        assert_golden("R3GAN", f"augmented/g/{name}", found, expected, rtol=5e-6)
