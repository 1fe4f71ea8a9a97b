"""Checks of a whole experiment before it starts: no data read, no network built.

Building large networks and reading data take minutes; an image size that the architecture does not
support, or a batch size that replicas cannot share, is reported without either.
"""

import dataclasses
import inspect
import logging
import types
from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.architectures.base import Generator, option_name
from compare_gan.backend import part_of_batch
from compare_gan.config import is_bound, located
from compare_gan.config.checks import PARTS_OF_GANS
from compare_gan.config.gin_internals import values_under
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.layers import Normalization
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.optimizers import make_optimizers
from compare_gan.training.run_options import Options

_log = logging.getLogger(__name__)


def check_spellings(options: Options) -> None:
    """Raises UserError if gin binds a part of the GAN in an old spelling and in the new one."""
    gan_class = registry.get("gan", options.gan_class)
    names = list(PARTS_OF_GANS)
    bound = values_under(gan_class, names) if inspect.isclass(gan_class) else {}
    scope = getattr(gan_class, "__name__", "ModularGAN")
    for old, is_used, new in (
        ("loss.fn", not options.loss.is_default, "loss"),
        ("penalty.fn", not options.penalty.is_default, "penalties"),
        ("options.lamba", options.lamba != 1, "penalties"),
        ("DiffAugment.policy", bool(options.diff_augment.policy), "augmentations"),
    ):
        if is_used and bound.get(new):
            raise UserError(
                f"{old} and {scope}.{new} are two spellings for the same part of the GAN: leave "
                "out one of them."
            )
        if not is_used and bound.get(new) and is_bound(old):
            _log.info("%s has its default value, so that %s.%s applies.", old, scope, new)


def gan_without_variables(
    options: Options, image_shape: tuple[int, int, int], num_classes: int | None
) -> ModularGAN:
    """The GAN with networks that compute nothing: its options can be looked at at no cost.

    Args:
      options: Options of the GAN and its training.
      image_shape: (H, W, C).
      num_classes: Number of classes of the data; None without labels.

    Raises:
      UserError: The GAN cannot be built for such images.
    """
    with located("options.architecture", "options.gan_class"):
        architecture = registry.get("architecture", options.architecture)
        if architecture is not None:
            architecture = _without_variables(architecture)
        return dataclasses.replace(options, architecture=architecture).make_gan(
            image_shape, num_classes
        )


def check_gan(
    options: Options,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    num_replicas: int = 1,
    soft_labels: bool = False,
    microbatches: int = 1,
) -> None:
    """Raises UserError if the GAN cannot be built for such images or trained on such batches.

    Args:
      options: Options of the GAN and its training.
      image_shape: (H, W, C).
      num_classes: Number of classes of the data; None without labels.
      num_replicas: Number of replicas that share a batch.
      soft_labels: Whether `infer_labels.soft` asks for soft labels.
      microbatches: Number of parts of a replica's batch.
    """
    gan = gan_without_variables(options, image_shape, num_classes)
    with located():
        _check_uses_of_labels(gan)
        if soft_labels and not getattr(gan, "use_soft_labels", True):
            name = type(gan).__name__
            raise UserError(
                f"infer_labels.soft = True needs {name}.use_soft_labels = True: otherwise {name} "
                "takes the most probable class of each label."
            )
        make_optimizers(options.optimization or OptimizationOptions.of(gan))
    with located("options.batch_size"):
        if options.batch_size % num_replicas:
            raise UserError(
                f"options.batch_size is {options.batch_size}, which {num_replicas} replicas cannot "
                "share equally."
            )
        if options.batch_size // num_replicas % microbatches:
            raise UserError(
                f"run_config.microbatches is {microbatches}, which does not divide the batch size "
                f"of a device, {options.batch_size // num_replicas}."
            )
        # A step on JAX sees the whole batch, whatever the number of devices.
        parts = 1 if keras.backend.backend() == "jax" else num_replicas
        with part_of_batch(0, microbatches):
            gan.check_batch_size(options.batch_size // parts // microbatches)


def _check_uses_of_labels(gan: ModularGAN) -> None:
    if gan.conditional:
        return
    for network, option in ((gan.discriminator, "project_y"), (gan.generator, "embed_y")):
        key = option_name(type(network), option)
        # The default of a family (BigGAN's) is no mistake.
        if getattr(network, option, False) and is_bound(key):
            raise UserError(f"{key} = True needs {type(gan).__name__}.conditional = True.")


def warn_of_another_normalization(network: object) -> None:
    """Warns if gin binds a normalization for all families, but this one has its own default.

    Args:
      network: A network that was made without arguments for its options.
    """
    asked = values_under(type(network), ["batch_norm_fn"])
    if not asked or not isinstance(network, Generator):
        return
    norms = Normalization.of(asked["batch_norm_fn"]), network.batch_norm_fn
    wanted, present = (norm and norm.layer_class for norm in norms)
    if wanted is not present:
        _log.warning(
            "%s.batch_norm_fn has no effect on %s, which uses %s: bind %s instead.",
            network.scope,
            network.family,
            present.__name__ if present else "no normalization",
            option_name(type(network), "batch_norm_fn"),
        )


def _without_variables(architecture: Any) -> types.SimpleNamespace:
    """The architecture with networks that check the shapes of their inputs and compute nothing."""
    nothing = ops.zeros((2, 1))

    def stand_in(network: Any, result: Any) -> Any:
        if not inspect.isclass(network):
            return network  # A function of the user that returns a network: it is built.

        def call(self: Any, inputs: Any, training: bool | None = None) -> Any:
            check = getattr(self, "check_inputs", lambda *shapes: None)
            check(*(None if x is None else tuple(x.shape) for x in inputs))
            return result

        attributes = {"__call__": call, "__module__": network.__module__}
        return type(network.__name__, (network,), attributes)

    return types.SimpleNamespace(
        Generator=stand_in(architecture.Generator, nothing),
        Discriminator=stand_in(architecture.Discriminator, (nothing, nothing)),
    )
