"""Averages of the generator's weights: how they follow the weights, and which of them a run has.

An update moves an average by a share of its distance to the current weights, which is one minus the
decay. Shares are computed as such: of a decay near 1, float32 holds few digits of the difference.
"""

import dataclasses
import math
from typing import Any, ClassVar, Protocol

import numpy as np
from keras import ops

from compare_gan.errors import UserError, check_number
from compare_gan.schedules import Scheduled, value_at
from compare_gan.types import Tensor

# The name, in checkpoints, of the average that sampling and evaluation use.
EMA = "ema"
_LEAST_LENGTH, _MOST_LENGTH = 0.001, 0.28  # A little more than 0.28 is the mean of all weights.


class Average(Protocol):
    """The rule by which an average follows the weights.

    Attributes:
      start_step: Generator step before which the average copies the weights.
    """

    @property
    def start_step(self) -> int: ...

    def share(self, step: Any) -> Any:
        """The share of the current weights in the average after an update, in [0, 1].

        Args:
          step: Number of finished generator steps, not counting the one of this update.
        """


@dataclasses.dataclass(frozen=True)
class Decay:
    """An exponential average with a decay for each step.

    Attributes:
      decay: The decay in [0, 1], a number or a schedule.
      start_step: Generator step before which the average copies the weights.

    Example:
      >>> from compare_gan.training.averages import Decay
      >>> Decay(0.75).share(step=10)
      0.25
    """

    decay: Scheduled
    start_step: int = 0

    def share(self, step: Any) -> Any:
        """See `Average.share`."""
        return 1.0 - value_at(self.decay, step)


@dataclasses.dataclass(frozen=True)
class HalfLife:
    """An exponential average whose memory is counted in images (Karras et al., 2020).

    After `half_life` further images the current weights count half. With a ramp-up the half-life is
    at most a fraction of the images seen before the step, so that the first weights are forgotten.

    Paper: https://arxiv.org/abs/2006.06676, half-life 500,000 and ramp-up 0.05 at 32 x 32 pixels.

    Attributes:
      half_life: Half-life in images, a number or a schedule.
      batch_size: Real images in a step of the generator, over all devices.
      rampup: Fraction of the images seen; None = no ramp-up.

    Example:
      >>> from compare_gan.training.averages import HalfLife
      >>> average = HalfLife(half_life=640, batch_size=64)
      >>> round(1 - (1 - float(average.share(step=0))) ** 10, 6)  # After 640 images.
      0.5
    """

    half_life: Scheduled
    batch_size: int
    rampup: float | None = None
    start_step: ClassVar[int] = 0

    def share(self, step: Any) -> Tensor:
        """See `Average.share`."""
        half_life = ops.cast(value_at(self.half_life, step), "float32")
        if self.rampup is not None:
            seen = ops.cast(step, "float32") * self.batch_size
            half_life = ops.minimum(half_life, self.rampup * seen)
        # Half-life 0, as in the first step of a ramp-up: the average equals the weights.
        return -ops.expm1(-math.log(2.0) * self.batch_size / ops.maximum(half_life, 1e-8))


@dataclasses.dataclass(frozen=True)
class Power:
    """An average whose memory grows with the training: a power function of time as its profile.

    After t steps, the weights of step s count in proportion to (s / t)^γ. Combinations of such
    averages give averages of other lengths after the training, see `training.post_hoc`.

    Paper: Karras et al., 2024, https://arxiv.org/abs/2312.02696, lengths 0.05 and 0.10.

    Attributes:
      length: Standard deviation of the profile, as a fraction of the training.

    Raises:
      UserError: The length is not in the range that a power function can have.

    Example:
      >>> from compare_gan.training.averages import Power
      >>> round(Power(length=0.1).exponent, 3)
      6.937
      >>> [round(float(Power(0.1).share(step)), 3) for step in (0, 1, 99)]
      [1.0, 0.996, 0.077]
    """

    length: float
    start_step: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_length("The length of an average", self.length)

    @property
    def exponent(self) -> float:
        """The exponent γ of the profile."""
        # Its variance is (γ + 1) / ((γ + 2)² (γ + 3)).
        inverse = self.length**-2
        return float(np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse]).real.max())

    def share(self, step: Any) -> Tensor:
        """See `Average.share`: 1 - (1 - 1/t)^(γ + 1) in step t, counted from 1."""
        t = ops.cast(step, "float32") + 1.0
        return -ops.expm1((self.exponent + 1.0) * ops.log1p(-1.0 / t))


def check_length(name: str, value: Any) -> None:
    """Raises UserError unless a power function can have this length.

    Example:
      >>> from compare_gan.training.averages import check_length
      >>> check_length("ModularGAN.ema_lengths", 0.1)
    """
    check_number(name, value)
    if not _LEAST_LENGTH <= value <= _MOST_LENGTH:
        raise UserError(
            f"{name} must be between {_LEAST_LENGTH} and {_MOST_LENGTH}, a fraction of the "
            f"training, received {value!r}."
        )


def name_of_half_life(images: float) -> str:
    """The name, in checkpoints, of a further average with a half-life in images.

    Example:
      >>> from compare_gan.training.averages import name_of_half_life
      >>> name_of_half_life(5e5)
      'averages/half_life_500000'
    """
    return f"averages/half_life_{images:.12g}"


def name_of_length(length: float) -> str:
    """The name, in checkpoints, of a power-function average.

    Example:
      >>> from compare_gan.training.averages import name_of_length
      >>> name_of_length(0.10)
      'averages/length_0.1'
    """
    return f"averages/length_{length:.12g}"
