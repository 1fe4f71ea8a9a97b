"""Every architecture at its smallest and every part that a GAN can have, for tests of their pairs.

Imports no engine: tests of JAX and PyTorch use it, too.
"""

import functools
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import gin
import keras
import numpy as np
import pytest

from compare_gan import registry
from compare_gan.augmentations import ADA, APA, InstanceNoise
from compare_gan.datasets import InfoCodes
from compare_gan.gans import S3GAN, SSGAN, LatentOptimization, ModularGAN
from compare_gan.gans.tasks import ContraGANTask, InfoTask, ReACGANTask, RotationTask
from compare_gan.penalties import LeCam, PathLength

# Width and image shape: the smallest that the family allows.
ARCHITECTURES = {
    "dummy_arch": (None, (8, 8, 1)),
    "dcgan_arch": (2, (8, 8, 1)),
    "infogan_arch": (2, (8, 8, 1)),
    "sndcgan_arch": (2, (8, 8, 1)),
    "resnet5_arch": (2, (8, 8, 1)),
    "resnet30_arch": (4, (128, 128, 1)),
    "resnet_cifar_arch": (4, (32, 32, 1)),
    "resnet_stl_arch": (2, (48, 48, 1)),
    "resnet_biggan_arch": (2, (32, 32, 1)),
    "resnet_biggan_deep_arch": (8, (32, 32, 1)),
    "sagan_arch": (2, (32, 32, 1)),
    "unet_biggan_arch": (2, (32, 32, 1)),
    "r3gan_arch": (8, (8, 8, 1)),
    "stylegan2_arch": (4, (8, 8, 1)),
}
BATCH, NUM_CLASSES, Z_DIM = 4, 3, 8
_CODES = InfoCodes(categories=(3,), continuous=2)
_COMMON = """
resnet30.Generator.blocks_per_size = 1
resnet30.Discriminator.blocks_per_size = 1
D.spectral_norm = True
weights.initializer = 'orthogonal'
"""
# The name of a part's option of ModularGAN, by kind of part.
_OPTIONS = {
    "loss": "loss",
    "penalty": "penalties",
    "augmentation": "augmentations",
    "task": "tasks",
}
# Parts that by default do nothing in the first step, or need a larger batch or latent.
_TINY: dict[str, Callable[[], Any]] = {
    "lecam": lambda: LeCam(start_step=0),
    "path_length": lambda: PathLength(interval=1),
    "ada": lambda: ADA(p=1.0),
    "apa": lambda: APA(p=1.0),
    "rotation": lambda: RotationTask(num_rotated=2),
    "info": lambda: InfoTask(_CODES, hidden=8),
    "contra_gan": lambda: ContraGANTask(dimension=4),
    "reacgan": lambda: ReACGANTask(dimension=4),
}
# Augmentations that change nothing, by the names of those that do.
SWITCHED_OFF: dict[str, Callable[[], Any]] = {
    "ada": lambda: ADA(p=0.0),
    "apa": lambda: APA(p=0.0),
    "instance_noise": lambda: InstanceNoise(sigma=0.0),
    "none": lambda: "none",
}
# Options of the step and the other classes of GANs, which are no parts of a list.
_OTHERS: dict[str, Callable[[], dict[str, Any]]] = {
    "option/top_k": lambda: {"top_k": 0.5},
    "option/latent_optimization": lambda: {"latent_optimization": LatentOptimization()},
    "gan/S3GAN": lambda: {"gan_class": S3GAN, "rotated_batch_fraction": 1},
    "gan/SSGAN": lambda: {"gan_class": SSGAN, "rotated_batch_size": 4},
}


def part_names() -> list[str]:
    """All parts, as `kind/name`: those in the registry, the options of a step, other GANs."""
    registered = [f"{kind}/{name}" for kind in _OPTIONS for name in registry.names(kind)]
    return [*registered, *_OTHERS]


def options_of(part: str) -> dict[str, Any]:
    """The options of `make_gan` that give a GAN this part, strong enough to act at once."""
    if part in _OTHERS:
        return _OTHERS[part]()
    kind, name = part.split("/")
    made = _TINY[name]() if name in _TINY else name
    return {_OPTIONS[kind]: made if kind == "loss" else [made]}


class Networks(NamedTuple):
    """Both networks of an architecture, with the values that their variables had at first."""

    generator: keras.Model
    discriminator: keras.Model
    conditional: bool
    start: list[np.ndarray]

    @property
    def variables(self) -> list[keras.Variable]:
        return self.generator.variables + self.discriminator.variables

    def reset(self) -> None:
        """Gives all variables their first values again."""
        for variable, value in zip(self.variables, self.start, strict=True):
            variable.assign(value)


def make_networks(architecture: str, config: str = "", conditional: bool = True) -> Networks:
    """The networks of an architecture; those that start switched off (attention) are on.

    Args:
      architecture: Its registered name.
      config: Lines of gin.
      conditional: Whether they get labels.
    """
    for kind in ("architecture", "normalization"):  # So that gin knows their names.
        registry.load(kind)
    ch, image_shape = ARCHITECTURES[architecture]
    for network in ("Generator", "Discriminator"):
        if ch is not None:
            family = architecture.removesuffix("_arch")
            gin.bind_parameter(f"{family}.{network}.ch", ch)
    norm = "conditional_batch_norm" if conditional else "batch_norm"
    gin.parse_config([*_COMMON.splitlines(), f"G.batch_norm_fn = @{norm}", config])
    random.seed(1)  # Of which Keras takes the seeds of initializers.
    gan = ModularGAN(image_shape, NUM_CLASSES, architecture, Z_DIM, conditional=conditional)
    gin.clear_config()
    made = Networks(gan.generator, gan.discriminator, conditional, [])
    for v in made.variables:
        if v.name == "sigma":
            v.assign(0.5)
        elif v.path.endswith("conv3/kernel") and not np.any(v.numpy()):  # Of R3GAN's blocks.
            v.assign(np.random.RandomState(0).normal(0, 0.1, v.shape))
    made.start.extend(v.numpy() for v in made.variables)
    return made


def make_gan(
    networks: Networks, gan_class: type[ModularGAN] = ModularGAN, **options: Any
) -> ModularGAN:
    """A GAN with these networks, as they were at first, and some parts."""
    networks.reset()
    return gan_class(
        networks.generator.image_shape,
        NUM_CLASSES,
        generator=networks.generator,
        discriminator=networks.discriminator,
        z_dim=Z_DIM,
        conditional=networks.conditional,
        **options,
    )


def make_batch(image_shape: tuple[int, int, int], updates: int = 2) -> dict[str, np.ndarray]:
    """One sub-batch for each update; the classes of real and generated images differ."""
    draws = np.random.RandomState(0)
    labels = np.eye(NUM_CLASSES, dtype=np.float32)[np.arange(updates * BATCH) % NUM_CLASSES]
    labels = labels.reshape(updates, BATCH, NUM_CLASSES)
    return {
        "images": draws.randint(0, 256, (updates, BATCH, *image_shape)).astype(np.uint8),
        "z": draws.normal(size=(updates, BATCH, Z_DIM)).astype(np.float32),
        "labels": labels,
        "fake_labels": labels[::-1],
        "seed": np.array([[0, 1 + i] for i in range(updates)], np.int32),
    }


_BATCH_NORM, _UNCONDITIONAL = "+batch_norm", "+unconditional"
# By part, why it is refused where the discriminator has batch norm, unless it sees real and
# generated images apart.
_REFUSED_WITH_BATCH_NORM = {
    f"penalty/{name}": f"{name} compares logits of different forwards"
    for name in ("cr", "bcr", "zcr", "icr", "cutmix")
}
_REFUSED_WITHOUT_CLASSES = {"loss/multi_hinge": "needs ModularGAN.conditional = True"} | {
    f"task/{name}": f"The task '{name}' needs a conditional GAN"
    for name in ("ac_gan", "tac_gan", "adc_gan", "contra_gan", "reacgan", "class_prediction")
}


def variants() -> list[str]:
    """Architectures as they are, `…+batch_norm` of the discriminator, and `…+unconditional`.

    How a part treats a discriminator that mixes examples does not depend on its layers: batch norm
    is in one without residual blocks, one with them, and one with a logit for each pixel.
    """
    with_norm = [
        name + _BATCH_NORM for name in ("dcgan_arch", "resnet_cifar_arch", "unet_biggan_arch")
    ]
    without_labels = [name + _UNCONDITIONAL for name in ("dummy_arch", "stylegan2_arch")]
    return [*ARCHITECTURES, *with_norm, *without_labels]


@functools.cache
def networks(variant: str) -> Networks:
    """The networks of a variant, which all tests of a process share; `make_gan` resets them."""
    architecture, norm = variant.partition("+")[0], variant.endswith(_BATCH_NORM)
    config = "D.batch_norm_fn = @batch_norm" if norm else ""
    return make_networks(architecture, config, conditional=not variant.endswith(_UNCONDITIONAL))


def refusal(variant: str, part: str) -> str | None:
    """Why a part, as `kind/name`, is refused in a variant; None if it is not."""
    if part == "loss/multi_hinge" and variant.startswith("unet_biggan"):
        return "classifies images, but the discriminator also has a logit for each pixel"
    if variant.endswith(_BATCH_NORM):
        return _REFUSED_WITH_BATCH_NORM.get(part)
    return _REFUSED_WITHOUT_CLASSES.get(part) if variant.endswith(_UNCONDITIONAL) else None


def allowed_options(variant: str, part: str) -> dict[str, Any]:
    """`options_of` a part; where batch norm refuses it, with the option that allows it."""
    apart = {"deprecated_split_disc_calls": True} if refusal(variant, part) else {}
    return options_of(part) | apart


def refused_pairs() -> list[Any]:
    """Test parameters: variants with the parts that are refused, quick for `dummy_arch`."""
    return [
        pytest.param(variant, part, marks=[] if variant.startswith("dummy") else pytest.mark.slow)
        for variant in variants()
        for part in part_names()
        if refusal(variant, part)
    ]


def pairs(kind: str) -> list[Any]:
    """Test parameters: all variants with all parts of a kind that they allow.

    Those of `dummy_arch` are quick.
    """
    return [
        pytest.param(variant, part, marks=[] if variant == "dummy_arch" else pytest.mark.slow)
        for variant in variants()
        for part in part_names()
        if part.startswith(f"{kind}/")
        and (part in _REFUSED_WITH_BATCH_NORM or not refusal(variant, part))
    ]
