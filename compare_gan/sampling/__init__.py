"""Sampling: one `Sampler` draws images from a generator; grids, files and videos of them."""

from compare_gan.sampling.batch_statistics import StandingStatistics
from compare_gan.sampling.classes import (
    class_labels,
    find_class,
    labels_as_counted,
    labels_in_turn,
)
from compare_gan.sampling.directions import (
    Directions,
    direction_images,
    find_directions,
    write_directions,
)
from compare_gan.sampling.drawing import sample_grid, write_grid, write_interpolation
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.held_out import HeldOutImages
from compare_gan.sampling.numbered import parse_numbers
from compare_gan.sampling.projection import (
    Projection,
    ProjectionOptions,
    project,
    write_projection,
)
from compare_gan.sampling.sampler import Sampler
from compare_gan.sampling.style_mixing import write_style_mixtures
from compare_gan.sampling.video import write_video
from compare_gan.sampling.writing import write_images

__all__ = [
    "Directions",
    "Draws",
    "HeldOutImages",
    "Projection",
    "ProjectionOptions",
    "Sampler",
    "StandingStatistics",
    "class_labels",
    "direction_images",
    "find_class",
    "find_directions",
    "labels_as_counted",
    "labels_in_turn",
    "parse_numbers",
    "project",
    "sample_grid",
    "write_directions",
    "write_grid",
    "write_images",
    "write_interpolation",
    "write_projection",
    "write_style_mixtures",
    "write_video",
]
