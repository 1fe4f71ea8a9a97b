"""What result rows say of the options of metrics."""

import json
from collections.abc import Sequence

from compare_gan.evaluation.results import NOT_RECORDED, Protocol
from compare_gan.metrics.base import Metric


def metric_options(
    metrics: Sequence[Metric], num_classes: int, real_labels: str = ""
) -> dict[str, object]:
    """What the protocol says of the options of metrics, as `metric.option`.

    Args:
      metrics: The metrics.
      num_classes: Of the set that is scored, 1 without labels: `metric.classes` of those metrics
        that look at labels where there are any.
      real_labels: Names the labels of the reference, where the hash of its images does not:
        `metric.real_labels` of those metrics that compare with them.
    """
    told = {}
    for metric in metrics:
        options = metric.options() | ({"classes": num_classes} if metric.uses_labels else {})
        if real_labels and metric.uses_real and "labels" in metric.needs:
            options["real_labels"] = real_labels
        told |= {f"{metric.name}.{name}": value for name, value in options.items()}
    return told


def had_options(protocol: Protocol, metrics: Sequence[Metric], num_classes: int | None) -> bool:
    """Whether scores were measured with the options that these metrics have.

    Args:
      protocol: Of the scores. Of a metric that had no meaning there it tells no options.
      metrics: The metrics.
      num_classes: Of the data set.
    """
    if protocol.metric_options == NOT_RECORDED:
        return False
    num_classes = num_classes or 1 if protocol.labels == "in turn" else 1
    for metric in metrics:
        told = {
            name: value
            for name, value in protocol.metric_options.items()
            if name.startswith(f"{metric.name}.")
        }
        if told and _as_json(told) != _as_json(metric_options([metric], num_classes)):
            return False
    return True


def _as_json(options: dict[str, object]) -> str:
    """As results.jsonl has them, which knows no tuples."""
    return json.dumps(options, sort_keys=True)
