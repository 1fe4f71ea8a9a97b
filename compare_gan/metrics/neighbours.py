"""Precision and recall, density and coverage: whether images lie among the others' neighbours.

All four compare distances with the distance of an image to its k-th nearest neighbour in its own
set, itself left out by its place (a second copy of it is a neighbour, at distance 0); what lies at
that distance exactly is inside. Distances are float64 and held in blocks; two of them that differ
by less than 1e-12 of the features' squared norms count as equal, for rounding does not tell them
apart.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected

_BLOCK = 2048  # Rows and columns of the distances that are held at once.
_TIE = 1e-12


class PrecisionRecall(NamedTuple):
    """Shares in [0, 1]."""

    precision: float
    recall: float

    @property
    def f_score(self) -> float:
        """Their harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


class DensityCoverage(NamedTuple):
    """Density, at least 0 and about 1 for equal distributions; coverage in [0, 1]."""

    density: float
    coverage: float


def precision_recall(real_features, fake_features, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall.

    Precision: the share of generated images that are no farther from some real image than its k-th
    nearest real neighbour. Recall: the same with the sets exchanged.

    Paper: https://arxiv.org/abs/1904.06991.

    Args:
      real_features: [n, f], n above k.
      fake_features: [m, f], m above k.
      k: Which neighbour.

    Raises:
      UserError: Too few rows, unequal widths, or a value that is not finite.
    """
    real, fake = _checked_pair(real_features, fake_features, k)
    centre = real.mean(axis=0, dtype=np.float64)
    real_radii, fake_radii = _squared_radii(real, k, centre), _squared_radii(fake, k, centre)
    precise, recalled = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    for rows, columns, squares in _squared_distances(fake, real, centre):
        precise[rows] |= (squares <= real_radii[columns]).any(axis=1)
        recalled[columns] |= (squares <= fake_radii[rows, None]).any(axis=0)
    return PrecisionRecall(float(precise.mean()), float(recalled.mean()))


def density_coverage(real_features, fake_features, k: int = 5) -> DensityCoverage:
    """Density and coverage.

    A generated image is near a real one where it is no farther from it than that one's k-th nearest
    real neighbour. Density: how many real images one is near to, over k, on average. Coverage: the
    share of real images that any is near to.

    Paper: https://arxiv.org/abs/2002.09797.

    Args:
      real_features: [n, f], n above k.
      fake_features: [m, f].
      k: Which neighbour.

    Raises:
      UserError: Too few rows, unequal widths, or a value that is not finite.
    """
    real, fake = _checked_pair(real_features, fake_features, k, fake_least=1)
    centre = real.mean(axis=0, dtype=np.float64)
    radii = _squared_radii(real, k, centre)
    pairs, covered = 0, np.zeros(len(real), bool)
    for _, columns, squares in _squared_distances(fake, real, centre):
        inside = squares <= radii[columns]
        pairs += int(np.count_nonzero(inside))
        covered[columns] |= inside.any(axis=0)
    return DensityCoverage(pairs / (k * len(fake)), float(covered.mean()))


def _checked_pair(real, fake, k: int, fake_least: int | None = None):
    check_positive_integer("k", k)
    real, fake = as_feature_pair(real, fake)
    for name, features, least in (("real", real, k + 1), ("generated", fake, fake_least or k + 1)):
        if len(features) < least:
            raise UserError(
                f"A neighbour number {k} needs at least {least} {name} images, received "
                f"{len(features)}."
            )
    return real, fake


def _squared_radii(features: np.ndarray, k: int, centre: np.ndarray) -> np.ndarray:
    """[n], the squared distance of each row to its k-th nearest other row."""
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
    """Rows of x, rows of y, and their squared distances, for all blocks; half of them if x is y.

    Args:
      x: [n, f].
      y: [m, f].
      centre: [f], subtracted first: far from the origin squared norms would drown the distances.
      margin: The distances come out too small by this part of the squared norms.
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


def _block(features: np.ndarray, start: int, centre: np.ndarray):
    block = features[start : start + _BLOCK] - centre
    return slice(start, start + len(block)), block, np.einsum("ij,ij->i", block, block)


class _NeighbourMetric(Metric):
    needs = frozenset({"features"})
    uses_real = True

    def __init__(self, k: int):
        check_positive_integer(f"{self.name}.k", k)
        self.k = k

    def statistics(self, num_images):
        if num_images <= self.k:
            raise UserError(
                f"{self.name} with k = {self.k} needs at least {self.k + 1} images, received "
                f"{num_images}."
            )
        return Collected("features")

    def options(self):
        return {"k": self.k}


@registry.register("metric", "precision_recall", paper="https://arxiv.org/abs/1904.06991")
class ImprovedPrecisionRecall(_NeighbourMetric):
    """Shares of generated images among real ones and of real among generated; higher is better.

    Args:
      k: Images are among others where they are no farther from one than its k-th neighbour.
    """

    name = "precision_recall"

    def __init__(self, k: int = 3):
        super().__init__(k)

    def value(self, real, fake):
        return precision_recall(real["features"], fake["features"], self.k)._asdict()


@registry.register("metric", "density_coverage", paper="https://arxiv.org/abs/2002.09797")
class DensityAndCoverage(_NeighbourMetric):
    """How densely generated images lie near real ones, and how many of those; higher is better.

    Args:
      k: Near is what is no farther from a real image than its k-th nearest real neighbour.
    """

    name = "density_coverage"

    def __init__(self, k: int = 5):
        super().__init__(k)

    def value(self, real, fake):
        return density_coverage(real["features"], fake["features"], self.k)._asdict()
