"""Vendi score: how many different images a set is worth."""

import math

import numpy as np
import scipy.linalg
from threadpoolctl import threadpool_limits

from compare_gan import registry
from compare_gan.errors import UserError, check_range
from compare_gan.metrics.arrays import as_features, as_matrix
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected

_BLOCK = 2048  # Rows that are turned into float64 at once.


def vendi_score(features, order: float = 1.0) -> float:
    """The exponential of the entropy of the eigenvalues of the cosine similarities over n.

    These are the non-zero eigenvalues of an [n, n] and of an [f, f] matrix: the smaller is used.

    Paper: https://arxiv.org/abs/2210.02410; of other orders, https://arxiv.org/abs/2310.12952.

    Args:
      features: [n, f], no row of zeros.
      order: q of the Rényi entropy, at least 0 (infinity too); 1 = Shannon's.

    Returns:
      The score, in [1, n].

    Raises:
      UserError: No rows, a row of zeros, or a value that is not finite.
    """
    check_range("order", order)
    features = as_features(features)
    n, width = features.shape
    if n <= width:
        rows = _normalized(features)
        gram = rows @ rows.T
    else:
        gram = np.zeros([width, width])
        for start in range(0, n, _BLOCK):
            rows = _normalized(features[start : start + _BLOCK])
            gram += rows.T @ rows
    return _score(gram / n, order)


def vendi_score_from_similarities(similarities, order: float = 1.0) -> float:
    """The score of similarities of any kind.

    Args:
      similarities: [n, n], symmetric, positive semi-definite, 1 on the diagonal.
      order: See `vendi_score`.

    Returns:
      The score, in [1, n].

    Raises:
      UserError: The matrix is none of similarities.
    """
    check_range("order", order)
    matrix = as_matrix(similarities, "similarities").astype(np.float64)
    if matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise UserError(
            f"Similarities are a square matrix of finite numbers, received {list(matrix.shape)}."
        )
    off = max(np.abs(matrix - matrix.T).max(), np.abs(np.diag(matrix) - 1).max())
    if off > 1e-6:
        raise UserError(
            f"Similarities are symmetric with 1 on the diagonal; these are {off:.1g} off."
        )
    return _score(matrix / len(matrix), order)


def _normalized(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    if not norms.all():
        raise UserError("A row of features is all zeros: it has no cosine similarity to others.")
    return features / norms


def _score(matrix: np.ndarray, order: float) -> float:
    # Threads that wait for each other on a busy machine take ten times as long as one.
    with threadpool_limits(1):
        values = scipy.linalg.eigvalsh(matrix)
    rounding = len(values) * np.finfo(np.float64).eps
    if values[0] < -max(rounding, 1e-7):
        raise UserError(f"Similarities have no negative eigenvalue; received {values[0]:.3g}.")
    values = values[values > rounding]
    if order == 1:
        return math.exp(-np.sum(values * np.log(values)))
    if math.isinf(order):
        return float(1 / values[-1])
    return float(np.sum(values**order) ** (1 / (1 - order)))


@registry.register("metric", "vendi", paper="https://arxiv.org/abs/2210.02410")
class Vendi(Metric):
    """Effective number of different generated images, by cosine of features; higher is better.

    Args:
      order: Of the entropy; below 1 rare images count for more.
    """

    name = "vendi"
    needs = frozenset({"features"})

    def __init__(self, order: float = 1.0):
        check_range("vendi.order", order)
        self.order = order

    def statistics(self, num_images):
        return Collected("features")

    def value(self, fake):
        return {"": vendi_score(fake["features"], self.order)}

    def options(self):
        return {"order": self.order}
