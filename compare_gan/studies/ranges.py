"""Ranges of numbers, from which a search chooses the values of a parameter."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from compare_gan.errors import UserError, with_suggestion
from compare_gan.studies.values import PARAMETER, AxisValue

_KINDS = ("uniform", "log", "int")


@dataclasses.dataclass(frozen=True)
class Range:
    """A range of numbers, both ends included.

    Attributes:
      parameter: The parameter that is bound.
      kind: `uniform`, `log` for a uniform logarithm, or `int` for integers.
      low: The smallest number.
      high: The largest number.
    """

    parameter: str
    kind: str
    low: float
    high: float

    def label(self, number: float) -> str:
        """The label of a number: four significant digits, so that names of runs stay short."""
        if self.kind == "int":
            return str(int(number))
        return repr(min(max(float(f"{number:.4g}"), self.low), self.high))

    def number(self, label: str) -> float:
        """The number with a label."""
        return int(label) if self.kind == "int" else float(label)

    def value(self, label: str) -> AxisValue:
        """The value with a label."""
        return AxisValue(label, (f"{self.parameter} = {label}",))

    def has(self, label: str) -> bool:
        """Whether a number with this label is in the range."""
        try:
            return self.low <= self.number(label) <= self.high
        except ValueError:
            return False


def make_ranges(given: Any) -> dict[str, Range]:
    """The ranges of a study by their parameters.

    Args:
      given: By parameter, a kind and two ends, such as `("log", 1e-5, 1e-2)`; None for none.

    Raises:
      UserError: It has another form, or the ends are in the wrong order.

    Example:
      >>> from compare_gan.studies.ranges import make_ranges
      >>> ranges = make_ranges({"ModularGAN.g_lr": ("log", 1e-5, 1e-2)})
      >>> ranges["ModularGAN.g_lr"].label(0.000123456)
      '0.0001235'
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UserError(f"study.search must be a dict of ranges by parameter, received {given!r}.")
    return {name: _range(name, each) for name, each in given.items()}


def _range(name: Any, given: Any) -> Range:
    if not isinstance(name, str) or not PARAMETER.fullmatch(name):
        raise UserError(f"study.search must name parameters, such as 'loss.margin': {name!r}.")
    subject = f"study.search['{name}']"
    if not isinstance(given, (list, tuple)) or len(given) != 3:
        raise UserError(
            f"{subject} must be a kind and two ends, such as ('log', 1e-5, 1e-2), received "
            f"{given!r}."
        )
    kind, low, high = given
    if kind not in _KINDS:
        sentence = f"{subject} must be of the kind {', '.join(_KINDS)}, received {kind!r}."
        raise UserError(with_suggestion(sentence, str(kind), _KINDS))
    number = int if kind == "int" else (int, float)
    for end in (low, high):
        if isinstance(end, bool) or not isinstance(end, number) or not math.isfinite(end):
            numbers = "integers" if kind == "int" else "numbers"
            raise UserError(f"{subject}: the ends must be {numbers}, received {end!r}.")
    if not low < high or (kind == "log" and low <= 0):
        positive = "0 < " if kind == "log" else ""
        raise UserError(f"{subject}: {positive}low < high must hold, received {low} and {high}.")
    if kind != "int":
        low, high = float(low), float(high)
    return Range(name, kind, low, high)
