"""One pass over a set of images for all metrics."""

from collections.abc import Iterable, Sequence

import numpy as np

from compare_gan.metrics.base import ImageBatch, Metric
from compare_gan.metrics.extractors.base import stream

_EXTRACTED = frozenset({"features", "logits"})


def gather(
    metrics: Sequence[Metric], extractor, batches: Iterable[ImageBatch], num_images: int
) -> dict[str, dict[str, np.ndarray]]:
    """The statistics of all metrics over a set of images.

    Args:
      metrics: Those that share a statistic share its computation.
      extractor: Shown every batch once, if any metric needs what it yields.
      batches: The set, in order: images and, where there are any, labels.
      num_images: Size of the set.

    Returns:
      Results of the statistics by name, see `statistics_name`.

    Raises:
      UserError: Statistics cannot be had from these images.
    """
    statistics, extracts = {}, False
    for metric in metrics:
        made = metric.statistics(num_images)
        if made is not None:
            statistics.setdefault(made.name, made)
            extracts = extracts or bool(metric.needs & _EXTRACTED)
    if not statistics:
        return {}
    for batch in stream(extractor, batches) if extracts else batches:
        for each in statistics.values():
            each.update(batch)
    return {name: each.result() for name, each in statistics.items()}


def statistics_name(metric: Metric, num_images: int) -> str | None:
    """The name of a metric's statistics of so many images; None if it has none."""
    made = metric.statistics(num_images)
    return None if made is None else made.name
