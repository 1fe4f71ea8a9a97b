"""Vendi score: the effective number of different images in a set."""

import math

import numpy as np
import numpy.typing as npt
import scipy.linalg
from threadpoolctl import threadpool_limits

from compare_gan import registry
from compare_gan.errors import UserError, check_range
from compare_gan.metrics.arrays import as_features, as_matrix
from compare_gan.metrics.base import Arrays, Metric
from compare_gan.metrics.collected import CollectedFields

_BLOCK = 2048  # Rows that are converted to float64 at once.


def vendi_score(features: npt.ArrayLike, order: float = 1.0) -> float:
    """Vendi score: exponential of the entropy of the eigenvalues of the cosine similarities over n.

    An [n, n] and an [f, f] matrix have the same non-zero eigenvalues; the smaller one is used.

    Papers: https://arxiv.org/abs/2210.02410; https://arxiv.org/abs/2310.12952 for other orders.

    Args:
      features: Features [n, f] without a row of zeros.
      order: Order q of the Rényi entropy, from 0 to infinity; 1 is Shannon's entropy.

    Returns:
      The score, in [1, n].

    Raises:
      UserError: There are no rows, a row consists of zeros, or a value is not finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import vendi_score
      >>> round(vendi_score(np.eye(3)), 6), round(vendi_score(np.ones([3, 2])), 6)
      (3.0, 1.0)
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


def vendi_score_from_similarities(similarities: npt.ArrayLike, order: float = 1.0) -> float:
    """Vendi score of a matrix of similarities of any kind.

    Args:
      similarities: Matrix [n, n], symmetric, positive semi-definite, with 1 on the diagonal.
      order: Order of the Rényi entropy, see `vendi_score`.

    Returns:
      The score, in [1, n].

    Raises:
      UserError: The matrix does not have these properties.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import vendi_score_from_similarities
      >>> round(vendi_score_from_similarities(np.eye(3)), 6)
      3.0
    """
    check_range("order", order)
    matrix = as_matrix(similarities, "similarities").astype(np.float64)
    if matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise UserError(
            "Similarities must be a square matrix of finite numbers, received shape "
            f"{list(matrix.shape)}."
        )
    off = max(np.abs(matrix - matrix.T).max(), np.abs(np.diag(matrix) - 1).max())
    if off > 1e-6:
        raise UserError(
            "Similarities must be symmetric with 1 on the diagonal, received a matrix that is off "
            f"by {off:.1g}."
        )
    return _score(matrix / len(matrix), order)


def _normalized(features: np.ndarray) -> np.ndarray:
    features = features.astype(np.float64)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    if not norms.all():
        raise UserError("Features must not be all zeros, which have no cosine similarity.")
    return features / norms


def _score(matrix: np.ndarray, order: float) -> float:
    # On a busy machine, threads wait for each other and take ten times as long as a single one.
    with threadpool_limits(1):
        values = scipy.linalg.eigvalsh(matrix)
    rounding = len(values) * np.finfo(np.float64).eps
    if values[0] < -max(rounding, 1e-7):
        raise UserError(
            f"Similarities must not have negative eigenvalues, received one of {values[0]:.3g}."
        )
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
      order: Order of the Rényi entropy; below 1, rare images count more.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import Vendi
      >>> round(Vendi().value(fake={"features": np.eye(3)})[""], 6)
      3.0
    """

    name = "vendi"
    needs = frozenset({"features"})
    better = "higher"

    def __init__(self, order: float = 1.0):
        check_range("vendi.order", order)
        self.order = order

    def statistics(self, num_images: int) -> CollectedFields:
        return CollectedFields("features")

    def value(self, fake: Arrays) -> dict[str, float]:
        return {"": vendi_score(fake["features"], self.order)}

    def options(self) -> dict[str, object]:
        return {"order": self.order}
