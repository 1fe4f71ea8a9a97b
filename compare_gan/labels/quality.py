"""The quality of inferred labels, measured on the hidden ones: for reports only."""

import logging

import numpy as np

from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels

_log = logging.getLogger(__name__)


def measure_quality(
    dataset: Dataset,
    inferred_labels: np.ndarray,
    given_mask: np.ndarray,
    num_clusters: int | None = None,
) -> dict[str, float]:
    """Measures and logs how well the inferred labels agree with the hidden true labels.

    Nothing that is trained may depend on the result.

    Args:
      dataset: The data set, with its true labels.
      inferred_labels: Hard labels of all training images, int [num_train].
      given_mask: bool [num_train], the images with a given label.
      num_clusters: Number of clusters where the labels are cluster indices; None = classes.

    Returns:
      `hidden_accuracy`, the fraction of the inferred labels that equal the hidden true label; for
      clusters `cluster_purity`, the fraction of images of the most frequent class in their
      cluster. Empty where no label is hidden.
    """
    if not dataset.source.num_classes:
        return {}
    true_labels = to_hard_labels(dataset.source.labels("train"))
    hidden_mask = ~given_mask & (true_labels >= 0)
    if not hidden_mask.any():
        return {}
    true_labels, inferred_labels = true_labels[hidden_mask], inferred_labels[hidden_mask]
    if num_clusters:
        table = np.zeros([num_clusters, dataset.source.num_classes], np.int64)
        np.add.at(table, (inferred_labels, true_labels), 1)
        purity = float(table.max(1).sum() / len(inferred_labels))
        _log.info(
            "%d clusters; %.2f %% of the images are of their cluster's most frequent class.",
            num_clusters,
            100 * purity,
        )
        return {"cluster_purity": purity}
    accuracy = float(np.mean(true_labels == inferred_labels))
    _log.info(
        "%d labels given, %d inferred: %.2f %% of the inferred ones are right.",
        given_mask.sum(),
        (~given_mask).sum(),
        100 * accuracy,
    )
    return {"hidden_accuracy": accuracy}
