"""Fréchet distance between Gaussians fitted to features: FID, with the canonical Inception.

Error budget: within 1e-6 (relative) of a float64 reference, in any order of the images; how they
are cut into batches changes no bit. Covariances without full rank (fewer images than features,
constant features) keep that.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.linalg
from scipy.linalg import blas, lapack
from threadpoolctl import threadpool_limits

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_feature_pair, as_matrix
from compare_gan.metrics.base import ImageBatch, Metric, Statistics
from compare_gan.startup import available_cores

_EPS = np.finfo(np.float64).eps
_BLOCK = 2048  # Rows that are multiplied at once: with fewer, sums are read and written too often.


class GaussianStatistics(Statistics):
    """Mean and covariance (ddof 1) of features, in float64, in one pass.

    Blocks of rows are merged by Chan's update of means and centred products, which does not cancel
    where means are large (Chan et al., 1979, Updating formulae and a pairwise algorithm).
    """

    name = "gaussian-1"

    def __init__(self):
        self._count = self._waiting = 0  # Images in the sums, and rows of the block not yet in.
        self._block = None

    def update(self, batch: ImageBatch) -> None:
        features = as_matrix(batch.features)
        if self._block is None:
            self._reserve(features.shape[1])
        if features.shape[1] != len(self._mean):
            raise UserError(
                f"All features must be equally wide, received {len(self._mean)} and "
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
        """Adds the images that another object has seen, as if this one had seen them too.

        Raises:
          UserError: Its features are not as wide, or not finite.
        """
        state = other.state()
        if not state["count"]:
            return
        if self._block is None:
            self._reserve(len(state["mean"]))
        if len(self._mean) != len(state["mean"]):
            raise UserError(
                f"Statistics of {len(self._mean)} and of {len(state['mean'])} features do not "
                "merge."
            )
        self._flush()
        self._products += state["products"]
        self._add(int(state["count"]), state["mean"], self._block[:0])

    def state(self) -> dict[str, np.ndarray]:
        """All that has been seen, as arrays that can be sent to another process or host."""
        if self._block is None:
            return {"count": np.array(0)}
        self._flush()
        arrays = {"mean": self._mean.copy(), "products": self._products.copy()}
        return {"count": np.array(self._count)} | arrays

    @classmethod
    def from_state(cls, state: Mapping[str, np.ndarray]) -> "GaussianStatistics":
        """The inverse of `state`."""
        statistics = cls()
        if state["count"]:
            statistics._reserve(len(state["mean"]))
            statistics._count = int(state["count"])
            statistics._mean[:] = state["mean"]
            statistics._products[:] = state["products"]
        return statistics

    def result(self) -> dict[str, np.ndarray]:
        if self._block is not None:
            self._flush()
        if self._count < 2:
            raise UserError(f"A covariance needs at least 2 images, received {self._count}.")
        if not np.isfinite(self._products).all():
            raise UserError("The features are so large that their covariance overflows.")
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
            raise UserError("The features are not all finite, so they have no covariance.")
        block -= mean
        self._add(count, mean, block)
        self._waiting = 0

    def _add(self, count: int, mean: np.ndarray, centred: np.ndarray) -> None:
        """Adds `count` images: their mean, and those of their centred rows that are not added."""
        total = self._count + count
        delta = mean - self._mean
        # One more row adds the product that comes from the distance of the means.
        rows = self._block[: len(centred) + 1]
        rows[-1] = delta * np.sqrt(self._count / total * count)
        self._products += np.matmul(rows.T, rows, out=self._scratch)  # BLAS's syrk: symmetric.
        self._mean += delta * (count / total)
        self._count = total


def gaussian_statistics(features) -> tuple[np.ndarray, np.ndarray]:
    """Mean float64 [f] and covariance float64 [f, f] (ddof 1) of features [n, f], n at least 2.

    Raises:
      UserError: There are fewer than 2 rows, or a value is not finite.
    """
    statistics = GaussianStatistics()
    statistics.update(ImageBatch(features=features))
    result = statistics.result()
    return result["mean"], result["covariance"]


def frechet_distance(real_features, fake_features) -> float:
    """The squared Fréchet distance of the Gaussians fitted to two sets of features.

    Paper: https://arxiv.org/abs/1706.08500.

    Args:
      real_features: [n, f], n at least 2.
      fake_features: [m, f], m at least 2.

    Returns:
      The distance, at least 0; see `frechet_distance_from_statistics`.

    Raises:
      UserError: Too few rows, unequal widths, or a value is not finite.
    """
    real, fake = as_feature_pair(real_features, fake_features, least=2)
    # Side by side: on a busy machine the threads of one matrix product wait for each other.
    with threadpool_limits(max(1, available_cores() // 2)), ThreadPoolExecutor(2) as pool:
        (mean1, factor1), (mean2, factor2) = pool.map(_fit, (real, fake))
    return _distance(mean1, factor1, mean2, factor2)


def frechet_distance_from_statistics(mean1, covariance1, mean2, covariance2) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), the squared Fréchet distance of two Gaussians.

    The trace of the square root is the sum of the singular values of F1ᵀ F2, where Ci = Fi Fiᵀ: a
    real number by construction, and right for covariances without full rank (fewer images than
    features), which lose half of the digits in other forms.

    Paper: https://arxiv.org/abs/1706.08500.

    Args:
      mean1: [f].
      covariance1: [f, f], symmetric, positive semi-definite.
      mean2: [f].
      covariance2: [f, f].

    Returns:
      The distance, at least 0.

    Raises:
      UserError: Shapes differ, a value is not finite or not real, or a matrix is no covariance.
    """
    if any(map(np.iscomplexobj, (mean1, covariance1, mean2, covariance2))):
        raise UserError("Means and covariances must be real numbers, received complex ones.")
    mean1, mean2 = np.asarray(mean1, np.float64), np.asarray(mean2, np.float64)
    factor1, factor2 = _factor(_checked(covariance1)), _factor(_checked(covariance2))
    if not mean1.shape == mean2.shape == factor1.shape[:1] == factor2.shape[:1]:
        raise UserError(
            f"The means and covariances do not fit each other: {mean1.shape}, {factor1.shape[:1]} "
            f"and {mean2.shape}, {factor2.shape[:1]} features."
        )
    if not (np.isfinite(mean1).all() and np.isfinite(mean2).all()):
        raise UserError("A mean is not finite, so there is no Fréchet distance.")
    return _distance(mean1, factor1, mean2, factor2)


def _fit(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean [f] of features [n, f], and F [f, rank] with F Fᵀ = their covariance."""
    n, width = features.shape
    if n > width:
        mean, covariance = gaussian_statistics(features)
        return mean, _factor(covariance)
    centred = features.astype(np.float64)
    mean = centred.mean(axis=0)
    centred -= mean
    return mean, centred.T / np.sqrt(n - 1)


def _checked(covariance) -> np.ndarray:
    covariance = np.asarray(covariance, np.float64)
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise UserError(f"A covariance is a square matrix, received {list(covariance.shape)}.")
    if not np.isfinite(covariance).all():
        raise UserError("A covariance is not finite, so there is no Fréchet distance.")
    if np.abs(covariance - covariance.T).max(initial=0.0) > 1e-6 * _largest(covariance):
        raise UserError("A covariance is not symmetric.")
    return covariance


def _largest(array: np.ndarray) -> float:
    return max(array.max(initial=0.0), -array.min(initial=0.0))


# These decompositions are thousands of small products: threads that wait for each other on a busy
# machine make them ten times as slow as one thread is.
def _factor(covariance: np.ndarray) -> np.ndarray:
    """F [f, rank] with F Fᵀ = covariance."""
    with threadpool_limits(1):
        # Far from singular, a triangle is as good as eigenvectors, which take 20 times as long.
        if covariance.any():
            # Transposed, which changes nothing, it lies in memory as LAPACK has it.
            factor, failed = lapack.dpotrf(covariance.T, lower=True, clean=True)
            norm = scipy.linalg.norm(covariance, 1, check_finite=False)
            if not failed and lapack.dpocon(factor, norm, uplo="L")[0] > 1e-10:
                return factor
        values, vectors = scipy.linalg.eigh(covariance, driver="evd")
    largest = values.max(initial=0.0)
    # Statistics computed elsewhere in float32 have eigenvalues of about -1e-7 of the largest.
    if values.min(initial=0.0) < -1e-5 * max(largest, _largest(covariance)):
        raise UserError(
            f"A covariance has no negative eigenvalue; received one with {values.min():.3g}."
        )
    kept = values > len(values) * _EPS * largest
    return vectors[:, kept] * np.sqrt(values[kept])


def _transposed_product(factor1: np.ndarray, factor2: np.ndarray) -> np.ndarray:
    """factor1ᵀ factor2, in half the time where factor1 is a lower triangle."""
    if factor1.shape[0] == factor1.shape[1] and not np.triu(factor1, 1).any():
        return blas.dtrmm(1.0, factor1, factor2, lower=1, trans_a=1)
    return factor1.T @ factor2


def _distance(mean1, factor1, mean2, factor2) -> float:
    apart = np.sum((mean1 - mean2) ** 2) + np.sum(factor1**2) + np.sum(factor2**2)
    product = _transposed_product(factor1, factor2)
    if not product.any():
        return float(apart)
    wide = product.shape[0] < product.shape[1]
    squares = product @ product.T if wide else product.T @ product
    with threadpool_limits(1):
        # Their eigenvalues take an eighth of the time of singular values; small ones lose digits.
        squares = np.maximum(scipy.linalg.eigvalsh(squares), 0.0)
        roots = np.sqrt(squares)
        rounding = 8 * _EPS * squares[-1]
        lost = np.sum(rounding / np.maximum(2 * roots, np.sqrt(rounding)))
        distance = apart - 2 * roots.sum()
        if lost > 1e-9 * distance + 1e-13 * apart:
            distance = apart - 2 * scipy.linalg.svdvals(product).sum()
    return max(float(distance), 0.0)  # Equal sets end within rounding of 0, on either side.


@registry.register("metric", "fid", paper="https://arxiv.org/abs/1706.08500")
class FrechetInceptionDistance(Metric):
    """Fréchet distance between real and generated features; lower is better, 0 at best."""

    name = "fid"
    canonical_name = "fid"
    needs = frozenset({"features"})
    uses_real = True

    def statistics(self, num_images):
        return GaussianStatistics()

    def value(self, real, fake):
        return {
            "": frechet_distance_from_statistics(
                real["mean"], real["covariance"], fake["mean"], fake["covariance"]
            )
        }
