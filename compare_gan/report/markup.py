"""Small pieces of HTML and SVG, with everything from data escaped."""

import math
from collections.abc import Iterable
from typing import Protocol

from markupsafe import Markup, escape

MISSING = "–"


class Block(Protocol):
    """Anything that stands on a page: it returns safe HTML, as MarkupSafe and Jinja2 ask for."""

    def __html__(self) -> str: ...


def element(name: str, *content: object, **attributes: object) -> Markup:
    """An element with escaped content and attributes.

    Args:
      name: Name of the element.
      content: Texts, which are escaped, and markup, which is not.
      attributes: Attributes; `_` stands for `-`, and one at the end is dropped (`class_`). One that
        is None or False is left out, one that is True has no value.

    Example:
      >>> from compare_gan.report.markup import element
      >>> element("p", "1 < 2", class_="note")
      Markup('<p class="note">1 &lt; 2</p>')
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_value(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in ("img", "input"):
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(content)}</{name}>")


def join(content: Iterable[object]) -> Markup:
    """Texts, which are escaped, and markup, which is not, one after the other."""
    return Markup("").join(Markup(escape(each)) for each in content)


def number(value: float | None, digits: int = 4) -> str:
    """A number for people: significant digits, without an exponent where it can be avoided.

    Example:
      >>> from compare_gan.report.markup import number
      >>> [number(value) for value in (1234567, 12.34567, 0.000012345, None, float("inf"))]
      ['1,234,567', '12.35', '1.234e−05', '–', '∞']
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, int) or (value == round(value) and abs(value) < 1e15):
        text = f"{int(value):,}"
    elif not -4 <= (size := _exponent(value, digits)) <= 9:
        text = f"{value:.{digits - 1}e}"
    else:
        text = f"{value:,.{max(0, digits - 1 - size)}f}"
    return text.replace("-", "−")


def _exponent(value: float, digits: int) -> int:
    """The power of ten of the rounded value: 0.9998 with three digits is 1.00."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _value(value: object) -> Markup:
    if isinstance(value, float):
        value = f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(value)
