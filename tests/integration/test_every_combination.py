"""One training step of combinations of architecture, loss and penalty, at tiny size.

Every loss with every penalty of 2019 on the smallest architecture, and every architecture with the
losses and penalties that configs of its time combine; the later ones each by itself.
"""

import itertools

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.gans import ModularGAN
from compare_gan.gans.parts import make_loss, make_penalties
from compare_gan.gans.terms import part_name
from compare_gan.penalties import LeCam
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

LOSSES = ("non_saturating", "wasserstein", "least_squares", "hinge", "rp_gan")
PENALTIES = ("no_penalty", "wgangp_penalty", "dragan_penalty", "l2_penalty", "r1", "lecam")
# On the smallest architecture, with `no_penalty` or `non_saturating`. The loss `multi_hinge`, which
# needs a head, is tested in gans/test_step_options.py.
SINGLE_LOSSES = ("ls_gan", "ra_gan")
SINGLE_PENALTIES = (
    "r2", "r1_r2", "wgan_lp", "max_gp", "cr", "bcr", "zcr", "icr", "mode_seeking", "orthogonal",
    "path_length",
)  # fmt: skip
NEGATIVE = (("zcr", "generator"), ("icr", "generator"))
# The smallest width and image size that the family allows.
ARCHITECTURES = {
    "dummy_arch": ("dummy", None, (8, 8, 1)),
    "dcgan_arch": ("dcgan", 2, (8, 8, 1)),
    "infogan_arch": ("infogan", 2, (8, 8, 1)),
    "sndcgan_arch": ("sndcgan", 2, (8, 8, 1)),
    "resnet5_arch": ("resnet5", 2, (8, 8, 1)),
    "resnet30_arch": ("resnet30", 4, (128, 128, 1)),
    "resnet_cifar_arch": ("resnet_cifar", 4, (32, 32, 1)),
    "resnet_stl_arch": ("resnet_stl", 2, (48, 48, 1)),
    "resnet_biggan_arch": ("resnet_biggan", 2, (32, 32, 1)),
    "resnet_biggan_deep_arch": ("resnet_biggan_deep", 8, (32, 32, 1)),
    "sagan_arch": ("sagan", 2, (32, 32, 1)),
    "unet_biggan_arch": ("unet_biggan", 2, (32, 32, 1)),
    "r3gan_arch": ("r3gan", 8, (8, 8, 1)),
    "stylegan2_arch": ("stylegan2", 4, (8, 8, 1)),
}
# A step takes seconds, or the parts are the same as in others: each loss and penalty only once.
ONCE = (
    "resnet30_arch",
    "resnet_biggan_deep_arch",
    "sagan_arch",
    "unet_biggan_arch",
    "r3gan_arch",
    "stylegan2_arch",
)
# Of their combinations the quick tests have that of the paper.
LOSS_OF_PAPER = {
    "resnet30_arch": "wasserstein",
    "resnet_biggan_deep_arch": "hinge",
    "sagan_arch": "hinge",
    "unet_biggan_arch": "unet",
    "r3gan_arch": "rp_gan",
    "stylegan2_arch": "non_saturating",
}
# Loss and penalty that are made for one architecture.
UNET = ("unet_biggan_arch", "unet", "cutmix")
STYLEGAN2 = ("stylegan2_arch", "non_saturating", "path_length")
BATCH, NUM_CLASSES, Z_DIM = 4, 3, 8

registry.load("architecture")  # So that gin knows its names.


@pytest.fixture(scope="module")
def state_of():
    """Training state of an architecture: created once, its weights reset for each test."""
    states = {}

    def make(architecture):
        if architecture not in states:
            family, ch, image_shape = ARCHITECTURES[architecture]
            if ch is not None:
                gin.bind_parameter(f"{family}.Generator.ch", ch)
                gin.bind_parameter(f"{family}.Discriminator.ch", ch)
            gin.parse_config(
                """
                resnet30.Generator.blocks_per_size = 1
                resnet30.Discriminator.blocks_per_size = 1
                G.batch_norm_fn = @conditional_batch_norm
                D.spectral_norm = True
                weights.initializer = 'orthogonal'
                """
            )
            keras.utils.set_random_seed(1)
            gan = ModularGAN(
                image_shape=image_shape,
                num_classes=NUM_CLASSES,
                architecture=architecture,
                z_dim=Z_DIM,
                conditional=True,
            )
            # Attention and R3GAN's blocks start switched off, without gradients.
            for v in gan.generator_variables + gan.discriminator_variables:
                if v.name == "sigma":
                    v.assign(0.5)
                elif v.path.endswith("conv3/kernel") and not np.any(v):
                    v.assign(np.random.RandomState(0).normal(0, 0.1, v.shape))
            state = TrainState(gan, seed=0, optimization=OptimizationOptions())
            variables = gan.generator_variables + gan.discriminator_variables
            start = [v.numpy() for v in variables]
            states[architecture] = state, variables, start
            gin.clear_config()
        state, variables, start = states[architecture]
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        return state

    return make


def _batch(image_shape):
    """Two sub-batches: one discriminator step, one generator step."""
    random = np.random.RandomState(0)
    labels = np.eye(NUM_CLASSES, dtype=np.float32)[np.arange(2 * BATCH) % NUM_CLASSES]
    labels = labels.reshape(2, BATCH, NUM_CLASSES)
    batch = {
        "images": random.randint(0, 256, (2, BATCH, *image_shape)).astype(np.uint8),
        "z": random.normal(size=(2, BATCH, Z_DIM)).astype(np.float32),
        "labels": labels,
        "fake_labels": labels[::-1],
        "seed": np.array([[0, 1], [0, 2]], np.int32),
    }
    return {name: tf.constant(value) for name, value in batch.items()}


def test_every_registered_part_is_here():
    assert set(ARCHITECTURES) == set(registry.names("architecture"))
    assert {*LOSSES, *SINGLE_LOSSES, "multi_hinge", UNET[1]} == set(registry.names("loss"))
    assert {*PENALTIES, *SINGLE_PENALTIES, UNET[2]} == set(registry.names("penalty"))


def _combinations():
    """All for the smallest family; for those of `ONCE`, each part only once."""
    for architecture, loss, penalty in itertools.product(ARCHITECTURES, LOSSES, PENALTIES):
        if architecture == "dummy_arch":
            yield pytest.param(architecture, loss, penalty)
            continue
        if loss == "rp_gan" and penalty not in ("no_penalty", "r1"):
            continue  # The combination of R3GAN, and its loss alone.
        if penalty == "r1" and loss not in ("non_saturating", "rp_gan"):
            continue
        if penalty == "lecam":  # It sees only logits, not the network.
            continue
        if architecture not in ONCE or LOSSES.index(loss) == PENALTIES.index(penalty):
            slow = loss != LOSS_OF_PAPER.get(architecture, loss)
            marks = [pytest.mark.slow] if slow else []
            yield pytest.param(architecture, loss, penalty, marks=marks)
    yield from (UNET, STYLEGAN2)
    yield from (("dummy_arch", loss, "no_penalty") for loss in SINGLE_LOSSES)
    yield from (("dummy_arch", "non_saturating", penalty) for penalty in SINGLE_PENALTIES)


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
    result = step(_batch(state.gan.image_shape)).numpy()
    values = dict(zip(step.names, result, strict=True))
    assert np.isfinite(result).all(), values
    assert int(state.step) == steps + 1
    # Slopes are below 1 here, which `wgan_lp` allows.
    has_value = penalty not in ("no_penalty", "wgan_lp")
    for network in ("discriminator", "generator"):
        if made.term(network):
            sign = -1 if (penalty, network) in NEGATIVE else 1
            assert (sign * values[f"loss/{part_name(made, network)}"] > 0) == has_value
    assert values["gradient_norm/generator"] > 0 and values["gradient_norm/discriminator"] > 0
    unmoved = [
        v.path for v, old in zip(kernels, before, strict=True) if np.array_equal(v.numpy(), old)
    ]
    assert not unmoved
