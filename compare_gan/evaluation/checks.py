"""Whether metrics suit two sets of images: checked before any work starts."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import (
    GivenStatistics,
    ImageSet,
    IndexedImages,
    SplitImages,
)
from compare_gan.evaluation.statistics import ANY_NUMBER, Images
from compare_gan.metrics.base import Metric, SetSize
from compare_gan.metrics.gaussian import GaussianStatistics


def check_sets(metrics: Mapping[str, Metric], real: Images | None, fake: Images) -> None:
    """Raises UserError unless every metric suits both sets; metrics by the user's names."""
    for name, metric in metrics.items():
        networks = sorted(metric.needs & {"generator", "discriminator"})
        if networks:
            raise UserError(
                f"'{name}' needs a {networks[0]}, not a set of images: request it in "
                "evaluation.metrics."
            )
        _check_set(name, metric, fake)
        if not metric.uses_real:
            metric.check_sizes(_size(fake))
            continue
        if real is None:
            raise UserError(f"'{name}' compares with real images, but none are given.")
        _check_set(name, metric, real)
        metric.check_sizes(_size(fake), _size(real))
        if "images" in metric.needs and real.shape != fake.shape:
            raise UserError(
                f"'{name}' compares images pixel by pixel, but the real images ('{real.name}') are "
                f"{real.shape_text}, the fake images ('{fake.name}') {fake.shape_text}."
            )


def common_classes(
    real: Images | None, fake: Images, compared: bool = True
) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    """Matches the classes of two sets.

    Classes are matched by name, regardless of case and punctuation, if both sets have names for
    them, otherwise by number: the labels of a set without names, a data set's own numbers, or the
    names of folders if they are integers.

    Args:
      real: The reference.
      fake: The images that are scored.
      compared: Whether a metric compares the labels of both, so that they must match.

    Returns:
      The names of the classes, None if `fake` has no labels; and an array from its numbers to those
      of `real`, None if they are the same.

    Raises:
      UserError: `real` lacks a class of `fake`, two names are the same, or only one set has names.
    """
    if not isinstance(fake, ImageSet) or not fake.has_labels:
        return None, None
    if not isinstance(real, ImageSet) or not real.has_labels:
        return fake.class_names or (), None
    if real.class_names is None and fake.class_names is None:
        return (), None
    if real.class_names is None or fake.class_names is None:
        names = real.class_names or fake.class_names
        return names, _by_number(real, fake) if compared else None
    alike = set(fake.class_names) <= set(real.class_names)
    key = str if alike else _plain
    keys = [_distinct(images, key, "but for case and punctuation") for images in (real, fake)]
    return real.class_names, _matched(real, fake, *keys)


def _by_number(real: ImageSet, fake: ImageSet) -> np.ndarray | None:
    """The array from the numbers of `fake` to those of `real`, where one of them has names."""
    named, other = (fake, real) if real.class_names is None else (real, fake)
    names = named.class_names or ()
    if isinstance(named, SplitImages):  # Generators are trained on its numbers.
        return None
    if not all(name.isdecimal() for name in names):
        raise UserError(
            f"The classes of '{named.name}' have names ('{names[0]}', …), those of '{other.name}' "
            "only numbers, so they cannot be matched: give both sets names, or use the numbers as "
            "names of folders."
        )
    keys = {True: _distinct(named, int, "as numbers"), False: range(_largest_label(other) + 1)}
    return _matched(real, fake, keys[real is named], keys[fake is named])


def _matched(
    real: ImageSet, fake: ImageSet, real_keys: Sequence, fake_keys: Sequence
) -> np.ndarray:
    """The array from the numbers of `fake` to those of `real`, int32, by the keys of classes."""
    numbers = {key: i for i, key in enumerate(real_keys)}
    names = fake.class_names or fake_keys
    present = range(len(fake_keys)) if fake.class_names else np.unique(_labels(fake)).tolist()
    for i in present:
        if fake_keys[i] not in numbers:
            raise UserError(f"'{fake.name}' has the class '{names[i]}', which '{real.name}' lacks.")
    return np.array([numbers.get(key, -1) for key in fake_keys], np.int32)


def _distinct(images: ImageSet, key: Callable[[str], object], how: str) -> list:
    """The keys of all classes; UserError if two have the same."""
    class_names = images.class_names or ()
    found: dict[object, str] = {}
    for name in class_names:
        other = found.setdefault(key(name), name)
        if other != name:
            raise UserError(
                f"The classes '{other}' and '{name}' of '{images.name}' are the same {how}, so "
                "they cannot be matched with those of the other set."
            )
    return [key(name) for name in class_names]


def _labels(images: ImageSet) -> np.ndarray:
    """All labels of images whose classes have no names: only those read one by one have none."""
    assert isinstance(images, IndexedImages) and images.labels is not None
    return images.labels


def _largest_label(images: ImageSet) -> int:
    return int(_labels(images).max())


def _size(images: Images) -> SetSize:
    """The size of a set, with those of its classes."""
    if isinstance(images, GivenStatistics):
        return SetSize(ANY_NUMBER)
    if not isinstance(images, IndexedImages) or images.labels is None or not images.has_labels:
        return SetSize(images.count)
    names = images.class_names
    labels = images.labels[images.order]
    counts = np.bincount(labels[labels >= 0], minlength=len(names or ()))
    return SetSize(images.count, tuple(counts.tolist()), names)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def _check_set(name: str, metric: Metric, images: Images) -> None:
    if isinstance(images, GivenStatistics):
        if not isinstance(metric.statistics(ANY_NUMBER), GaussianStatistics):
            raise UserError(
                f"'{name}' needs images, but '{images.name}' holds only a mean and a covariance "
                "(mu, sigma)."
            )
        return
    if "labels" in metric.needs and not images.has_labels:
        raise UserError(
            f"'{name}' needs labels, but '{images.name}' has none: use one subfolder per class, or "
            "`labels` in an .npz."
        )
    if "images" in metric.needs and images.shape is None:
        raise UserError(
            f"'{name}' needs images of one size, but those of '{images.name}' differ in size."
        )
