"""Labels without any given label: k-means on features, the index of the cluster as the label."""

from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from compare_gan.engine.progress import announced
from compare_gan.labels.classifier import standardization

_BATCH = 4096


def fit_clusters(
    features: np.ndarray, num_clusters: int, seed: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Fits mini-batch k-means (scikit-learn's) to standardized features.

    Paper: https://dl.acm.org/doi/10.1145/1772690.1772862.

    Example:
      >>> import numpy as np
      >>> from compare_gan.labels import fit_clusters
      >>> features = np.array([[0, 0], [0, 1], [9, 8], [9, 9]], np.float32)
      >>> assign = fit_clusters(features, num_clusters=2)
      >>> clusters = assign(features)
      >>> bool(clusters[0] == clusters[1] != clusters[2] == clusters[3])
      True

    Args:
      features: float32 [n, d], n at least `num_clusters`.
      num_clusters: Number of clusters.
      seed: Seed of the first centers and of the batches.

    Returns:
      A function from features [m, d] to the indices of the nearest centers, int32 [m].
    """
    from sklearn.cluster import MiniBatchKMeans  # Importing it takes a second.

    mean, scale = standardization(features)
    kmeans = MiniBatchKMeans(num_clusters, batch_size=_BATCH, n_init=5, random_state=seed)

    def assign(new_features: np.ndarray) -> np.ndarray:
        with threadpool_limits(1):
            return kmeans.predict((new_features - mean) * scale).astype(np.int32)

    # On a busy machine its threads wait for each other and take ten times as long as one.
    with threadpool_limits(1), announced("Clustering the images"):
        kmeans.fit((features - mean) * scale)
    return assign
