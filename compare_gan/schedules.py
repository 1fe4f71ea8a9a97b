"""Schedules: numbers that change while a run trains.

Wherever training uses a number (a learning rate, Adam's betas, the weight of a penalty, the decay
of a moving average) a config may give a schedule instead: `r1.gamma = @cosine_decay()`. A schedule
is a function of the step, that is, of the number of finished generator steps. It is evaluated
inside the compiled step. Plain numbers remain Python numbers.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any, TypeGuard

from keras import ops

from compare_gan import errors, registry
from compare_gan.errors import UserError, check_number, check_positive_integer
from compare_gan.types import Tensor

Schedule = Callable[[Any], Any]
Scheduled = float | Schedule


def is_schedule(value: object) -> TypeGuard[Schedule]:
    """Whether `value` is a function of the step rather than a number.

    Example:
      >>> from compare_gan.schedules import CosineDecay, is_schedule
      >>> is_schedule(CosineDecay()), is_schedule(0.1)
      (True, False)
    """
    return callable(value)


def value_at(value: Scheduled, step: Any) -> Any:
    """The value at a step: a number as it is, a schedule evaluated.

    Args:
      value: A number or a schedule.
      step: Number of finished generator steps, a Python integer or an integer tensor.

    Returns:
      The number itself, or the float32 scalar that the schedule returns.

    Example:
      >>> from compare_gan.schedules import CosineDecay, value_at
      >>> value_at(0.5, step=3)
      0.5
      >>> round(float(value_at(CosineDecay(1.0, 0.0, steps=4), step=2)), 3)
      0.5
    """
    return value(step) if is_schedule(value) else value


def check_range(name: str, value: Any, least: float = 0, most: float = math.inf) -> None:
    """Raises UserError unless `value` is a number in this range, or a schedule of such numbers.

    Args:
      name: Name of the option, for the message.
      value: A number or a schedule.
      least: Smallest allowed value.
      most: Largest allowed value.

    Example:
      >>> from compare_gan.schedules import check_range
      >>> check_range("r1.gamma", 0.1)
    """
    for each in extremes_of(name, value):
        errors.check_range(name, each, least, most)


def check_decay(name: str, value: Any) -> None:
    """Raises UserError unless `value` is a number in [0, 1), or a schedule of such numbers.

    Example:
      >>> from compare_gan.schedules import check_decay
      >>> check_decay("ema_decay", 0.999)
    """
    for each in extremes_of(name, value):
        errors.check_decay(name, each)


def extremes_of(name: str, value: Any) -> list[Any]:
    """The values that decide whether all values of an option are allowed.

    Example:
      >>> from compare_gan.schedules import CosineDecay, extremes_of
      >>> extremes_of("r1.gamma", 0.1), extremes_of("r1.gamma", CosineDecay(1.0, 0.5, 10))
      ([0.1], [1.0, 0.5])
    """
    if not is_schedule(value):
        return [value]
    if inspect.isclass(value):
        raise UserError(
            f"{name} = {value.__name__} is a class of schedules, not a schedule: call it "
            "(in a config with parentheses, `@cosine_decay()`)."
        )
    return list(getattr(value, "extremes", ()))


@registry.register("schedule", "cosine_decay", paper="https://arxiv.org/abs/1608.03983")
@dataclasses.dataclass(frozen=True)
class CosineDecay:
    """From one value to another along half a cosine, constant afterwards (Loshchilov, 2016).

    At step t the value is `final + (initial - final) * (1 + cos(pi * min(t / steps, 1))) / 2`. The
    value may also rise. Two of them in one config need gin scopes:
    `r1.gamma = @gamma/cosine_decay()`, `gamma/cosine_decay.final = 0.01`.

    Paper: https://arxiv.org/abs/1608.03983.

    Attributes:
      initial: Value at step 0.
      final: Value from step `steps` on.
      steps: Number of generator steps between the two.

    Raises:
      UserError: A value is not a number, or `steps` is not a positive integer.

    Example:
      >>> from compare_gan.schedules import CosineDecay
      >>> decay = CosineDecay(initial=1.0, final=0.0, steps=100)
      >>> [round(float(decay(step)), 2) for step in (0, 25, 50, 100, 1000)]
      [1.0, 0.85, 0.5, 0.0, 0.0]
    """

    initial: float = 1.0
    final: float = 0.0
    steps: int = 1000

    def __post_init__(self) -> None:
        check_number("cosine_decay.initial", self.initial)
        check_number("cosine_decay.final", self.final)
        check_positive_integer("cosine_decay.steps", self.steps)

    @property
    def extremes(self) -> tuple[float, float]:
        """The two extreme values, in any order."""
        return self.initial, self.final

    def __call__(self, step: Any) -> Tensor:
        """The value at `step`, a float32 scalar."""
        done = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        share = 0.5 * (1.0 + ops.cos(math.pi * done))
        return self.final + (self.initial - self.final) * share


@registry.register("schedule", "exponential_decay")
@dataclasses.dataclass(frozen=True)
class ExponentialDecay:
    """From a value down to another by the same factor in equal numbers of steps, then constant.

    At step t the value is `max(initial * rate ** (t / steps), final)`; with `staircase`, t / steps
    is rounded down. Two of them in one config need gin scopes, as for `cosine_decay`.

    Attributes:
      initial: Value at step 0.
      final: Smallest value.
      rate: Factor above 0 and at most 1.
      steps: Number of generator steps in which the value shrinks by this factor.
      staircase: Whether the value changes only every `steps` steps, such as once in an epoch.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.schedules import ExponentialDecay
      >>> decay = ExponentialDecay(initial=1.0, final=0.3, rate=0.5, steps=100)
      >>> [round(float(decay(step)), 2) for step in (0, 50, 100, 1000)]
      [1.0, 0.71, 0.5, 0.3]
    """

    initial: float = 1.0
    final: float = 0.0
    rate: float = 0.99
    steps: int = 1000
    staircase: bool = False

    def __post_init__(self) -> None:
        check_number("exponential_decay.initial", self.initial)
        errors.check_range("exponential_decay.rate", self.rate, 0, 1)
        if self.rate == 0:
            raise UserError("exponential_decay.rate must be above 0, received 0.")
        check_positive_integer("exponential_decay.steps", self.steps)
        errors.check_range("exponential_decay.final", self.final, 0, self.initial)

    @property
    def extremes(self) -> tuple[float, float]:
        """The largest and the smallest value."""
        return self.initial, self.final

    def __call__(self, step: Any) -> Tensor:
        """The value at `step`, a float32 scalar."""
        count = ops.cast(step, "float32") / self.steps
        if self.staircase:
            count = ops.floor(count)
        return ops.maximum(self.initial * ops.power(self.rate, count), self.final)
