"""Mean and covariance of features, in one pass.

The division of a set into batches changes no bit of the result.
"""

import numpy as np
import numpy.typing as npt

from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_matrix
from compare_gan.metrics.base import Arrays, ImageBatch, Statistics

_BLOCK = 2048  # Rows multiplied at once; with fewer, memory traffic of the sums dominates.


class GaussianStatistics(Statistics):
    """Mean and covariance (ddof 1) of features, in float64, in one pass.

    Blocks of rows are merged by Chan's update of means and centred products, which does not lose
    digits to cancellation if means are large (Chan et al., 1979, Updating formulae and a pairwise
    algorithm for computing sample variances).

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch
      >>> from compare_gan.metrics.gaussian import GaussianStatistics
      >>> statistics = GaussianStatistics()
      >>> for features in ([[0.0], [2.0]], [[4.0]]):
      ...     statistics.update(ImageBatch(features=np.array(features)))
      >>> statistics.result()["mean"].tolist(), statistics.result()["covariance"].tolist()
      ([2.0], [[4.0]])
    """

    name = "gaussian-1"

    def __init__(self) -> None:
        self._count = self._waiting = 0  # Images in the sums, and rows of the block not yet added.
        self._reserve(0)  # The width is not known before the first batch.

    def update(self, batch: ImageBatch) -> None:
        features = as_matrix(batch.features)
        if not len(self._mean):
            self._reserve(features.shape[1])
        if features.shape[1] != len(self._mean):
            raise UserError(
                f"All features must have the same width, received {len(self._mean)} and "
                f"{features.shape[1]}."
            )
        start = 0
        while start < len(features):
            rows = features[start : start + _BLOCK - self._waiting]
            self._block[self._waiting : self._waiting + len(rows)] = rows
            self._waiting += len(rows)
            start += len(rows)
            if self._waiting == _BLOCK:
                self._flush()

    def merge(self, other: "GaussianStatistics") -> None:
        """Adds the images of another object.

        Raises:
          UserError: Its features have another width, or are not finite.
        """
        state = other.state()
        if not state["count"]:
            return
        if not len(self._mean):
            self._reserve(len(state["mean"]))
        if len(self._mean) != len(state["mean"]):
            raise UserError(
                "Statistics can be merged only if their features have the same width, received "
                f"{len(self._mean)} and {len(state['mean'])}."
            )
        self._flush()
        self._products += state["products"]
        self._add(int(state["count"]), state["mean"], self._block[:0])

    def state(self) -> dict[str, np.ndarray]:
        """Returns the sums as arrays that can be sent to another process or host."""
        if not len(self._mean):
            return {"count": np.array(0)}
        self._flush()
        arrays = {"mean": self._mean.copy(), "products": self._products.copy()}
        return {"count": np.array(self._count)} | arrays

    @classmethod
    def from_state(cls, state: Arrays) -> "GaussianStatistics":
        """Restores an object from its `state`."""
        statistics = cls()
        if state["count"]:
            statistics._reserve(len(state["mean"]))
            statistics._count = int(state["count"])
            statistics._mean[:] = state["mean"]
            statistics._products[:] = state["products"]
        return statistics

    def result(self) -> dict[str, np.ndarray]:
        self._flush()
        if self._count < 2:
            raise UserError(f"A covariance needs at least 2 images, received {self._count}.")
        if not np.isfinite(self._products).all():
            raise UserError("The features must be smaller: their covariance overflows.")
        return {"mean": self._mean.copy(), "covariance": self._products / (self._count - 1)}

    def _reserve(self, width: int) -> None:
        self._mean = np.zeros(width)
        self._products = np.zeros([width, width])
        self._scratch = np.empty([width, width])
        self._block = np.empty([_BLOCK + 1, width])

    def _flush(self) -> None:
        count = self._waiting
        if not count:
            return
        block = self._block[:count]
        mean = block.mean(axis=0)
        if not np.isfinite(mean).all():
            raise UserError("The features of a covariance must be finite, received NaN or inf.")
        block -= mean
        self._add(count, mean, block)
        self._waiting = 0

    def _add(self, count: int, mean: np.ndarray, centred: np.ndarray) -> None:
        """Adds `count` images by their mean and their centred rows.

        Without rows, the caller has already added the products.
        """
        total = self._count + count
        delta = mean - self._mean
        # One more row adds the product that results from the distance of the means.
        rows = self._block[: len(centred) + 1]
        rows[-1] = delta * np.sqrt(self._count / total * count)
        self._products += np.matmul(rows.T, rows, out=self._scratch)  # BLAS's syrk: symmetric.
        self._mean += delta * (count / total)
        self._count = total


def gaussian_statistics(features: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance (ddof 1) of features.

    Args:
      features: Features [n, f], n at least 2.

    Returns:
      Mean float64 [f] and covariance float64 [f, f].

    Raises:
      UserError: There are fewer than 2 rows, or a value is not finite.

    Example:
      >>> from compare_gan.metrics import gaussian_statistics
      >>> mean, covariance = gaussian_statistics([[0.0, 1.0], [2.0, 1.0]])
      >>> mean.tolist(), covariance.tolist()
      ([1.0, 1.0], [[2.0, 0.0], [0.0, 0.0]])
    """
    statistics = GaussianStatistics()
    statistics.update(ImageBatch(features=as_matrix(features)))
    result = statistics.result()
    return result["mean"], result["covariance"]
