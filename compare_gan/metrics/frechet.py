"""Fréchet distance between Gaussians fitted to features: FID, with the canonical Inception."""

import numpy as np
import scipy.linalg

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.base import Batch, Metric, Statistics


class GaussianStatistics(Statistics):
    """Mean and covariance (ddof 1) of features, in float64, in one pass.

    Batches are merged by Chan's update of means and centred products, which does not cancel where
    means are large (Chan et al., 1979, Updating formulae and a pairwise algorithm).
    """

    name = "gaussian-1"

    def __init__(self):
        self._count = 0

    def update(self, batch: Batch) -> None:
        features = np.asarray(batch.features, np.float64)
        if features.ndim != 2:
            raise UserError(f"Features must be [n, f], received shape {list(features.shape)}.")
        if not np.isfinite(features).all():
            raise UserError("The features are not all finite, so they have no covariance.")
        count = len(features)
        if not count:
            return
        mean = features.mean(axis=0)
        centred = features - mean
        products = centred.T @ centred
        if not self._count:
            self._count, self._mean, self._products = count, mean, products
            return
        total = self._count + count
        delta = mean - self._mean
        self._products += products + np.outer(delta, delta) * (self._count * count / total)
        self._mean += delta * (count / total)
        self._count = total

    def result(self) -> dict[str, np.ndarray]:
        if self._count < 2:
            raise UserError(f"A covariance needs at least 2 images, received {self._count}.")
        covariance = self._products / (self._count - 1)
        # Rounding differs between the two triangles.
        return {"mean": self._mean, "covariance": (covariance + covariance.T) / 2}


def gaussian_statistics(features) -> tuple[np.ndarray, np.ndarray]:
    """Mean float64 [f] and covariance float64 [f, f] (ddof 1) of features [n, f], n at least 2.

    Raises:
      UserError: There are fewer than 2 rows, or a value is not finite.
    """
    statistics = GaussianStatistics()
    statistics.update(Batch(features=features))
    result = statistics.result()
    return result["mean"], result["covariance"]


def frechet_distance(mean1, covariance1, mean2, covariance2) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), the squared Fréchet distance of two Gaussians.

    The trace of the square root is the sum of the singular values of F1ᵀ F2, where Ci = Fi Fiᵀ
    from a symmetric eigenvalue decomposition: real by construction, and right for covariances
    without full rank (fewer images than features), which lose half of the digits in other forms.

    Paper: https://arxiv.org/abs/1706.08500.

    Args:
      mean1: [f].
      covariance1: [f, f], symmetric, positive semi-definite.
      mean2: [f].
      covariance2: [f, f].

    Returns:
      The distance, at least 0.

    Raises:
      UserError: Shapes differ, a value is not finite, or a matrix is no covariance.
    """
    mean1, mean2 = np.asarray(mean1, np.float64), np.asarray(mean2, np.float64)
    factor1, trace1 = _factor(covariance1)
    factor2, trace2 = _factor(covariance2)
    if not mean1.shape == mean2.shape == factor1.shape[:1] == factor2.shape[:1]:
        raise UserError(
            f"The means and covariances do not fit each other: {mean1.shape}, {factor1.shape[:1]} "
            f"and {mean2.shape}, {factor2.shape[:1]} features."
        )
    if not (np.isfinite(mean1).all() and np.isfinite(mean2).all()):
        raise UserError("A mean is not finite, so there is no Fréchet distance.")
    product = factor1.T @ factor2
    trace_root = scipy.linalg.svdvals(product).sum() if product.size else 0.0
    distance = np.sum((mean1 - mean2) ** 2) + trace1 + trace2 - 2 * trace_root
    return max(float(distance), 0.0)  # Equal sets end within rounding of 0, on either side.


def _factor(covariance) -> tuple[np.ndarray, float]:
    """F [f, rank] with F Fᵀ = covariance, and the trace."""
    covariance = np.asarray(covariance, np.float64)
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise UserError(f"A covariance is a square matrix, received {list(covariance.shape)}.")
    if not np.isfinite(covariance).all():
        raise UserError("A covariance is not finite, so there is no Fréchet distance.")
    scale = np.abs(covariance).max(initial=0.0)
    if np.abs(covariance - covariance.T).max(initial=0.0) > 1e-6 * scale:
        raise UserError("A covariance is not symmetric.")
    values, vectors = scipy.linalg.eigh(covariance, driver="evd")
    largest = values.max(initial=0.0)
    # Statistics computed elsewhere in float32 have eigenvalues of about -1e-7 of the largest.
    if values.min(initial=0.0) < -1e-5 * max(largest, scale):
        raise UserError(
            f"A covariance has no negative eigenvalue; received one with {values.min():.3g}."
        )
    kept = values > len(values) * np.finfo(np.float64).eps * largest
    return vectors[:, kept] * np.sqrt(values[kept]), float(np.trace(covariance))


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
            "": frechet_distance(real["mean"], real["covariance"], fake["mean"], fake["covariance"])
        }
