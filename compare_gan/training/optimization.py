"""Options of the optimization: learning rates, optimizers, the averages of the generator."""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any

from compare_gan import errors
from compare_gan.config import gin_internals
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.schedules import Scheduled, check_range
from compare_gan.training.averages import (
    EMA,
    Average,
    Decay,
    HalfLife,
    Power,
    check_length,
    name_of_half_life,
    name_of_length,
)

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class OptimizationOptions:
    """Options of the trainer that configs write under the name of the GAN (`S3GAN.g_lr`).

    A value that is bound under the name of the GAN wins over one under the name of a base class;
    `ModularGAN.g_lr` applies to all GANs.

    Attributes:
      g_lr: Learning rate of the generator, a number or a schedule.
      d_lr: Learning rate of the discriminator, likewise; None = `g_lr`.
      g_optimizer_fn: Optimizer of the generator, a function of the learning rate or a registered
        name; None = Adam.
      d_optimizer_fn: Optimizer of the discriminator; None = the generator's.
      g_use_ema: Whether to compute moving averages of the generator's weights. Sampling uses that
        of `ema_half_life` or `ema_decay`.
      ema_decay: Decay of that average, a number or a schedule; not used with `ema_half_life`.
      ema_half_life: Half-life of that average in images, a number or a schedule; None =
        `ema_decay`.
      ema_rampup: Fraction of the images seen so far that half-lives do not exceed; None = no
        ramp-up.
      ema_start_step: Generator step before which the average of `ema_decay` copies the weights.
        Half-lives ramp up instead.
      ema_other_half_lives: Half-lives in images of further averages, for `compare_gan ema`.
      ema_lengths: Lengths of power-function averages, as fractions of the training, from which
        `compare_gan ema` makes those of any length; usually (0.05, 0.1).
      scope: Name of the GAN in messages.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.training.optimization import OptimizationOptions
      >>> OptimizationOptions(g_lr=1e-4).discriminator_lr
      0.0001
    """

    g_lr: Scheduled = 0.0002
    d_lr: Scheduled | None = None
    g_optimizer_fn: Callable[..., Any] | str | None = None
    d_optimizer_fn: Callable[..., Any] | str | None = None
    g_use_ema: bool = False
    ema_decay: Scheduled = 0.9999
    ema_half_life: Scheduled | None = None
    ema_rampup: float | None = None
    ema_start_step: int = 40000
    ema_other_half_lives: Sequence[float] = ()
    ema_lengths: Sequence[float] = ()
    scope: str = "ModularGAN"

    def __post_init__(self) -> None:
        check_range(f"{self.scope}.g_lr", self.g_lr)
        check_range(f"{self.scope}.d_lr", self.discriminator_lr)
        check_range(f"{self.scope}.ema_decay", self.ema_decay, most=1)
        if self.ema_half_life is not None:
            check_range(f"{self.scope}.ema_half_life", self.ema_half_life)
        if self.ema_rampup is not None:
            errors.check_range(f"{self.scope}.ema_rampup", self.ema_rampup)
            if self.ema_half_life is None and not self.ema_other_half_lives:
                raise UserError(
                    f"{self.scope}.ema_rampup limits half-lives: it needs "
                    f"{self.scope}.ema_half_life."
                )
        self._check_several("ema_other_half_lives", errors.check_range)
        self._check_several("ema_lengths", check_length)
        for option in ("ema_half_life", "ema_other_half_lives", "ema_lengths"):
            if getattr(self, option) and not self.g_use_ema:
                raise UserError(
                    f"{self.scope}.{option} needs {self.scope}.g_use_ema = True: without it no "
                    "averages are computed."
                )

    def _check_several(self, option: str, check: Callable[[str, Any], None]) -> None:
        name, values = f"{self.scope}.{option}", getattr(self, option)
        if not isinstance(values, (list, tuple)):
            raise UserError(f"{name} must be a list of numbers, received {values!r}.")
        for value in values:
            check(name, value)
        if len(set(values)) < len(values):
            raise UserError(f"{name} must be different numbers, received {values!r}.")

    @property
    def discriminator_lr(self) -> Scheduled:
        """Learning rate of the discriminator."""
        return self.g_lr if self.d_lr is None else self.d_lr

    def averages(self, batch_size: int | None = None) -> dict[str, Average]:
        """The averages of the generator's weights, by their names in checkpoints.

        Args:
          batch_size: Images in a batch, over all devices, which half-lives need.

        Raises:
          UserError: There is a half-life, and no batch size.
        """
        if not self.g_use_ema:
            return {}
        found: dict[str, Average] = {}
        if self.ema_half_life is None:
            found[EMA] = Decay(self.ema_decay, self.ema_start_step)
        else:
            found[EMA] = self._half_life(self.ema_half_life, batch_size)
        for images in self.ema_other_half_lives:
            found[name_of_half_life(images)] = self._half_life(images, batch_size)
        for length in self.ema_lengths:
            found[name_of_length(length)] = Power(length)
        return found

    def _half_life(self, images: Scheduled, batch_size: int | None) -> HalfLife:
        if batch_size is None:
            raise UserError(
                f"{self.scope}.ema_half_life counts images: it needs the size of a batch."
            )
        return HalfLife(images, batch_size, self.ema_rampup)

    @classmethod
    def of(cls, gan: ModularGAN) -> "OptimizationOptions":
        """Takes the options that gin bound under the name of a GAN when it was constructed."""
        options = cls(**gan.trainer_options, scope=type(gan).__name__)
        for unused in ("ema_decay", "ema_start_step"):
            if options.ema_half_life is not None and unused in gan.trainer_options:
                _log.warning(
                    "%s.%s has no effect with %s.ema_half_life.",
                    options.scope, unused, options.scope,
                )  # fmt: skip
        defaults = {
            field.name: field.default
            for field in dataclasses.fields(cls)
            if field.name != "scope" and field.name not in gan.trainer_options
        }
        gin_internals.mark_as_used(ModularGAN, defaults)
        return options
