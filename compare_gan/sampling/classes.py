"""The classes to draw, and their names."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from compare_gan.errors import UserError, unknown_name

if TYPE_CHECKING:
    from compare_gan.sampling.sampler import Sampler


def labels_in_turn(num: int, num_classes: int | None) -> np.ndarray | None:
    """Labels 0, 1, …, num_classes - 1, 0, …

    Example:
      >>> from compare_gan.sampling import labels_in_turn
      >>> labels_in_turn(5, num_classes=3)
      array([0, 1, 2, 0, 1], dtype=int32)

    Args:
      num: Number of labels.
      num_classes: Number of classes; None for an unconditional generator.

    Returns:
      int32 [num]; None without classes.
    """
    return None if num_classes is None else np.arange(num, dtype=np.int32) % num_classes


def row_names(class_names: Sequence[str] | None, classes: Iterable[int]) -> list[str]:
    """Names of classes for the rows of a grid: their numbers where `class_names` is None."""
    return [str(i) if class_names is None else str(class_names[i]) for i in classes]


def find_class(sampler: "Sampler", name: str | None) -> int | None:
    """The number of a class given by name or number; None stays None.

    Example:
      >>> from compare_gan.sampling import Sampler, find_class
      >>> sampler = Sampler(None, 2, (8, 8, 1), num_classes=2, class_names=["cat", "dog"])
      >>> find_class(sampler, "dog")
      1

    Raises:
      UserError: The generator has no such class, or no classes.
    """
    if name is None:
        return None
    if sampler.num_classes is None:
        raise UserError(f"This model is unconditional: it cannot draw the class '{name}'.")
    names = list(sampler.class_names or [])
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < sampler.num_classes:
        return int(name)
    raise unknown_name("class", name, [*names, f"0…{sampler.num_classes - 1}"])
