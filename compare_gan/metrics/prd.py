"""PRD: precision and recall of distributions, as a curve over their trade-off."""

from typing import NamedTuple

import numpy as np
import PIL.Image
from threadpoolctl import threadpool_limits

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected


class PrdCurve(NamedTuple):
    """Precision and recall, float64 [num_angles] in [0, 1], from recall to precision."""

    precision: np.ndarray
    recall: np.ndarray

    def f_beta(self, beta: float) -> float:
        """The largest F-score on the curve; above 1, `beta` weighs recall, below it precision."""
        weighted = beta**2 * self.precision + self.recall
        product = (1 + beta**2) * self.precision * self.recall
        return float(np.max(product / np.where(weighted > 0, weighted, 1.0)))


def prd_from_distributions(real, fake, num_angles: int = 1001) -> PrdCurve:
    """The PRD curve of two discrete distributions.

    Paper: https://arxiv.org/abs/1806.00035.

    Args:
      real: [k], probabilities.
      fake: [k], probabilities of the same events.
      num_angles: Points on the curve: slopes of precision over recall, at equal angles.

    Raises:
      UserError: These are no distributions of the same events.
    """
    check_positive_integer("num_angles", num_angles)
    real, fake = _checked_distribution(real), _checked_distribution(fake)
    if len(real) != len(fake):
        raise UserError(
            f"The distributions must be of the same events, received {len(real)} and {len(fake)}."
        )
    margin = 1e-10  # At the ends the slope would be 0 and infinite.
    slopes = np.tan(np.linspace(margin, np.pi / 2 - margin, num_angles))
    precision = np.minimum(real * slopes[:, None], fake).sum(axis=1)
    # By rounding, either may end 2e-16 above 1.
    return PrdCurve(np.minimum(precision, 1.0), np.minimum(precision / slopes, 1.0))


def prd_curve(
    real_features,
    fake_features,
    num_clusters: int = 20,
    num_runs: int = 10,
    num_angles: int = 1001,
    seed: int = 0,
) -> PrdCurve:
    """The PRD curve of two sets of features, by how their images fall into common clusters.

    Both sets together are clustered by mini-batch k-means. Of the larger set a random part of the
    size of the smaller is taken: else its images would draw the clusters to themselves.

    Paper: https://arxiv.org/abs/1806.00035.

    Args:
      real_features: [n, f].
      fake_features: [m, f].
      num_clusters: Number of clusters.
      num_runs: The curve is the mean over so many clusterings.
      num_angles: Points on the curve.
      seed: Of draws and clusterings.

    Raises:
      UserError: More clusters than features, unequal widths, or a value that is not finite.
    """
    for name, value in (("num_clusters", num_clusters), ("num_runs", num_runs)):
        check_positive_integer(name, value)
    real, fake = as_feature_pair(real_features, fake_features)
    size = min(len(real), len(fake))
    if num_clusters > 2 * size:
        raise UserError(
            f"PRD needs at least as many images as clusters, received 2 x {size} images for "
            f"{num_clusters} clusters."
        )
    rng = np.random.RandomState(seed)
    curves = []
    for _ in range(num_runs):
        x, y = (_part(features, size, rng) for features in (real, fake))
        clusters = _clusters(np.concatenate([x, y]), num_clusters, rng)
        shares = [
            np.bincount(part, minlength=num_clusters) / size
            for part in (clusters[:size], clusters[size:])
        ]
        curves.append(prd_from_distributions(*shares, num_angles))
    return PrdCurve(*(np.mean(values, axis=0) for values in zip(*curves, strict=True)))


def draw_prd_curve(curve: PrdCurve, label: str = "") -> PIL.Image.Image:
    """A picture of a curve, 480 x 480 pixels: recall to the right, precision up."""
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


def _checked_distribution(distribution) -> np.ndarray:
    values = np.asarray(distribution, np.float64)
    if values.ndim != 1 or not (values >= 0).all() or abs(values.sum() - 1) > 1e-6:
        raise UserError("A distribution is a list of probabilities, at least 0, that add up to 1.")
    return values


def _part(features: np.ndarray, size: int, rng: np.random.RandomState) -> np.ndarray:
    if len(features) == size:
        return features
    return features[rng.choice(len(features), size, replace=False)]


def _clusters(features: np.ndarray, num_clusters: int, rng: np.random.RandomState) -> np.ndarray:
    from sklearn.cluster import MiniBatchKMeans  # Takes a second.

    # On a busy machine its threads wait for each other, and take ten times as long as one.
    with threadpool_limits(1):
        return MiniBatchKMeans(num_clusters, n_init=10, random_state=rng).fit_predict(features)


@registry.register("metric", "prd", paper="https://arxiv.org/abs/1806.00035")
class PrecisionRecallOfDistributions(Metric):
    """F-scores of the PRD curve: `_f8` weighs recall, `_f1_8` precision; higher is better.

    Args:
      num_clusters: Number of clusters.
      num_runs: The curve is the mean over so many clusterings.
      seed: Of draws and clusterings.
    """

    name = "prd"
    needs = frozenset({"features"})
    uses_real = True

    def __init__(self, num_clusters: int = 20, num_runs: int = 10, seed: int = 0):
        check_positive_integer("prd.num_clusters", num_clusters)
        check_positive_integer("prd.num_runs", num_runs)
        self.num_clusters = num_clusters
        self.num_runs = num_runs
        self.seed = seed
        self._last = None

    def statistics(self, num_images):
        return Collected("features")

    def value(self, real, fake):
        curve = self._curve(real["features"], fake["features"])
        return {"f8": curve.f_beta(8), "f1_8": curve.f_beta(1 / 8)}

    def pictures(self, real, fake):
        return {"curve": draw_prd_curve(self._curve(real["features"], fake["features"]))}

    def options(self):
        return {"num_clusters": self.num_clusters, "num_runs": self.num_runs, "seed": self.seed}

    def _curve(self, real: np.ndarray, fake: np.ndarray) -> PrdCurve:
        # Value and picture ask one after the other; the clusterings take their time.
        if self._last is None or self._last[0] is not real or self._last[1] is not fake:
            curve = prd_curve(real, fake, self.num_clusters, self.num_runs, seed=self.seed)
            self._last = (real, fake, curve)
        return self._last[2]
