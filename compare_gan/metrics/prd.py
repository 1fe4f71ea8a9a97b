"""PRD: precision and recall of distributions, as a curve of their trade-off."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import PIL.Image
from threadpoolctl import threadpool_limits

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Arrays, Metric, SetSize
from compare_gan.metrics.collected import CollectedFields

# Step of the features that are clustered, relative to their largest standard deviation.
_STEP = 1e-3


class PrdCurve(NamedTuple):
    """Curve from high recall to high precision; both are float64 [num_angles] in [0, 1]."""

    precision: np.ndarray
    recall: np.ndarray

    def f_beta(self, beta: float) -> float:
        """Returns the largest F-score on the curve; `beta` above 1 favours recall."""
        weighted = beta**2 * self.precision + self.recall
        product = (1 + beta**2) * self.precision * self.recall
        return float(np.max(product / np.where(weighted > 0, weighted, 1.0)))


def prd_from_distributions(
    real: npt.ArrayLike, fake: npt.ArrayLike, num_angles: int = 1001
) -> PrdCurve:
    """PRD curve of two discrete distributions.

    Paper: https://arxiv.org/abs/1806.00035.

    Args:
      real: Probabilities of the real distribution, [k].
      fake: Probabilities of the generated distribution for the same events, [k].
      num_angles: Number of points on the curve, at equal angles of precision over recall.

    Raises:
      UserError: The arrays are not distributions of the same events.

    Example:
      >>> from compare_gan.metrics import prd_from_distributions
      >>> curve = prd_from_distributions([0.5, 0.5], [1.0, 0.0])  # A mode is missing.
      >>> round(float(curve.precision.max()), 6), round(float(curve.recall.max()), 6)
      (1.0, 0.5)
    """
    check_positive_integer("num_angles", num_angles)
    real, fake = _checked_distribution(real), _checked_distribution(fake)
    if len(real) != len(fake):
        raise UserError(
            "The distributions must have the same number of events, received "
            f"{len(real)} and {len(fake)}."
        )
    margin = 1e-10  # At the ends, the slope would be 0 and infinite.
    slopes = np.tan(np.linspace(margin, np.pi / 2 - margin, num_angles))
    precision = np.minimum(real * slopes[:, None], fake).sum(axis=1)
    # Due to rounding, either may exceed 1 by 2e-16.
    return PrdCurve(np.minimum(precision, 1.0), np.minimum(precision / slopes, 1.0))


def prd_curve(
    real_features: npt.ArrayLike,
    fake_features: npt.ArrayLike,
    num_clusters: int = 20,
    num_runs: int = 10,
    num_angles: int = 1001,
    seed: int = 0,
) -> PrdCurve:
    """PRD curve of two sets of features, from the distribution of their images over clusters.

    Both sets are clustered together by mini-batch k-means. If one set is larger, a random subset of
    the size of the smaller one is used; otherwise the larger set would attract the clusters.

    Paper: https://arxiv.org/abs/1806.00035.

    Args:
      real_features: Features of real images, [n, f].
      fake_features: Features of generated images, [m, f].
      num_clusters: Number of clusters.
      num_runs: Number of clusterings over which the curve is averaged.
      num_angles: Number of points on the curve.
      seed: Seed of the subsets and clusterings.

    Raises:
      UserError: There are more clusters than images, the widths differ, or a value is not finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import prd_curve
      >>> real = np.repeat([[0.0], [9.0]], 20, axis=0)
      >>> curve = prd_curve(real, real[:20], num_clusters=2, num_runs=1)  # A mode is missing.
      >>> round(float(curve.precision.max()), 6), curve.recall.max() < 0.9
      (1.0, np.True_)
    """
    for name, value in (("num_clusters", num_clusters), ("num_runs", num_runs)):
        check_positive_integer(name, value)
    real, fake = as_feature_pair(real_features, fake_features)
    size = min(len(real), len(fake))
    _check_size(size, num_clusters)
    rng = np.random.RandomState(seed)
    curves = []
    for _ in range(num_runs):
        x, y = (_part(features, size, rng) for features in (real, fake))
        clusters = _clusters(_rounded(np.concatenate([x, y])), num_clusters, rng)
        real_shares, fake_shares = (
            np.bincount(part, minlength=num_clusters) / size
            for part in (clusters[:size], clusters[size:])
        )
        curves.append(prd_from_distributions(real_shares, fake_shares, num_angles))
    return PrdCurve(*(np.mean(values, axis=0) for values in zip(*curves, strict=True)))


def draw_prd_curve(curve: PrdCurve, label: str = "") -> PIL.Image.Image:
    """Draws a PRD curve, with recall on the x axis and precision on the y axis.

    Args:
      curve: Curve to draw.
      label: Name of the curve in the legend, which states the F-scores too.

    Returns:
      An RGB picture of 480 x 480 pixels.

    Example:
      >>> from compare_gan.metrics import draw_prd_curve, prd_from_distributions
      >>> draw_prd_curve(prd_from_distributions([0.5, 0.5], [0.9, 0.1])).size
      (480, 480)
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    scores = f"F8 {curve.f_beta(8):.3f}, F1/8 {curve.f_beta(1 / 8):.3f}"
    axes.plot(curve.recall, curve.precision, label=f"{label}: {scores}" if label else scores)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="recall", ylabel="precision", aspect="equal")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", frameon=False, fontsize="small")
    canvas.draw()
    return PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _check_size(size: int, num_clusters: int) -> None:
    """Raises UserError if two sets of this size are too small."""
    if num_clusters > 2 * size:
        raise UserError(
            f"PRD needs at least as many images as clusters, received 2 x {size} images for "
            f"{num_clusters} clusters: set prd.num_clusters."
        )


def _checked_distribution(distribution: npt.ArrayLike) -> np.ndarray:
    values = np.asarray(distribution, np.float64)
    if values.ndim != 1 or not (values >= 0).all() or abs(values.sum() - 1) > 1e-6:
        raise UserError(
            "A distribution must be a list of probabilities that are at least 0 and add up to 1, "
            f"received shape {list(values.shape)} with sum {values.sum():.6g}."
        )
    return values


def _part(features: np.ndarray, size: int, rng: np.random.RandomState) -> np.ndarray:
    if len(features) == size:
        return features
    return features[rng.choice(len(features), size, replace=False)]


def _rounded(features: np.ndarray) -> np.ndarray:
    """The features in steps of a small part of their spread.

    K-means amplifies differences in the last digits, which depend on the CPU and the batch size.
    """
    spread = features.std(axis=0).max()
    if not spread:
        return features
    step = 2.0 ** np.round(np.log2(_STEP * spread))  # Of two almost equal spreads the same.
    return np.round(features / step) * step


def _clusters(features: np.ndarray, num_clusters: int, rng: np.random.RandomState) -> np.ndarray:
    from sklearn.cluster import MiniBatchKMeans  # Takes a second.

    # On a busy machine, threads wait for each other and take ten times as long as a single one.
    with threadpool_limits(1):
        return MiniBatchKMeans(num_clusters, n_init=10, random_state=rng).fit_predict(features)


@registry.register("metric", "prd", paper="https://arxiv.org/abs/1806.00035")
class PrecisionRecallOfDistributions(Metric):
    """F-scores of the PRD curve: `_f8` favours recall, `_f1_8` precision; higher is better.

    Args:
      num_clusters: Number of clusters.
      num_runs: Number of clusterings over which the curve is averaged.
      seed: Seed of the subsets and clusterings.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import PrecisionRecallOfDistributions
      >>> real = np.repeat([[0.0], [9.0]], 20, axis=0)
      >>> fake = real[:20]  # A mode is missing.
      >>> metric = PrecisionRecallOfDistributions(num_clusters=2, num_runs=1)
      >>> values = metric.value(real={"features": real}, fake={"features": fake})
      >>> values["f8"] < values["f1_8"]
      True
    """

    name = "prd"
    needs = frozenset({"features"})
    uses_real = True
    better = "higher"

    def __init__(self, num_clusters: int = 20, num_runs: int = 10, seed: int = 0):
        check_positive_integer("prd.num_clusters", num_clusters)
        check_positive_integer("prd.num_runs", num_runs)
        self.num_clusters = num_clusters
        self.num_runs = num_runs
        self.seed = seed
        self._last: tuple[np.ndarray, np.ndarray, PrdCurve] | None = None

    def statistics(self, num_images: int) -> CollectedFields:
        return CollectedFields("features")

    def check_sizes(self, fake: SetSize, real: SetSize | None = None) -> None:
        _check_size(min(size.count for size in (fake, real) if size), self.num_clusters)

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        curve = self._curve(real["features"], fake["features"])
        return {"f8": curve.f_beta(8), "f1_8": curve.f_beta(1 / 8)}

    def pictures(self, real: Arrays, fake: Arrays) -> dict[str, PIL.Image.Image]:
        return {"curve": draw_prd_curve(self._curve(real["features"], fake["features"]))}

    def options(self) -> dict[str, object]:
        return {"num_clusters": self.num_clusters, "num_runs": self.num_runs, "seed": self.seed}

    def _curve(self, real: np.ndarray, fake: np.ndarray) -> PrdCurve:
        # Value and picture need the same curve, and the clusterings are slow.
        if self._last is None or self._last[0] is not real or self._last[1] is not fake:
            curve = prd_curve(real, fake, self.num_clusters, self.num_runs, seed=self.seed)
            self._last = (real, fake, curve)
        return self._last[2]
