"""Pictures of what scores hide: those that metrics draw, written as PNG."""

import os
from collections.abc import Sequence

import numpy as np
import PIL.Image

from compare_gan.metrics.base import Metric
from compare_gan.registry import call_with_requested
from compare_gan.report import grids


def draw(metric: Metric, extractor, available: dict[str, object]) -> dict[str, PIL.Image.Image]:
    """The pictures of a metric, by the names that its scores have.

    Args:
      metric: The metric.
      extractor: The extractor, whose name is in those of scores.
      available: What `Metric.value` was given.
    """
    drawn = call_with_requested(metric.pictures, **available)
    name = metric.score_name(extractor)
    return {f"{name}_{suffix}" if suffix else name: picture for suffix, picture in drawn.items()}


def write(pictures: dict[str, PIL.Image.Image], folder: str, prefix: str = "") -> Sequence[str]:
    """Writes each as `<prefix><name>.png`; returns the paths."""
    paths = []
    for name, picture in pictures.items():
        paths.append(os.path.join(folder, f"{prefix}{name}.png"))
        grids.save_png(np.asarray(picture.convert("RGB")), paths[-1])
    return paths
