"""One training step of combinations of architecture, loss and penalty, at tiny size.

Losses with penalties on the smallest architecture, and every architecture with the losses and
penalties that configs of its time combine. Each part by itself is in `test_losses_and_penalties.py`
and `test_tasks_and_augmentations.py`.
"""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tiny_gans

from compare_gan.gans.parts import make_loss, make_penalties
from compare_gan.gans.terms import part_name
from compare_gan.penalties import LeCam
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

LOSSES = ("non_saturating", "wasserstein", "least_squares", "hinge", "rp_gan")
PENALTIES = ("no_penalty", "wgangp_penalty", "dragan_penalty", "l2_penalty", "r1", "lecam")
# A step takes seconds, or the parts are the same as in others: each loss and penalty only once.
ONCE = (
    "resnet30_arch",
    "resnet_biggan_deep_arch",
    "sagan_arch",
    "unet_biggan_arch",
    "r3gan_arch",
    "stylegan2_arch",
)
# Architectures that the quick tests differentiate twice: plain, residual and that of R3GAN.
DIFFERENTIATED_TWICE = {
    "dcgan_arch": "wasserstein",
    "resnet_cifar_arch": "wasserstein",
    "r3gan_arch": "rp_gan",
}
# Loss and penalty that are made for one architecture.
UNET = ("unet_biggan_arch", "unet", "cutmix")
STYLEGAN2 = ("stylegan2_arch", "non_saturating", "path_length")


@pytest.fixture(scope="module")
def state_of():
    """Training state of an architecture: created once, its weights reset for each test."""
    states = {}

    def make(architecture):
        networks = tiny_gans.networks(architecture)
        if architecture not in states:
            gan = tiny_gans.make_gan(networks)
            states[architecture] = TrainState(gan, seed=0, optimization=OptimizationOptions())
        networks.reset()
        return states[architecture]

    return make


def _param(quick, *values):
    return pytest.param(*values, marks=[] if quick else [pytest.mark.slow])


def _combinations():
    """All for the smallest family; for those of `ONCE`, each part only once.

    The quick tests have each loss and penalty once with the smallest family, and one step with each
    other architecture.
    """
    for architecture, loss, penalty in itertools.product(
        tiny_gans.ARCHITECTURES, LOSSES, PENALTIES
    ):
        if architecture == "dummy_arch":
            quick = LOSSES.index(loss) == PENALTIES.index(penalty) % len(LOSSES)
            yield _param(quick, architecture, loss, penalty)
            continue
        if loss == "rp_gan" and penalty not in ("no_penalty", "r1"):
            continue  # The combination of R3GAN, and its loss alone.
        if penalty == "r1" and loss not in ("non_saturating", "rp_gan"):
            continue
        if penalty == "lecam":  # It sees only logits, not the network.
            continue
        first = LOSSES.index(loss) == PENALTIES.index(penalty)
        if first or architecture not in ONCE:
            quick = loss == DIFFERENTIATED_TWICE.get(architecture, "non_saturating")
            special = architecture in (UNET[0], STYLEGAN2[0])
            yield _param(first and quick and not special, architecture, loss, penalty)
    yield from (UNET, STYLEGAN2)


@pytest.mark.parametrize(("architecture", "loss", "penalty"), list(_combinations()))
def test_one_step(state_of, architecture, loss, penalty):
    state = state_of(architecture)
    state.gan.loss = make_loss(loss)
    [made] = state.gan.penalties = make_penalties(
        LeCam(start_step=0) if penalty == "lecam" else penalty
    )
    made.prepare()
    made.interval = 1  # That of `path_length` is 4.
    state.step.assign(1)  # After LeCam's start.
    kernels = [
        v
        for v in state.gan.generator_variables + state.gan.discriminator_variables
        if v.name == "kernel"
    ]
    before = [v.numpy() for v in kernels]
    steps = int(state.step)
    # Eagerly: tracing a graph takes longer than a step.
    step = TrainStep(state)
    batch = tiny_gans.make_batch(state.gan.image_shape)
    result = step({name: tf.constant(value) for name, value in batch.items()}).numpy()
    values = dict(zip(step.names, result, strict=True))
    assert np.isfinite(result).all(), values
    assert int(state.step) == steps + 1
    for network in ("discriminator", "generator"):
        if made.term(network):
            is_positive = values[f"loss/{part_name(made, network)}"] > 0
            assert is_positive == (penalty != "no_penalty")
    assert values["gradient_norm/generator"] > 0 and values["gradient_norm/discriminator"] > 0
    unmoved = [
        v.path for v, old in zip(kernels, before, strict=True) if np.array_equal(v.numpy(), old)
    ]
    assert not unmoved
