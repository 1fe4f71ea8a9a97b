"""Labels without any: k-means on the representation, the cluster's number for a label."""

from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from compare_gan.labels.classifier import standardization

_BATCH = 4096


def fit_clusters(
    features: np.ndarray, num_clusters: int, seed: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Mini-batch k-means (scikit-learn's) on standardized features.

    Args:
      features: float32 [n, d], n at least `num_clusters`.
      num_clusters: Number of clusters.
      seed: Of the first centers and the batches.

    Returns:
      A function from features [m, d] to the nearest centers' numbers, int32 [m].
    """
    from sklearn.cluster import MiniBatchKMeans  # Takes a second.

    mean, scale = standardization(features)
    means = MiniBatchKMeans(num_clusters, batch_size=_BATCH, n_init=5, random_state=seed)

    def nearest(more: np.ndarray) -> np.ndarray:
        with threadpool_limits(1):
            return means.predict((more - mean) * scale).astype(np.int32)

    # On a busy machine its threads wait for each other, and take ten times as long as one.
    with threadpool_limits(1):
        means.fit((features - mean) * scale)
    return nearest
