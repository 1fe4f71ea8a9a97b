"""Kernel Inception Distance: the squared maximum mean discrepancy (MMD²) of two sets of features.

Error budget: within 1e-6 (relative) of a float64 reference; the whole-set value in any order.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, unknown_name
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected
from compare_gan.metrics.kernels import Kernel, PolynomialKernel

_KERNEL = PolynomialKernel()
_BLOCK = 512  # Rows and columns of the kernel's matrix at once: they stay in the processor's cache.
_ESTIMATORS = ("unbiased", "biased", "u_statistic")


class KernelDistance(NamedTuple):
    """Mean and standard deviation (ddof 0) of MMD² over parts, and the mean's standard error."""

    mean: float
    std: float
    standard_error: float


def kernel_distance(
    real_features,
    fake_features,
    kernel: Kernel = _KERNEL,
    estimator: str = "unbiased",
) -> float:
    """MMD² of two whole sets of features, in blocks: memory does not grow with the number of pairs.

    Paper: https://arxiv.org/abs/1801.01401.

    Args:
      real_features: [n, f].
      fake_features: [m, f].
      kernel: From float64 [a, f] and [b, f] to [a, b]; adds over blocks.
      estimator: `unbiased` (no feature is paired with itself; may be below 0), `biased` (all
        pairs) or `u_statistic` (nor with the feature of its number in the other set; n = m).

    Returns:
      The estimate.

    Raises:
      UserError: Too few rows, unequal widths, a value that is not finite, no such estimator.
    """
    real, fake = as_feature_pair(real_features, fake_features, least=2)
    if estimator not in _ESTIMATORS:
        raise unknown_name("estimator", estimator, _ESTIMATORS)
    n, m = len(real), len(fake)
    if estimator == "u_statistic" and n != m:
        raise UserError(f"The u_statistic needs sets of one size, received {n} and {m} features.")
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
    real_features,
    fake_features,
    num_subsets: int = 100,
    subset_size: int = 1000,
    kernel: Kernel = _KERNEL,
    seed: int = 2020,
) -> KernelDistance:
    """KID as it is usually told: the mean of unbiased MMD² over random subsets.

    Each subset is drawn without replacement, first of the real, then of the generated features,
    from `RandomState(seed)`, as torch-fidelity does with the real set as its first input. Subsets
    overlap, so their spread does not tell how far the mean is off. The standard error is that of a
    mean over blocks of `subset_size` which share no feature, as many as fit, after a shuffle.

    Paper: https://arxiv.org/abs/1801.01401.

    Args:
      real_features: [n, f], n at least `subset_size`.
      fake_features: [m, f], m at least `subset_size`.
      num_subsets: How many.
      subset_size: Features of either set in each.
      kernel: From float64 [a, f] and [b, f] to [a, b].
      seed: Of the draws, and of the shuffle behind them.

    Returns:
      Mean and standard deviation over subsets, and standard error (ddof 1; NaN for one block).

    Raises:
      UserError: Fewer rows than a subset has, unequal widths, or a value that is not finite.
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
    real_features,
    fake_features,
    max_block_size: int = 1024,
    kernel: Kernel = _KERNEL,
) -> KernelDistance:
    """The mean of unbiased MMD² over consecutive blocks of about equal size, as TF-GAN has it.

    The blocks share no image, so the standard error is that of independent estimates; both sets
    must be in random order.

    Papers: https://arxiv.org/abs/1801.01401, https://arxiv.org/abs/1307.1954.

    Args:
      real_features: [n, f].
      fake_features: [m, f].
      max_block_size: As few blocks are made as hold no more features than this.
      kernel: From float64 [a, f] and [b, f] to [a, b].

    Returns:
      Mean, standard deviation, and standard error of the mean (ddof 1; NaN for one block).

    Raises:
      UserError: A block has fewer than 2 rows, unequal widths, or a value that is not finite.
    """
    check_positive_integer("max_block_size", max_block_size)
    real, fake = as_feature_pair(real_features, fake_features)
    num_blocks = math.ceil(max(len(real), len(fake)) / max_block_size)
    if min(len(real), len(fake)) < 2 * num_blocks:
        raise UserError(
            f"Each of {num_blocks} blocks needs at least 2 real and 2 generated images, received "
            f"{len(real)} and {len(fake)} for all."
        )
    # Of lengths that differ by one, the shorter come first.
    parts = (np.array_split(features[::-1], num_blocks)[::-1] for features in (real, fake))
    values = [kernel_distance(x, y, kernel) for x, y in zip(*parts, strict=True)]
    std = float(np.std(values))
    error = std / math.sqrt(num_blocks - 1) if num_blocks > 1 else math.nan
    return KernelDistance(float(np.mean(values)), std, error)


def _check_subset_size(subset_size: int, num_images: int) -> None:
    check_positive_integer("subset_size", subset_size)
    if not 2 <= subset_size <= num_images:
        raise UserError(
            f"KID's subset_size must be at least 2 and at most the number of images, {num_images}; "
            f"received {subset_size}."
        )


def _blocks(features: np.ndarray):
    return [features[i : i + _BLOCK] for i in range(0, len(features), _BLOCK)]


def _sum_within(features: np.ndarray, kernel: Kernel) -> tuple[float, float]:
    """The kernel summed over pairs of different rows, and over pairs of a row with itself."""
    blocks, sums, diagonal = _blocks(features), [], []
    for i, rows in enumerate(blocks):
        rows = rows.astype(np.float64)
        values = kernel(rows, rows)
        diagonal.append(np.trace(values))
        np.fill_diagonal(values, 0.0)
        sums.append(values.sum())
        sums += [2 * kernel(rows, columns.astype(np.float64)).sum() for columns in blocks[i + 1 :]]
    return math.fsum(sums), math.fsum(diagonal)


def _sum_between(x: np.ndarray, y: np.ndarray, kernel: Kernel) -> tuple[float, float]:
    """The kernel summed over all pairs, and over pairs of rows with the same number."""
    sums, diagonal = [], []
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

    Beside it the standard error (`_standard_error`) of a mean over blocks that share no image, if 2
    blocks of `subset_size` fit into either set: over different samples the value varies about so
    much, or less.

    Args:
      num_subsets: How many subsets of either set are drawn.
      subset_size: Images in each.
      degree: Of the polynomial kernel.
      gamma: Of the kernel; None = 1 / number of features.
      coef0: Of the kernel.
      seed: Of the draws.
      full_set: Also the unbiased estimate from all pairs of images (`_full`): a few minutes for
        50,000 images with 2048 features.
    """

    name = "kid"
    canonical_name = "kid"
    needs = frozenset({"features"})
    uses_real = True

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

    def statistics(self, num_images):
        _check_subset_size(self.subset_size, num_images)
        return Collected("features")

    def value(self, real, fake):
        real, fake = real["features"], fake["features"]
        subsets = kernel_distance_of_subsets(
            real, fake, self.num_subsets, self.subset_size, self.kernel, self.seed
        )
        values = {"": subsets.mean}
        if not math.isnan(subsets.standard_error):
            values["standard_error"] = subsets.standard_error
        if self.full_set:
            values["full"] = kernel_distance(real, fake, self.kernel)
        return values

    def added_scores(self):
        return ("full",) if self.full_set else ()

    def options(self):
        return {
            "num_subsets": self.num_subsets,
            "subset_size": self.subset_size,
            **dataclasses.asdict(self.kernel),
            "seed": self.seed,
        }
