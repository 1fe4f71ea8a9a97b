"""The classes to draw, and their names."""

import numbers
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

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


def labels_as_counted(num: int, counts: Sequence[int]) -> np.ndarray:
    """Labels with the frequencies of given class sizes, evenly mixed.

    Each class gets its share of `num`, rounded down; those that lose most by that get one more.

    Example:
      >>> from compare_gan.sampling import labels_as_counted
      >>> labels_as_counted(8, counts=[300, 100])
      array([0, 0, 1, 0, 0, 0, 1, 0], dtype=int32)

    Args:
      num: Number of labels.
      counts: Size of each class, at least one of them above 0.

    Returns:
      int32 [num].
    """
    sizes = np.asarray(counts, np.int64)
    shares, lost = np.divmod(sizes * num, sizes.sum())
    shares[np.argsort(-lost, kind="stable")[: num - shares.sum()]] += 1
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), shares)
    starts = np.repeat(np.cumsum(shares) - shares, shares)
    place = (np.arange(num) - starts + 0.5) / np.repeat(shares, shares)
    return labels[np.lexsort((labels, place))]


def row_names(class_names: Sequence[str] | None, classes: Iterable[int]) -> list[str]:
    """Names of classes for the rows of a grid: their numbers where `class_names` is None."""
    return [str(i) if class_names is None else str(class_names[i]) for i in classes]


def find_class(sampler: "Sampler", name: str | int | None) -> int | None:
    """The number of a class given by name or number; None stays None.

    An integer is a number. Digits in a string are a name where names of classes are numbers,
    otherwise a number.

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
    if isinstance(name, numbers.Integral):  # One of NumPy too.
        name = int(name)
    names = list(sampler.class_names or [])
    if name in names:  # An integer is not.
        return names.index(str(name))
    # "2" would be the third class among those named 1, 3 and 7.
    is_number = isinstance(name, int) or not any(each.isdecimal() for each in names)
    if is_number and str(name).isdecimal() and int(name) < sampler.num_classes:
        return int(name)
    allowed = [f"0…{sampler.num_classes - 1}"] if is_number else []
    raise unknown_name("class", str(name), [*names, *allowed])


def find_classes(sampler: "Sampler", names: Iterable[str | int] | None) -> list[int] | None:
    """The numbers of classes given by name or number, each once; None stays None.

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.classes import find_classes
      >>> sampler = Sampler(None, 2, (8, 8, 1), num_classes=2, class_names=["cat", "dog"])
      >>> find_classes(sampler, ["dog", 0])
      [1, 0]

    Raises:
      UserError: There is no class to draw; or see `find_class`.
    """
    if names is None:
        return None
    found = dict.fromkeys(find_class(sampler, name) for name in names)
    if not found:
        raise UserError("classes must be at least one class, or None for all of them.")
    return [number for number in found if number is not None]


def class_labels(sampler: "Sampler", labels: Any, num: int) -> np.ndarray | None:
    """The classes to draw as numbers, one for each image.

    Example:
      >>> from compare_gan.sampling import Sampler, class_labels
      >>> sampler = Sampler(None, 2, (8, 8, 1), num_classes=2, class_names=["cat", "dog"])
      >>> class_labels(sampler, "dog", 3)
      array([1, 1, 1], dtype=int32)

    Args:
      sampler: Sampler whose classes they are.
      labels: Numbers or names of classes, [num]; one number or name for all images; if None, those
        of `Sampler.draw_labels`.
      num: Number of images.

    Returns:
      int32 [num]; None for an unconditional generator.

    Raises:
      UserError: The generator has no such class, or no classes; or the number of labels is wrong.
    """
    if labels is None:
        return sampler.draw_labels(num)
    given = np.asarray(labels)
    if given.dtype.kind in "SU":  # NumPy makes names of the numbers among names.
        given = np.asarray(labels, dtype=object)
    if sampler.num_classes is None:
        raise UserError("This model is unconditional: it draws images without labels.")
    if given.ndim > 1 or (given.ndim == 1 and len(given) != num):
        raise UserError(
            f"labels must be one class or {num} classes, one for each image; received an array of "
            f"shape {list(given.shape)}."
        )
    listed = [
        label.item() if isinstance(label, np.generic) else label for label in given.ravel().tolist()
    ]
    for label in listed:
        if not isinstance(label, (int, str)) or isinstance(label, bool):
            raise UserError(f"labels must be numbers or names of classes, received {label!r}.")
    found = {label: find_class(sampler, label) for label in set(listed)}
    return np.full([num], [found[label] for label in listed], np.int32)
