"""Options of the optimization: learning rates, optimizers, the average of the generator."""

import dataclasses
from collections.abc import Callable
from typing import Any

from compare_gan.config import gin_internals
from compare_gan.gans import ModularGAN
from compare_gan.schedules import Scheduled, check_range


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
      g_use_ema: Whether to compute a moving average of the generator's weights for sampling.
      ema_decay: Decay of that average, a number or a schedule.
      ema_start_step: Generator step before which the average copies the weights.
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
    ema_start_step: int = 40000
    scope: str = "ModularGAN"

    def __post_init__(self) -> None:
        check_range(f"{self.scope}.g_lr", self.g_lr)
        check_range(f"{self.scope}.d_lr", self.discriminator_lr)
        check_range(f"{self.scope}.ema_decay", self.ema_decay, most=1)

    @property
    def discriminator_lr(self) -> Scheduled:
        """Learning rate of the discriminator."""
        return self.g_lr if self.d_lr is None else self.d_lr

    @classmethod
    def of(cls, gan: ModularGAN) -> "OptimizationOptions":
        """Takes the options that gin bound under the name of a GAN when it was constructed."""
        options = cls(**gan.trainer_options, scope=type(gan).__name__)
        defaults = {
            field.name: field.default
            for field in dataclasses.fields(cls)
            if field.name != "scope" and field.name not in gan.trainer_options
        }
        gin_internals.mark_as_used(ModularGAN, defaults)
        return options
