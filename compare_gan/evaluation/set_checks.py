"""Whether metrics can be had of two sets of images: told before any work starts."""

from collections.abc import Mapping

import numpy as np

from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import ImageSet
from compare_gan.evaluation.npz_files import GivenStatistics
from compare_gan.metrics.base import Metric
from compare_gan.metrics.frechet import GaussianStatistics

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


def common_classes(real: Set | None, fake: Set) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    """Names of the classes of labels that may be compared.

    Args:
      real: The reference.
      fake: The images that are scored.

    Returns:
      The names, None if `fake` has no labels; and from its numbers to those of `real`, if both
      have names for them, else None.

    Raises:
      UserError: A class of `fake` is none of `real`.
    """
    if not _has_labels(fake):
        return None, None
    named = real.class_names if _has_labels(real) else None
    if named is None or fake.class_names is None:
        return named or fake.class_names or (), None
    numbers = {_plain(name): i for i, name in enumerate(named)}
    for name in fake.class_names:
        if _plain(name) not in numbers:
            raise UserError(f"'{fake.name}' has the class '{name}', which '{real.name}' has not.")
    return named, np.array([numbers[_plain(name)] for name in fake.class_names], np.int32)


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
