"""Fréchet distance between Gaussians fitted to features: FID, with the canonical Inception.

Error budget: within 1e-6 (relative) of a float64 reference for any order of the images, also for
covariances without full rank (fewer images than features, constant features). The division into
batches changes no bit.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.linalg import blas, lapack
from threadpoolctl import threadpool_limits

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Arrays, Metric, SetSize
from compare_gan.metrics.gaussian import GaussianStatistics, gaussian_statistics
from compare_gan.startup import available_cores

_EPS = np.finfo(np.float64).eps


def frechet_distance(real_features: npt.ArrayLike, fake_features: npt.ArrayLike) -> float:
    """Squared Fréchet distance between the Gaussians fitted to two sets of features.

    Paper: https://arxiv.org/abs/1706.08500.

    Args:
      real_features: Features of real images, [n, f], n at least 2.
      fake_features: Features of generated images, [m, f], m at least 2.

    Returns:
      The distance, at least 0; see `frechet_distance_from_statistics`.

    Raises:
      UserError: There are too few rows, the widths differ, or a value is not finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import frechet_distance
      >>> features = np.random.default_rng(0).normal(size=[50, 4])
      >>> round(frechet_distance(features, features + 0.5), 6)  # 4 · 0.5²
      1.0
    """
    real, fake = as_feature_pair(real_features, fake_features, min_rows=2)
    # In parallel: on a busy machine, the threads of one matrix product wait for each other.
    with threadpool_limits(max(1, available_cores() // 2)), ThreadPoolExecutor(2) as pool:
        (mean1, factor1), (mean2, factor2) = pool.map(_fit, (real, fake))
    return _distance(mean1, factor1, mean2, factor2)


def frechet_distance_from_statistics(
    mean1: npt.ArrayLike,
    covariance1: npt.ArrayLike,
    mean2: npt.ArrayLike,
    covariance2: npt.ArrayLike,
) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), the squared Fréchet distance between two Gaussians.

    The trace of the square root is computed as the sum of the singular values of F1ᵀ F2, where
    Ci = Fi Fiᵀ. This is real by construction and accurate for covariances without full rank (fewer
    images than features), for which other forms lose half of the digits.

    Paper: https://arxiv.org/abs/1706.08500.

    Args:
      mean1: Mean of the first Gaussian, [f].
      covariance1: Its covariance, [f, f], symmetric, positive semi-definite.
      mean2: Mean of the second Gaussian, [f].
      covariance2: Its covariance, [f, f], symmetric, positive semi-definite.

    Returns:
      The distance, at least 0.

    Raises:
      UserError: Shapes differ, a value is not finite or not real, or a matrix is not a covariance.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import frechet_distance_from_statistics
      >>> frechet_distance_from_statistics([0.0], [[1.0]], [3.0], [[4.0]])  # 3² + (2 - 1)²
      10.0
    """
    if any(map(np.iscomplexobj, (mean1, covariance1, mean2, covariance2))):
        raise UserError("Means and covariances must be real numbers, received complex ones.")
    mean1, mean2 = np.asarray(mean1, np.float64), np.asarray(mean2, np.float64)
    factor1, factor2 = _factor(_checked(covariance1)), _factor(_checked(covariance2))
    if not mean1.shape == mean2.shape == factor1.shape[:1] == factor2.shape[:1]:
        raise UserError(
            "The means and covariances must have the same number of features, received means "
            f"{mean1.shape} and {mean2.shape} and covariances of {factor1.shape[0]} and "
            f"{factor2.shape[0]} features."
        )
    if not (np.isfinite(mean1).all() and np.isfinite(mean2).all()):
        raise UserError("A mean must be finite, received NaN or inf.")
    return _distance(mean1, factor1, mean2, factor2)


def _fit(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mean [f] of features [n, f], and F [f, rank] with F Fᵀ = their covariance."""
    n, width = features.shape
    if n > width:
        mean, covariance = gaussian_statistics(features)
        return mean, _factor(covariance)
    centred = features.astype(np.float64)
    mean = centred.mean(axis=0)
    centred -= mean
    return mean, centred.T / np.sqrt(n - 1)


def _checked(covariance: npt.ArrayLike) -> np.ndarray:
    covariance = np.asarray(covariance, np.float64)
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise UserError(
            f"A covariance must be a square matrix, received shape {list(covariance.shape)}."
        )
    if not np.isfinite(covariance).all():
        raise UserError("A covariance must be finite, received NaN or inf.")
    asymmetry = np.abs(covariance - covariance.T).max(initial=0.0)
    if asymmetry > 1e-6 * _largest(covariance):
        raise UserError(
            f"A covariance must be symmetric, received one that is off by {asymmetry:.1g}."
        )
    return covariance


def _largest(array: np.ndarray) -> float:
    return max(array.max(initial=0.0), -array.min(initial=0.0))


# These decompositions are thousands of small products. On a busy machine, threads that wait for
# each other make them ten times slower than a single thread.
def _factor(covariance: np.ndarray) -> np.ndarray:
    """Computes F [f, rank] with F Fᵀ = covariance."""
    with threadpool_limits(1):
        # Far from singular, a triangle is as accurate as eigenvectors, which take 20 times as long.
        if covariance.any():
            # Transposing changes nothing but the memory order, to the one that LAPACK expects.
            factor, failed = lapack.dpotrf(covariance.T, lower=True, clean=True)
            norm = scipy.linalg.norm(covariance, 1, check_finite=False)
            if not failed and lapack.dpocon(factor, norm, uplo="L")[0] > 1e-10:
                return factor
        values, vectors = scipy.linalg.eigh(covariance, driver="evd")
    largest = values.max(initial=0.0)
    # Statistics computed elsewhere in float32 have eigenvalues of about -1e-7 times the largest.
    if values.min(initial=0.0) < -1e-5 * max(largest, _largest(covariance)):
        raise UserError(
            f"A covariance must not have negative eigenvalues, received one of {values.min():.3g}."
        )
    kept = values > len(values) * _EPS * largest
    return vectors[:, kept] * np.sqrt(values[kept])


def _transposed_product(factor1: np.ndarray, factor2: np.ndarray) -> np.ndarray:
    """Computes factor1ᵀ factor2, in half the time if factor1 is a lower triangle."""
    if factor1.shape[0] == factor1.shape[1] and not np.triu(factor1, 1).any():
        return blas.dtrmm(1.0, factor1, factor2, lower=1, trans_a=1)
    return factor1.T @ factor2


def _distance(
    mean1: np.ndarray, factor1: np.ndarray, mean2: np.ndarray, factor2: np.ndarray
) -> float:
    apart = np.sum((mean1 - mean2) ** 2) + np.sum(factor1**2) + np.sum(factor2**2)
    product = _transposed_product(factor1, factor2)
    if not product.any():
        return float(apart)
    wide = product.shape[0] < product.shape[1]
    squares = product @ product.T if wide else product.T @ product
    with threadpool_limits(1):
        # Eigenvalues take an eighth of the time of singular values, but small ones lose digits.
        squares = np.maximum(scipy.linalg.eigvalsh(squares), 0.0)
        roots = np.sqrt(squares)
        rounding = 8 * _EPS * squares[-1]
        lost = np.sum(rounding / np.maximum(2 * roots, np.sqrt(rounding)))
        distance = apart - 2 * roots.sum()
        if lost > 1e-9 * distance + 1e-13 * apart:
            distance = apart - 2 * scipy.linalg.svdvals(product).sum()
    return max(float(distance), 0.0)  # Rounding makes equal sets end just above or below 0.


def few_images_note(
    name: str, num_images: int, num_features: int, of_class: str = ""
) -> str | None:
    """Reservation about a Fréchet distance from too few images for covariances of full rank.

    Example:
      >>> from compare_gan.metrics.frechet import few_images_note
      >>> few_images_note("FID", num_images=100, num_features=64) is None
      True

    Args:
      name: Name of the score.
      num_images: Number of images of the smaller set; 0 if it is not known.
      num_features: Number of features of the extractor.
      of_class: The class that they are of, after a blank; empty for whole sets.
    """
    if not 0 < num_images <= num_features:
        return None
    return (
        f"{name} from {num_images} images{of_class} and {num_features} features is strongly "
        f"biased: use at least {num_features + 1} images, or KID, which is not biased."
    )


@registry.register("metric", "fid", paper="https://arxiv.org/abs/1706.08500")
class FrechetInceptionDistance(Metric):
    """Fréchet distance between real and generated features; lower is better, 0 at best.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import FrechetInceptionDistance, ImageBatch
      >>> metric = FrechetInceptionDistance()
      >>> real, fake = metric.statistics(num_images=4), metric.statistics(num_images=4)
      >>> real.update(ImageBatch(features=np.eye(4)))
      >>> fake.update(ImageBatch(features=np.eye(4) + 1.0))
      >>> round(metric.value(real=real.result(), fake=fake.result())[""], 6)
      4.0
    """

    name = "fid"
    canonical_name = "fid"
    needs = frozenset({"features"})
    uses_real = True
    better = "lower"

    def statistics(self, num_images: int) -> GaussianStatistics:
        return GaussianStatistics()

    def check_sizes(self, fake: SetSize, real: SetSize | None = None) -> None:
        for name, size in (("generated", fake), ("real", real)):
            if size is not None and size.count < 2:
                raise UserError(f"FID needs at least 2 {name} images, received {size.count}.")

    def note(self, fake: Arrays, num_images: int) -> str | None:
        return few_images_note("FID", num_images, len(fake["mean"]))

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        return {
            "": frechet_distance_from_statistics(
                real["mean"], real["covariance"], fake["mean"], fake["covariance"]
            )
        }
