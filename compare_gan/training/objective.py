"""The loss, the penalty and an augmentation in the spellings of old configs.

They set arguments of the GAN: `loss.fn = @hinge` is `ModularGAN.loss = @hinge`, `penalty.fn` with
`options.lamba` is one of `ModularGAN.penalties`, and `DiffAugment.policy` is one of
`ModularGAN.augmentations`.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import gin

from compare_gan import registry
from compare_gan.augmentations import DiffAugment
from compare_gan.errors import UserError
from compare_gan.gans.parts import make_parts
from compare_gan.losses import non_saturating
from compare_gan.penalties import FunctionPenalty, Penalty, no_penalty
from compare_gan.schedules import Scheduled


@gin.configurable("loss")
@dataclasses.dataclass(frozen=True)
class LossOptions:
    """The loss in the spelling of 2019 (gin scope `loss`).

    Attributes:
      fn: Loss function, or the registered name of one.
    """

    fn: Callable[..., Any] | str = non_saturating

    @property
    def is_default(self) -> bool:
        """Whether it has its default, so that `ModularGAN.loss` applies."""
        return registry.get("loss", self.fn) is non_saturating

    def arguments(self) -> dict[str, Any]:
        """The arguments of the GAN that this option sets."""
        return {} if self.is_default else {"loss": self.fn}


@gin.configurable("penalty")
@dataclasses.dataclass(frozen=True)
class PenaltyOptions:
    """The penalty in the spelling of 2019 (gin scope `penalty`).

    Attributes:
      fn: Penalty function or `Penalty`, or the registered name of one.
    """

    fn: Callable[..., Any] | Penalty | str = no_penalty

    @property
    def is_default(self) -> bool:
        """Whether it has its default, so that `ModularGAN.penalties` applies."""
        return registry.get("penalty", self.fn) is no_penalty

    def arguments(self, weight: Scheduled) -> dict[str, Any]:
        """The arguments of the GAN that this option and `options.lamba` set."""
        if self.is_default:
            return {}
        [penalty] = make_parts("penalty", [self.fn])
        if not isinstance(penalty, Penalty):
            return {"penalties": [FunctionPenalty(penalty, weight)]}
        if weight != 1:
            raise UserError(
                f"options.lamba is the weight of a penalty function; the penalty '{penalty.name}' "
                "has its own weight."
            )
        return {"penalties": [penalty]}


@gin.configurable("DiffAugment")
@dataclasses.dataclass(frozen=True)
class DiffAugmentOptions:
    """DiffAugment in the spelling of a descendant's configs (gin scope `DiffAugment`).

    Attributes:
      policy: Policy of `diff_augment`, which this adds to the GAN, with black filling as in the
        descendant; empty = no augmentation.
    """

    policy: str = ""

    def arguments(self) -> dict[str, Any]:
        """The arguments of the GAN that this option sets."""
        return {"augmentations": [DiffAugment(self.policy, fill=0.0)]} if self.policy else {}
