"""How good inferred labels are, by the hidden ones: told, and of no effect on anything."""

import logging

import numpy as np

from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels

_log = logging.getLogger(__name__)


def told_quality(
    dataset: Dataset, hard: np.ndarray, given: np.ndarray, num_clusters: int | None
) -> dict[str, float]:
    """Logs and returns it, under a name in words; nothing where no label is hidden.

    Args:
      dataset: What was labelled, with its true labels.
      hard: int [num_train], the labels.
      given: bool [num_train], those that were not inferred.
      num_clusters: How many there are, where they are numbers of clusters; None = classes.
    """
    if not dataset.source.num_classes:
        return {}
    true = to_hard_labels(dataset.source.labels("train"))
    hidden = ~given & (true >= 0)
    if not hidden.any():
        return {}
    true, hard = true[hidden], hard[hidden]
    if num_clusters:
        table = np.zeros([num_clusters, dataset.source.num_classes], np.int64)
        np.add.at(table, (hard, true), 1)
        purity = float(table.max(1).sum() / len(hard))
        _log.info(
            "%d clusters; %.2f %% of the images are of their cluster's most frequent class.",
            num_clusters,
            100 * purity,
        )
        return {"share of images of their cluster's most frequent class": purity}
    accuracy = float(np.mean(true == hard))
    _log.info(
        "%d labels given, %d inferred: %.2f %% of the inferred ones are right.",
        given.sum(),
        (~given).sum(),
        100 * accuracy,
    )
    return {"accuracy on hidden labels": accuracy}
