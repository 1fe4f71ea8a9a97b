"""Sampling: one `Sampler` draws images from a generator; grids and files of them."""

from compare_gan.sampling.classes import (
    class_labels,
    find_class,
    labels_as_counted,
    labels_in_turn,
)
from compare_gan.sampling.drawing import sample_grid, write_grid, write_interpolation
from compare_gan.sampling.sampler import Sampler, StandingStatistics
from compare_gan.sampling.writing import write_images

__all__ = [
    "Sampler",
    "StandingStatistics",
    "class_labels",
    "find_class",
    "labels_as_counted",
    "labels_in_turn",
    "sample_grid",
    "write_grid",
    "write_images",
    "write_interpolation",
]
