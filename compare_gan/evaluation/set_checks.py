"""Whether metrics can be had of two sets of images: told before any work starts."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import ImageSet, SplitImages
from compare_gan.evaluation.npz_files import GivenStatistics
from compare_gan.metrics.base import Metric
from compare_gan.metrics.gaussian import GaussianStatistics

Set = ImageSet | GivenStatistics
# Stands for the number of images where that is not known: enough for all statistics.
ANY_NUMBER = 1_000_000


def check_sets(metrics: Mapping[str, Metric], real: Set | None, fake: Set) -> None:
    """Raises UserError unless every metric, by the name that the user gave, suits both sets."""
    for name, metric in metrics.items():
        networks = sorted(metric.needs & {"generator", "discriminator"})
        if networks:
            raise UserError(
                f"'{name}' looks at a {networks[0]}, not at a set of images: name it in "
                "evaluation.metrics."
            )
        if metric.uses_real and real is None:
            raise UserError(f"'{name}' compares with real images, and none are given.")
        for images in (real, fake) if metric.uses_real else (fake,):
            if isinstance(images, GivenStatistics):
                _check_given(name, metric, images)
            else:
                _check_images(name, metric, images)
        if "images" in metric.needs and metric.uses_real and real.shape != fake.shape:
            raise UserError(
                f"'{name}' compares images pixel by pixel, and those of '{real.name}' are "
                f"{shape_text(real.shape)}, those of '{fake.name}' {shape_text(fake.shape)}."
            )


def shape_text(shape: tuple[int, ...] | None) -> str:
    """The shape of images, as messages and results have it."""
    return "of several sizes" if shape is None else "x".join(map(str, shape))


def common_classes(
    real: Set | None, fake: Set, compared: bool = True
) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    """Names of the classes of labels that may be compared.

    Classes are matched by name, whatever the case and punctuation, where both sets have names for
    them, and else by number: the labels of a set without names, a data set's own numbers, or the
    names of folders where those are integers.

    Args:
      real: The reference.
      fake: The images that are scored.
      compared: Whether a metric compares the labels of both, so that they must match.

    Returns:
      The names, None if `fake` has no labels; and from its numbers to those of `real`, None where
      they are the same.

    Raises:
      UserError: A class of `fake` is none of `real`, names cannot be told apart, or only one set
        has names, and numbers that say nothing.
    """
    if not _has_labels(fake):
        return None, None
    if not _has_labels(real):
        return fake.class_names or (), None
    if real.class_names is None and fake.class_names is None:
        return (), None
    if real.class_names is None or fake.class_names is None:
        names = real.class_names or fake.class_names
        return names, _by_number(real, fake) if compared else None
    alike = set(fake.class_names) <= set(real.class_names)
    keys = [
        _distinct(images, str if alike else _plain, "but for case and punctuation")
        for images in (real, fake)
    ]
    return real.class_names, _matched(real, fake, *keys)


def _by_number(real: ImageSet, fake: ImageSet) -> np.ndarray | None:
    """From the numbers of `fake` to those of `real`, where one of them has names."""
    named, other = (fake, real) if real.class_names is None else (real, fake)
    if isinstance(named, SplitImages):  # Its numbers are what generators are trained on.
        return None
    if not all(name.isdecimal() for name in named.class_names):
        raise UserError(
            f"The classes of '{named.name}' have names ('{named.class_names[0]}', …), those of "
            f"'{other.name}' only numbers, so they cannot be matched: give both names, or folders "
            "the numbers as names."
        )
    keys = [
        _distinct(named, int, "as numbers")
        if images is named
        else range(int(images.labels.max()) + 1)
        for images in (real, fake)
    ]
    return _matched(real, fake, *keys)


def _matched(
    real: ImageSet, fake: ImageSet, real_keys: Sequence, fake_keys: Sequence
) -> np.ndarray:
    """From the numbers of `fake` to those of `real`, int32, by what they stand for."""
    numbers = {key: i for i, key in enumerate(real_keys)}
    names = fake.class_names or fake_keys
    present = np.arange(len(fake_keys)) if fake.class_names else np.unique(fake.labels)
    for i in present:
        if fake_keys[i] not in numbers:
            raise UserError(
                f"'{fake.name}' has the class '{names[i]}', which '{real.name}' has not."
            )
    return np.array([numbers.get(key, -1) for key in fake_keys], np.int32)


def _distinct(images: ImageSet, key: Callable[[str], object], how: str) -> list:
    """The keys of all classes; UserError where two have the same."""
    found: dict[object, str] = {}
    for name in images.class_names:
        other = found.setdefault(key(name), name)
        if other != name:
            raise UserError(
                f"The classes '{other}' and '{name}' of '{images.name}' are the same {how}, so "
                "they cannot be matched with those of the other set."
            )
    return [key(name) for name in images.class_names]


def _has_labels(images: Set | None) -> bool:
    return isinstance(images, ImageSet) and images.has_labels


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def _check_given(name: str, metric: Metric, given: GivenStatistics) -> None:
    if not isinstance(metric.statistics(ANY_NUMBER), GaussianStatistics):
        raise UserError(
            f"'{name}' needs images, and '{given.name}' holds only a mean and a covariance "
            "(mu, sigma)."
        )


def _check_images(name: str, metric: Metric, images: ImageSet) -> None:
    if "labels" in metric.needs and not images.has_labels:
        raise UserError(
            f"'{name}' needs labels, and '{images.name}' has none: one subfolder a class, or "
            "`labels` in an .npz."
        )
    if "images" in metric.needs and images.shape is None:
        raise UserError(
            f"'{name}' needs images of one size, and those of '{images.name}' are of several."
        )
    metric.statistics(images.count)  # Some cannot be had of so few.
