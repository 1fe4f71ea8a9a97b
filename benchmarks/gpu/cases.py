"""What is measured: networks, batch sizes, precisions, in the order of their importance."""

import dataclasses
from typing import Any

import numpy as np

# Low: a discriminator that always sees the same batch soon knows it.
LEARNING_RATE = 2e-5
PRECISIONS = ("bfloat16", "float32")
_BOTH = ("Generator", "Discriminator")


@dataclasses.dataclass(frozen=True)
class Network:
    """A pair of networks with its loss.

    Attributes:
      name: Name of the architecture without `_arch`.
      image_size: Height and width of the images.
      num_classes: Number of classes; None = unconditional.
      loss: Registered name of the loss.
      z_dim: Dimension of the latent.
      bindings: Gin bindings.
      resamples: Whether the blocks have the option `resample`.
      seconds: Expected duration of a case on an H200, compilations included.
      penalty: Registered name of the penalty of every step; None = none.
      grouped: Channels, and channels in a group, of the grouped convolutions; None = none.
    """

    name: str
    image_size: int
    num_classes: int | None
    loss: str
    z_dim: int
    bindings: tuple[str, ...]
    resamples: bool
    seconds: float
    penalty: str | None = None
    grouped: tuple[int, int] | None = None

    @property
    def label(self) -> str:
        """Name in results."""
        return f"{self.name}-{self.image_size}"


def _biggan(image_size: int, num_classes: int, z_dim: int, seconds: float, *widths: str) -> Network:
    bindings = (
        "weights.initializer = 'orthogonal'",
        "G.batch_norm_fn = @conditional_batch_norm",
        "G.spectral_norm = True",
        "D.spectral_norm = True",
        *widths,
    )
    return Network(
        "resnet_biggan", image_size, num_classes, "hinge", z_dim, bindings, True, seconds
    )


def _unconditional(name: str, seconds: float, *widths: str) -> Network:
    bindings = ("G.batch_norm_fn = @batch_norm", "D.spectral_norm = True", *widths)
    resamples = name == "resnet_cifar"
    return Network(name, 32, None, "non_saturating", 128, bindings, resamples, seconds)


def _narrow(name: str, ch: int) -> tuple[str, ...]:
    return tuple(f"{name}.{each}.ch = {ch}" for each in _BOTH)


def _r3gan(image_size: int, seconds: float, ch: int, group_size: int, *others: str) -> Network:
    # The loss and penalties of the paper, without labels and ADA: the networks are measured.
    groups = (f"r3gan.{each}.group_size = {group_size}" for each in _BOTH)
    bindings = ("r1_r2.gamma = 0.0125", *_narrow("r3gan", ch), *groups, *others)
    grouped = (2 * ch, group_size)
    return Network(
        "r3gan", image_size, None, "rp_gan", 64, bindings, False, seconds, "r1_r2", grouped
    )


NETWORKS = (
    _biggan(128, 1000, 120, 150.0),
    _unconditional("resnet_cifar", 60.0),
    _unconditional("sndcgan", 45.0),
    _r3gan(32, 90.0, 768, 16),
)
_QUICK_NETWORKS = (
    _biggan(
        32, 3, 8, 1.0,
        "resnet_biggan.Generator.ch = 2",
        "resnet_biggan.Generator.blocks_with_attention = 'B2'",
        "resnet_biggan.Generator.embed_y_dim = 6",
        "resnet_biggan.Discriminator.ch = 8",
    ),
    _unconditional("resnet_cifar", 1.0, *_narrow("resnet_cifar", 8)),
    _unconditional("sndcgan", 1.0, *_narrow("sndcgan", 8)),
    # Gradients of grouped convolutions take XLA a hundred times as long on a CPU.
    _r3gan(8, 1.0, 16, 4, *(f"r3gan.{each}.blocks_per_size = 1" for each in _BOTH)),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
      network: The networks.
      batch_size: Images in one update of either network.
      precision: `bfloat16` (mixed, with float32 weights) or `float32` (with TF32 products).
      plain: Whether plain resampling is compared with folded resampling as well.
      profile: Whether a step of ours is profiled.
      disc_iters: Number of discriminator updates in a step.
      forms: Whether forms of the grouped convolutions are compared.
    """

    network: Network
    batch_size: int
    precision: str
    plain: bool = False
    profile: bool = False
    disc_iters: int = 2
    forms: bool = False

    @property
    def name(self) -> str:
        """Name in results and on the command line, such as `resnet_biggan-128-256-bfloat16`."""
        return f"{self.network.label}-{self.batch_size}-{self.precision}"

    def bindings(self, resample: str) -> list[str]:
        """Gin bindings of ours with `folded` or `plain` resampling."""
        own = list(self.network.bindings)
        if self.network.resamples:
            scopes = [
                f"{self.network.name}.{network}" for network in ("Generator", "Discriminator")
            ]
            own += [f"{scope}.resample = '{resample}'" for scope in scopes]
        return own

    def batch(self, seed: int = 0) -> dict[str, np.ndarray]:
        """A batch for one step, as the input pipeline yields it, of random images and latents."""
        network, random = self.network, np.random.default_rng(seed)
        steps, b, size = self.disc_iters + 1, self.batch_size, network.image_size
        arrays: dict[str, Any] = {
            "images": random.integers(256, size=(steps, b, size, size, 3), dtype=np.uint8),
            "z": random.standard_normal((steps, b, network.z_dim), dtype=np.float32),
            "seed": random.integers(2**31, size=(steps, 2), dtype=np.int32),
        }
        if network.num_classes:
            one_hot = np.eye(network.num_classes, dtype=np.float32)
            for name in ("labels", "fake_labels"):
                arrays[name] = one_hot[random.integers(network.num_classes, size=(steps, b))]
        return arrays


def all_cases() -> list[Case]:
    """All cases, the most important first."""
    biggan, resnet, sndcgan, r3gan = NETWORKS
    half, full = PRECISIONS
    return [
        Case(biggan, 256, half, plain=True, profile=True),
        Case(resnet, 64, half, plain=True),
        Case(sndcgan, 64, half),
        Case(r3gan, 256, half, disc_iters=1, forms=True),
        Case(biggan, 64, half),
        Case(resnet, 256, half, plain=True),
        Case(sndcgan, 256, half),
        Case(biggan, 256, full),
        Case(biggan, 128, half),
        Case(r3gan, 64, half, disc_iters=1),
        Case(resnet, 64, full),
        Case(sndcgan, 64, full),
        Case(r3gan, 64, full, disc_iters=1),
        Case(biggan, 64, full),
        Case(resnet, 256, full),
        Case(sndcgan, 256, full),
        Case(biggan, 128, full),
    ]


def quick_cases() -> list[Case]:
    """One tiny case for each network, which also run on a CPU."""
    biggan, resnet, sndcgan, r3gan = _QUICK_NETWORKS
    return [
        Case(biggan, 4, "float32", profile=True, disc_iters=1),
        Case(resnet, 4, "float32", plain=True, disc_iters=1),
        Case(sndcgan, 4, "bfloat16", disc_iters=1),
        Case(r3gan, 4, "float32", disc_iters=1, forms=True),
    ]
