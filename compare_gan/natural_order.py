"""Natural order of names: digits count as numbers, 2 before 10."""

import re
from collections.abc import Iterable, Sequence

_DIGITS = re.compile("([0-9]+)")


def natural_key(name: str) -> tuple[Sequence[object], str]:
    """A key that sorts digits in names as numbers, and everything else as text.

    Example:
      >>> from compare_gan.natural_order import natural_key
      >>> sorted(["10", "9", "b2", "b10", "a"], key=natural_key)
      ['9', '10', 'a', 'b2', 'b10']
    """
    pieces: list[object] = list(_DIGITS.split(name))
    for i in range(1, len(pieces), 2):
        digits = str(pieces[i]).lstrip("0")
        pieces[i] = (len(digits), digits)  # Of any length, which `int` would refuse.
    return pieces, name


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Names in natural order.

    Example:
      >>> from compare_gan.natural_order import in_natural_order
      >>> in_natural_order({"resnet30", "resnet5"})
      ['resnet5', 'resnet30']
    """
    return sorted(names, key=natural_key)
