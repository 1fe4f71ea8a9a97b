"""Kernel Inception Distance: the squared maximum mean discrepancy (MMD²) of two sets of features.

Error budget: within 1e-6 (relative) of a float64 reference; the whole-set value for any order.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, unknown_name
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Arrays, Metric
from compare_gan.metrics.collected import CollectedFields
from compare_gan.metrics.kernels import Kernel, PolynomialKernel
from compare_gan.types import Direction

_KERNEL = PolynomialKernel()
_BLOCK = 512  # Rows and columns of the kernel matrix at once, which fit into the processor's cache.
_ESTIMATORS = ("unbiased", "biased", "u_statistic")


class KernelDistance(NamedTuple):
    """Estimate of MMD² from parts of two sets.

    Attributes:
      mean: Mean over the parts.
      std: Standard deviation over the parts (ddof 0).
      standard_error: Standard error of the mean; NaN if it cannot be estimated.
    """

    mean: float
    std: float
    standard_error: float


def kernel_distance(
    real_features: npt.ArrayLike,
    fake_features: npt.ArrayLike,
    kernel: Kernel = _KERNEL,
    estimator: str = "unbiased",
) -> float:
    """MMD² of two whole sets of features.

    The kernel matrix is computed in blocks, so memory does not grow with the number of pairs.

    Paper: https://arxiv.org/abs/1801.01401.

    Args:
      real_features: Features of real images, [n, f], n at least 2.
      fake_features: Features of generated images, [m, f], m at least 2.
      kernel: Function from float64 [a, f] and [b, f] to [a, b].
      estimator: `unbiased` (no feature is paired with itself; may be below 0), `biased` (all
        pairs) or `u_statistic` (as `unbiased`, and features with the same index in the two sets are
        not paired; requires n = m).

    Returns:
      The estimate.

    Raises:
      UserError: There are too few rows, the widths differ, a value is not finite, or the estimator
        is unknown.

    Example:
      >>> from compare_gan.metrics import PolynomialKernel, kernel_distance
      >>> linear = PolynomialKernel(degree=1, gamma=1.0, coef0=0.0)
      >>> kernel_distance([[0.0], [2.0]], [[3.0], [5.0]], linear, estimator="biased")  # (4 - 1)²
      9.0
    """
    real, fake = as_feature_pair(real_features, fake_features, min_rows=2)
    if estimator not in _ESTIMATORS:
        raise unknown_name("estimator", estimator, _ESTIMATORS)
    n, m = len(real), len(fake)
    if estimator == "u_statistic" and n != m:
        raise UserError(
            f"The u_statistic needs sets of the same size, received {n} and {m} images."
        )
    real_sum, real_diagonal = _sum_within(real, kernel)
    fake_sum, fake_diagonal = _sum_within(fake, kernel)
    cross_sum, cross_diagonal = _sum_between(real, fake, kernel)
    if estimator == "biased":
        within = (real_sum + real_diagonal) / n**2 + (fake_sum + fake_diagonal) / m**2
        return within - 2 * cross_sum / (n * m)
    within = real_sum / (n * (n - 1)) + fake_sum / (m * (m - 1))
    if estimator == "u_statistic":
        return within - 2 * (cross_sum - cross_diagonal) / (n * (n - 1))
    return within - 2 * cross_sum / (n * m)


def kernel_distance_of_subsets(
    real_features: npt.ArrayLike,
    fake_features: npt.ArrayLike,
    num_subsets: int = 100,
    subset_size: int = 1000,
    kernel: Kernel = _KERNEL,
    seed: int = 2020,
) -> KernelDistance:
    """KID as it is usually reported: the mean of unbiased MMD² over random subsets.

    Subsets are drawn without replacement by `RandomState(seed)`, first from the real and then from
    the generated features, as in torch-fidelity with the real set as first input. Subsets overlap,
    so their spread does not measure the error of the mean. The standard error is instead that of a
    mean over disjoint blocks of `subset_size`, as many as fit, after a shuffle.

    Paper: https://arxiv.org/abs/1801.01401.

    Args:
      real_features: Features of real images, [n, f], n at least `subset_size`.
      fake_features: Features of generated images, [m, f], m at least `subset_size`.
      num_subsets: Number of subsets.
      subset_size: Images of either set in each subset.
      kernel: Function from float64 [a, f] and [b, f] to [a, b].
      seed: Seed of the draws and of the shuffle.

    Returns:
      Mean and standard deviation over subsets, and standard error (ddof 1; NaN for one block).

    Raises:
      UserError: There are fewer rows than a subset needs, the widths differ, or a value is not
        finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import kernel_distance_of_subsets
      >>> rng = np.random.default_rng(0)
      >>> real, fake = rng.normal(size=[100, 4]), rng.normal(1.0, size=[100, 4])
      >>> kid = kernel_distance_of_subsets(real, fake, num_subsets=10, subset_size=50)
      >>> kid.mean > 3 * kid.standard_error > 0
      True
    """
    check_positive_integer("num_subsets", num_subsets)
    real, fake = as_feature_pair(real_features, fake_features)
    least = min(len(real), len(fake))
    _check_subset_size(subset_size, least)
    rng = np.random.RandomState(seed)
    values = []
    for _ in range(num_subsets):
        x = real[rng.choice(len(real), subset_size, replace=False)]
        y = fake[rng.choice(len(fake), subset_size, replace=False)]
        values.append(kernel_distance(x, y, kernel))
    error, num_blocks = math.nan, least // subset_size
    if num_blocks > 1:
        used = num_blocks * subset_size
        real, fake = (features[rng.permutation(len(features))[:used]] for features in (real, fake))
        error = kernel_distance_of_blocks(real, fake, subset_size, kernel).standard_error
    return KernelDistance(float(np.mean(values)), float(np.std(values)), error)


def kernel_distance_of_blocks(
    real_features: npt.ArrayLike,
    fake_features: npt.ArrayLike,
    max_block_size: int = 1024,
    kernel: Kernel = _KERNEL,
) -> KernelDistance:
    """Mean of unbiased MMD² over consecutive blocks of about equal size, as in TF-GAN.

    The blocks share no image, so the standard error is that of independent estimates; both sets
    must be in random order.

    Papers: https://arxiv.org/abs/1801.01401, https://arxiv.org/abs/1307.1954.

    Args:
      real_features: Features of real images, [n, f].
      fake_features: Features of generated images, [m, f].
      max_block_size: Largest number of images in a block; as few blocks as possible are used.
      kernel: Function from float64 [a, f] and [b, f] to [a, b].

    Returns:
      Mean, standard deviation, and standard error of the mean (ddof 1; NaN for one block).

    Raises:
      UserError: A block has fewer than 2 rows, the widths differ, or a value is not finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import kernel_distance_of_blocks
      >>> rng = np.random.default_rng(0)
      >>> real, fake = rng.normal(size=[100, 4]), rng.normal(1.0, size=[100, 4])
      >>> kid = kernel_distance_of_blocks(real, fake, max_block_size=25)
      >>> kid.mean > 3 * kid.standard_error > 0
      True
    """
    check_positive_integer("max_block_size", max_block_size)
    real, fake = as_feature_pair(real_features, fake_features)
    num_blocks = math.ceil(max(len(real), len(fake)) / max_block_size)
    if min(len(real), len(fake)) < 2 * num_blocks:
        raise UserError(
            f"Each of {num_blocks} blocks needs at least 2 real and 2 generated images, received "
            f"{len(real)} and {len(fake)} in total."
        )
    # Lengths differ by at most one; shorter blocks come first.
    parts = (np.array_split(features[::-1], num_blocks)[::-1] for features in (real, fake))
    values = [kernel_distance(x, y, kernel) for x, y in zip(*parts, strict=True)]
    std = float(np.std(values))
    error = std / math.sqrt(num_blocks - 1) if num_blocks > 1 else math.nan
    return KernelDistance(float(np.mean(values)), std, error)


def _check_subset_size(subset_size: int, num_images: int) -> None:
    check_positive_integer("subset_size", subset_size)
    if not 2 <= subset_size <= num_images:
        raise UserError(
            f"KID's subset_size must be between 2 and the number of images, {num_images}; received "
            f"{subset_size}: set kid.subset_size, as by --gin_bindings 'kid.subset_size = "
            f"{max(num_images // 2, 2)}'."
        )


def _blocks(features: np.ndarray) -> list[np.ndarray]:
    return [features[i : i + _BLOCK] for i in range(0, len(features), _BLOCK)]


def _sum_within(features: np.ndarray, kernel: Kernel) -> tuple[float, float]:
    """Sums the kernel over pairs of different rows, and over pairs of a row with itself."""
    blocks, sums, diagonal = _blocks(features), list[float](), list[float]()
    for i, rows in enumerate(blocks):
        rows = rows.astype(np.float64)
        values = kernel(rows, rows)
        diagonal.append(np.trace(values))
        np.fill_diagonal(values, 0.0)
        sums.append(values.sum())
        sums += [2 * kernel(rows, columns.astype(np.float64)).sum() for columns in blocks[i + 1 :]]
    return math.fsum(sums), math.fsum(diagonal)


def _sum_between(x: np.ndarray, y: np.ndarray, kernel: Kernel) -> tuple[float, float]:
    """Sums the kernel over all pairs, and over pairs of rows with the same index."""
    sums, diagonal = list[float](), list[float]()
    for i, rows in enumerate(_blocks(x)):
        rows = rows.astype(np.float64)
        for j, columns in enumerate(_blocks(y)):
            values = kernel(rows, columns.astype(np.float64))
            sums.append(values.sum())
            if i == j:
                diagonal.append(np.trace(values))
    return math.fsum(sums), math.fsum(diagonal)


@registry.register("metric", "kid", paper="https://arxiv.org/abs/1801.01401")
class KernelInceptionDistance(Metric):
    """Kernel distance between real and generated features, over subsets; lower is better.

    If 2 blocks of `subset_size` fit into either set, the standard error of a mean over disjoint
    blocks is reported as `_standard_error`: an upper estimate of how much the score varies from
    sample to sample.

    Args:
      num_subsets: Number of subsets drawn from either set.
      subset_size: Images in each subset.
      degree: Degree of the polynomial kernel.
      gamma: Factor of the kernel's inner product; None = 1 / number of features.
      coef0: Constant term of the kernel.
      seed: Seed of the draws.
      full_set: Whether to report the unbiased estimate from all pairs of images too (`_full`),
        which takes a few minutes for 50,000 images with 2048 features.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import KernelInceptionDistance
      >>> rng = np.random.default_rng(0)
      >>> real, fake = rng.normal(size=[100, 4]), rng.normal(1.0, size=[100, 4])
      >>> metric = KernelInceptionDistance(num_subsets=10, subset_size=50)
      >>> values = metric.value(real={"features": real}, fake={"features": fake})
      >>> list(values), values[""] > 1.0
      (['', 'standard_error'], True)
    """

    name = "kid"
    canonical_name = "kid"
    needs = frozenset({"features"})
    uses_real = True
    better = "lower"
    better_by_suffix: ClassVar[Mapping[str, Direction]] = {"standard_error": None}

    def __init__(
        self,
        num_subsets: int = 100,
        subset_size: int = 1000,
        degree: int = 3,
        gamma: float | None = None,
        coef0: float = 1.0,
        seed: int = 2020,
        full_set: bool = False,
    ):
        check_positive_integer("kid.num_subsets", num_subsets)
        self.num_subsets = num_subsets
        self.subset_size = subset_size
        self.kernel = PolynomialKernel(degree, gamma, coef0)
        self.seed = seed
        self.full_set = full_set

    def statistics(self, num_images: int) -> CollectedFields:
        _check_subset_size(self.subset_size, num_images)
        return CollectedFields("features")

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        pair = real["features"], fake["features"]
        subsets = kernel_distance_of_subsets(
            *pair, self.num_subsets, self.subset_size, self.kernel, self.seed
        )
        values = {"": subsets.mean}
        if not math.isnan(subsets.standard_error):
            values["standard_error"] = subsets.standard_error
        if self.full_set:
            values["full"] = kernel_distance(*pair, self.kernel)
        return values

    def added_scores(self) -> tuple[str, ...]:
        return ("full",) if self.full_set else ()

    def options(self) -> dict[str, object]:
        return {
            "num_subsets": self.num_subsets,
            "subset_size": self.subset_size,
            **dataclasses.asdict(self.kernel),
            "seed": self.seed,
        }
