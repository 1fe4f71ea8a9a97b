"""Pictures that metrics draw, written as PNG."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image

from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor
from compare_gan.plots import grids
from compare_gan.registry import call_with_requested


def draw(
    metric: Metric, extractor: Extractor, available: Mapping[str, object]
) -> dict[str, PIL.Image.Image]:
    """Draws the pictures of a metric.

    Args:
      metric: The metric.
      extractor: The extractor, whose name is part of the names of scores.
      available: Arguments of `Metric.value`.

    Returns:
      Pictures by the names of scores.
    """
    drawn = call_with_requested(metric.pictures, **available)
    name = metric.score_name(extractor)
    return {f"{name}_{suffix}" if suffix else name: picture for suffix, picture in drawn.items()}


def write(pictures: Mapping[str, PIL.Image.Image], folder: str, prefix: str = "") -> Sequence[str]:
    """Writes each picture as `<prefix><name>.png`; returns the paths."""
    paths: list[str] = []
    for name, picture in pictures.items():
        paths.append(os.path.join(folder, f"{prefix}{name}.png"))
        grids.save_png(np.asarray(picture.convert("RGB")), paths[-1])
    return paths
