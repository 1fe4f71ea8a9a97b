"""Precision and recall, density and coverage, from the neighbourhoods of images.

The neighbourhood of an image is the ball, boundary included, that reaches to its k-th nearest
neighbour in its own set. The image itself is left out by its index, so a second copy of it is a
neighbour at distance 0. Distances are float64 and computed in blocks; two squared distances that
differ by less than 1e-12 of the features' squared norms count as equal, because the difference is
within rounding.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Arrays, Metric
from compare_gan.metrics.collected import CollectedFields

_BLOCK = 2048  # Rows and columns of a block of distances.
_TIE = 1e-12


class PrecisionRecall(NamedTuple):
    """Precision and recall, shares in [0, 1]."""

    precision: float
    recall: float

    @property
    def f_score(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


class DensityCoverage(NamedTuple):
    """Density, at least 0 and about 1 for equal distributions; coverage in [0, 1]."""

    density: float
    coverage: float


def precision_recall(
    real_features: npt.ArrayLike, fake_features: npt.ArrayLike, k: int = 3
) -> PrecisionRecall:
    """Improved precision and recall.

    Precision is the share of generated images that lie in the neighbourhood of a real image. Recall
    is the share of real images that lie in the neighbourhood of a generated image.

    Paper: https://arxiv.org/abs/1904.06991.

    Args:
      real_features: Features of real images, [n, f], n above k.
      fake_features: Features of generated images, [m, f], m above k.
      k: Rank of the neighbour that bounds a neighbourhood.

    Raises:
      UserError: There are too few rows, the widths differ, or a value is not finite.

    Example:
      >>> from compare_gan.metrics import precision_recall
      >>> precision_recall([[0.0], [1.0], [2.0]], [[0.5], [1.5], [9.0]], k=1)
      PrecisionRecall(precision=0.6666666666666666, recall=1.0)
    """
    real, fake = _checked_pair(real_features, fake_features, k)
    centre = real.mean(axis=0, dtype=np.float64)
    real_radii, fake_radii = _squared_radii(real, k, centre), _squared_radii(fake, k, centre)
    precise, recalled = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for rows, columns, squares in _squared_distances(fake, real, centre):
        precise[rows] |= (squares <= real_radii[columns]).any(axis=1)
        recalled[columns] |= (squares <= fake_radii[rows, None]).any(axis=0)
    return PrecisionRecall(float(precise.mean()), float(recalled.mean()))


def density_coverage(
    real_features: npt.ArrayLike, fake_features: npt.ArrayLike, k: int = 5
) -> DensityCoverage:
    """Density and coverage.

    Density is the average number of neighbourhoods of real images that a generated image lies in,
    divided by k. Coverage is the share of real images whose neighbourhood holds a generated image.

    Paper: https://arxiv.org/abs/2002.09797.

    Args:
      real_features: Features of real images, [n, f], n above k.
      fake_features: Features of generated images, [m, f].
      k: Rank of the neighbour that bounds a neighbourhood.

    Raises:
      UserError: There are too few rows, the widths differ, or a value is not finite.

    Example:
      >>> from compare_gan.metrics import density_coverage
      >>> density_coverage([[0.0], [1.0], [2.0], [9.0]], [[0.5], [1.5]], k=1)
      DensityCoverage(density=2.0, coverage=0.75)
    """
    real, fake = _checked_pair(real_features, fake_features, k, min_fake=1)
    centre = real.mean(axis=0, dtype=np.float64)
    radii = _squared_radii(real, k, centre)
    pairs, covered = 0, np.zeros(len(real), bool)
    for _, columns, squares in _squared_distances(fake, real, centre):
        inside = squares <= radii[columns]
        pairs += int(np.count_nonzero(inside))
        covered[columns] |= inside.any(axis=0)
    return DensityCoverage(pairs / (k * len(fake)), float(covered.mean()))


def _checked_pair(
    real: npt.ArrayLike, fake: npt.ArrayLike, k: int, min_fake: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    check_positive_integer("k", k)
    real, fake = as_feature_pair(real, fake)
    for name, features, needed in (("real", real, k + 1), ("generated", fake, min_fake or k + 1)):
        if len(features) < needed:
            raise UserError(
                f"k = {k} needs at least {needed} {name} images, received {len(features)}."
            )
    return real, fake


def _squared_radii(features: np.ndarray, k: int, centre: np.ndarray) -> np.ndarray:
    """Computes the squared distance of each row to its k-th nearest other row, [n]."""
    nearest = np.full([len(features), k], np.inf)
    for rows, columns, squares in _squared_distances(features, features, centre, margin=0.0):
        if rows == columns:
            np.fill_diagonal(squares, np.inf)
        for own, block in ((rows, squares), (columns, squares.T)):
            candidates = np.concatenate([nearest[own], block], axis=1)
            nearest[own] = np.partition(candidates, k - 1, axis=1)[:, :k]
            if rows == columns:
                break
    return np.maximum(nearest.max(axis=1), 0.0)


def _squared_distances(
    x: np.ndarray, y: np.ndarray, centre: np.ndarray, margin: float = _TIE
) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """Yields rows of x, rows of y, and their squared distances, block by block.

    If x is y, only the blocks of one half of the symmetric matrix are computed.

    Args:
      x: Vectors [n, f].
      y: Vectors [m, f].
      centre: Vector [f] that is subtracted first: far from the origin, the rounding of the squared
        norms would exceed the distances.
      margin: Share of the squared norms that is subtracted from the distances.
    """
    for i in range(0, len(x), _BLOCK):
        rows, a, a_squares = _block(x, i, centre)
        for j in range(i if x is y else 0, len(y), _BLOCK):
            columns, b, b_squares = _block(y, j, centre)
            squares = a @ b.T
            squares *= -2.0
            squares += (1.0 - margin) * a_squares[:, None]
            squares += (1.0 - margin) * b_squares
            yield rows, columns, squares


def _block(
    features: np.ndarray, start: int, centre: np.ndarray
) -> tuple[slice, np.ndarray, np.ndarray]:
    block = features[start : start + _BLOCK] - centre
    return slice(start, start + len(block)), block, np.einsum("ij,ij->i", block, block)


class _NeighbourMetric(Metric):
    needs = frozenset({"features"})
    uses_real = True
    better = "higher"

    def __init__(self, k: int):
        check_positive_integer(f"{self.name}.k", k)
        self.k = k

    def statistics(self, num_images: int) -> CollectedFields:
        if num_images <= self.k:
            raise UserError(
                f"{self.name} with k = {self.k} needs at least {self.k + 1} images, received "
                f"{num_images}."
            )
        return CollectedFields("features")

    def options(self) -> dict[str, object]:
        return {"k": self.k}


@registry.register("metric", "precision_recall", paper="https://arxiv.org/abs/1904.06991")
class ImprovedPrecisionRecall(_NeighbourMetric):
    """Shares of generated images among real ones and of real among generated; higher is better.

    Reported as `_precision` and `_recall`; see `precision_recall`.

    Args:
      k: Rank of the neighbour that bounds a neighbourhood.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImprovedPrecisionRecall
      >>> real = {"features": np.array([[0.0], [1.0], [2.0]])}
      >>> fake = {"features": np.array([[0.5], [7.0], [9.0]])}
      >>> ImprovedPrecisionRecall(k=2).value(real=real, fake=fake)["recall"]
      1.0
    """

    name = "precision_recall"

    def __init__(self, k: int = 3):
        super().__init__(k)

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        return precision_recall(real["features"], fake["features"], self.k)._asdict()


@registry.register("metric", "density_coverage", paper="https://arxiv.org/abs/2002.09797")
class DensityAndCoverage(_NeighbourMetric):
    """Density of generated images around real ones, and the share covered; higher is better.

    Reported as `_density` and `_coverage`; see `density_coverage`.

    Args:
      k: Rank of the neighbour that bounds a neighbourhood.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import DensityAndCoverage
      >>> real = {"features": np.array([[0.0], [1.0], [2.0], [9.0]])}
      >>> fake = {"features": np.array([[0.5], [1.5]])}
      >>> DensityAndCoverage(k=1).value(real=real, fake=fake)
      {'density': 2.0, 'coverage': 0.75}
    """

    name = "density_coverage"

    def __init__(self, k: int = 5):
        super().__init__(k)

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        return density_coverage(real["features"], fake["features"], self.k)._asdict()
