"""Whether lower or higher values of a score are better, from the score's name."""

from collections.abc import Iterator

from compare_gan import registry
from compare_gan.metrics.base import Metric
from compare_gan.types import Direction


def better_direction(score: str, extractor: str) -> Direction:
    """Whether lower or higher values of a score are better, as its metric declares.

    Example:
      >>> from compare_gan.metrics.directions import better_direction
      >>> better_direction("fid_fashion_cnn", "fashion_cnn")
      'lower'
      >>> better_direction("precision_recall_fashion_cnn_recall", "fashion_cnn")
      'higher'
      >>> better_direction("fractal_dimension_inception", "inception") is None
      True

    Args:
      score: Name of the score, as in result rows.
      extractor: Name of the extractor that it was measured with.

    Returns:
      `lower`, `higher`, or None if neither is better as such, or the metric is not registered.
    """
    found = [
        (len(name), metric, score[len(name) + 1 :])
        for metric in _metrics()
        for name in _score_names(metric, extractor)
        if score == name or score.startswith(f"{name}_")
    ]
    if not found:
        return None
    # `memorization_pixels` is a metric, and not a value of `memorization`.
    _, metric, suffix = max(found, key=lambda each: each[0])
    return metric.better_by_suffix.get(suffix, metric.better)


def _metrics() -> Iterator[type[Metric]]:
    for component in registry.components("metric"):
        if isinstance(component.value, type) and issubclass(component.value, Metric):
            yield component.value


def _score_names(metric: type[Metric], extractor: str) -> list[str]:
    """The names that `Metric.score_name` may return."""
    if not metric.needs & {"features", "logits"}:
        return [metric.name]
    names = [f"{metric.name}_{extractor}"]
    return [*names, metric.canonical_name] if metric.canonical_name else names
