"""From values to places in a chart, and the ticks between."""

import dataclasses
import math
from collections.abc import Iterable

from compare_gan.report.markup import number

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclasses.dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map from [low, high] to [start, end].

    Attributes:
      low: Smallest value.
      high: Largest value, greater than `low`.
      start: Place of `low`.
      end: Place of `high`; less than `start` for a vertical axis.
      log: Whether the map is logarithmic; `low` is positive then.

    Example:
      >>> from compare_gan.report.charts.scales import Scale
      >>> scale = Scale(0, 10, 100, 200)
      >>> scale(2.5), scale.ticks(5)
      (125.0, [0, 2, 4, 6, 8, 10])
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int) -> list[float]:
        """Round values in the range, about `count` of them, in rising order."""
        if self.log and len(ticks := self._log_ticks(count)) >= 2:
            return ticks
        rough = (self.high - self.low) / count
        size = 10.0 ** math.floor(math.log10(rough))
        step = size * next(each for each in _STEPS if each * size >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        ticks = [float(f"{index * step:.12g}") for index in range(first, last + 1)]
        return [int(tick) if tick == int(tick) else tick for tick in ticks]

    def _log_ticks(self, count: int) -> list[float]:
        """Powers of ten, and for a short range 2 and 5 times them."""
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        factors = (1, 2, 5) if len(exponents) <= 3 else (1,)
        values = [float(f"{factor * 10.0**each:.3g}") for each in exponents for factor in factors]
        shown = [int(v) if v == int(v) else v for v in values if self.low <= v <= self.high]
        return shown[:: math.ceil(len(shown) / (2 * count))] if shown else []


def scale_of(
    values: Iterable[float | None],
    start: float,
    end: float,
    log: bool = False,
    margin: float = 0.04,
) -> Scale:
    """A scale over all finite values, with a margin on both sides; not logarithmic if one is ≤ 0.

    Args:
      values: Values that must be visible.
      start: Place of the smallest value.
      end: Place of the largest value.
      log: Whether the scale is logarithmic.
      margin: Margin as a fraction of the range.
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    log = log and low > 0
    if log:
        low, high = math.log(low), math.log(high)
    # Equal values, and differences that floating-point numbers hardly resolve.
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        half = abs(low) / 20 or 0.5
        low, high = low - half, high + half
    room = margin * (high - low)
    low, high = low - room, high + room
    return Scale(*((math.exp(low), math.exp(high)) if log else (low, high)), start, end, log)


def tick_text(value: float) -> str:
    """A tick's value, short: 20k, 1.5M.

    Example:
      >>> from compare_gan.report.charts.scales import tick_text
      >>> [tick_text(value) for value in (0, 0.25, 1500, 20000, 1500000)]
      ['0', '0.25', '1,500', '20k', '1.5M']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and size > 1e3):
            return f"{value / size:.4g}{unit}".replace("-", "−")
    if value and abs(value) < 1e-4:
        return f"{value:.3g}".replace("-", "−")
    return number(value) if value == round(value) else f"{value:.6g}".replace("-", "−")
