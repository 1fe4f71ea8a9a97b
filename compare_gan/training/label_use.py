"""Whether the networks of a conditional GAN use the labels that they are given.

Decided by what they do, not by their options: one forward with one label and one with another.
"""

import inspect
import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.architectures.base import Generator, option_name
from compare_gan.config import located
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.losses import needs_class_logits
from compare_gan.types import Tensor

_log = logging.getLogger(__name__)

# In both, batch norm sees both labels, so that it does not remove what they add.
_LABELS = ((0, 1, 0, 1), (1, 1, 0, 0))
# Largest relative difference that rounding may cause.
_ROUNDING = 1e-6
# Standard deviation of the noise added to the weights: some start at zero and would hide the
# effect of labels.
_NOISE = 0.1


def check_label_use(gan: ModularGAN) -> None:
    """Checks that a conditional GAN uses labels, before it is trained.

    A network that ignores them gets a warning with the remedy; if both do, training would be that
    of an unconditional GAN under another name.

    Args:
      gan: The GAN, its networks built.

    Raises:
      UserError: The GAN is conditional, but both networks ignore the labels.
    """
    if not gan.conditional or (gan.num_classes or 0) < 2:
        return
    generator, discriminator = _respond(gan)
    discriminator = discriminator or needs_class_logits(gan.loss)
    discriminator = discriminator or any(task.learns_from_labels for task in gan.tasks)
    if generator and discriminator:
        return
    name = type(gan).__name__
    remedies = {
        "generator": _generator_remedy(gan.generator),
        "discriminator": _discriminator_remedy(gan),
    }
    if not generator and not discriminator:
        with located(f"{name}.conditional"):
            raise UserError(
                f"{name}.conditional is True, but both networks ignore labels: "
                f"{remedies['generator']} and {remedies['discriminator']}, or leave "
                f"{name}.conditional out."
            )
    ignoring = "generator" if not generator else "discriminator"
    _log.warning(
        "%s.conditional is True, but the %s ignores labels (its output is the same for all of "
        "them): %s.",
        name,
        ignoring,
        remedies[ignoring],
    )


def _generator_remedy(generator: Any) -> str:
    if not isinstance(generator, Generator):
        return "let the given generator use its second input, the labels y"
    option = f"{generator.scope}.batch_norm_fn"
    if "batch_norm_fn" in inspect.signature(type(generator).__init__).parameters:
        option = option_name(type(generator), "batch_norm_fn")  # Its default hides the other one.
    return f"set {option} = @conditional_batch_norm for the generator"


def _discriminator_remedy(gan: ModularGAN) -> str:
    discriminator = gan.discriminator
    if hasattr(discriminator, "project_y") and not hasattr(gan, "project_y"):
        return f"set {option_name(type(discriminator), 'project_y')} = True"
    if hasattr(gan, "project_y"):
        return f"set {type(gan).__name__}.project_y = True"
    return "set options.gan_class = @S3GAN with S3GAN.project_y = True for the discriminator"


def _respond(gan: ModularGAN) -> tuple[bool, bool]:
    """Whether the images, and the logits, depend on the label."""
    variables = [*gan.generator.variables, *gan.discriminator.variables]
    variables += [variable for head in gan.heads.values() for variable in head.variables]
    found = np.zeros(2, bool)
    for noise in (0.0, _NOISE):
        found |= _differ(gan, variables, noise)
        if found.all():
            break
    return bool(found[0]), bool(found[1])


def _differ(gan: ModularGAN, variables: Sequence[keras.Variable], noise: float) -> np.ndarray:
    """Whether images and logits change with the labels, bool [2].

    In training mode, where batch norm needs no moving averages, and without changing any variable.

    Args:
      gan: The GAN.
      variables: All variables of its networks and heads.
      noise: Standard deviation of what is added to the weights.
    """
    random = np.random.default_rng(0)
    # An argument of the function: constants would be part of the compiled program.
    added = [
        ops.convert_to_tensor(noise * random.standard_normal(v.shape), v.dtype)
        if noise and v.trainable
        else None
        for v in variables
    ]

    def forward(
        z: Tensor, x: Tensor, y: Tensor, added: list[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        values = [
            (v, v.value if each is None else v.value + each)
            for v, each in zip(variables, added, strict=True)
        ]
        with keras.StatelessScope(values):
            images = gan.generator((z, y), training=True)
            logits = gan.discriminate(x, y).logits
        return ops.cast(images, "float32"), ops.cast(logits, "float32")

    if keras.backend.backend() == "jax":  # It would compile each operation on its own.
        forward = backend.compiled(forward, variables)
    count = len(_LABELS[0])
    z = random.standard_normal((count, gan.z_dim)).astype(np.float32)
    x = random.uniform(size=(count, *gan.image_shape)).astype(np.float32)
    outputs = []
    for labels in _LABELS:
        y = np.eye(gan.num_classes or 0, dtype=np.float32)[list(labels)]
        arguments: list[Any] = [*map(ops.convert_to_tensor, (z, x, y)), added]
        outputs.append([ops.convert_to_numpy(each) for each in forward(*arguments)])
    return np.array([_are_different(*pair) for pair in zip(*outputs, strict=True)])


def _are_different(first: Any, second: Any) -> bool:
    largest = max(np.abs(first).max(), np.abs(second).max())
    return not np.abs(first - second).max() <= _ROUNDING * largest
