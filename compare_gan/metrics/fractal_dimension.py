"""Fractal dimension of features: of how many parameters they seem to be functions."""

import numpy as np
import scipy.spatial.distance
import scipy.stats

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected

_RADII = 1000
_BLOCK = 4096
_HALF_WIDTH = 0.1  # Of the part of the curve that a line is fitted to, as a share of its height.


def fractal_dimension(points, num_seeds: int = 100, seed: int = 0, seed_indices=None) -> float:
    """The correlation dimension of a set of points.

    Around some of them, the seeds, points within radius r are counted. The dimension is the slope
    of the log of the count over log r, by least squares over the middle fifth of the log counts.

    Paper: Grassberger and Procaccia, 1983, Measuring the strangeness of strange attractors.

    Args:
      points: [n, …], n at least 2; taken as vectors.
      num_seeds: How many seeds, n at most.
      seed: Of their choice.
      seed_indices: int [m]: the seeds themselves, instead.

    Raises:
      UserError: A value is not finite, or the points lie too close together or are too few.
    """
    points = np.asarray(points)
    points = points.reshape(len(points), int(np.prod(points.shape[1:])))
    if not np.isfinite(points).all():
        raise UserError("The points are not all finite, so they have no fractal dimension.")
    if seed_indices is None:
        rng = np.random.default_rng(seed)
        seed_indices = rng.choice(len(points), min(num_seeds, len(points)), replace=False)
    seeds = points[np.asarray(seed_indices)]
    # In blocks, because SciPy makes float64 of the points.
    blocks = (points[start : start + _BLOCK] for start in range(0, len(points), _BLOCK))
    parts = [scipy.spatial.distance.cdist(seeds, block).ravel() for block in blocks]
    distances = np.sort(np.concatenate([np.zeros(0), *parts]))
    positive = distances[distances > 0]
    if not len(positive) or positive[0] == positive[-1]:
        raise UserError(
            f"A fractal dimension needs points at different distances, received {len(points)} "
            "points without."
        )
    radii = np.geomspace(positive[0], positive[-1], _RADII)[1:]
    log_counts = np.log(np.searchsorted(distances, radii, side="left"))
    low, high = np.log(len(seeds)), np.log(len(distances))
    middle, reach = (low + high) / 2, _HALF_WIDTH * (high - low)
    # Both ends are the first radius beyond: counts never fall.
    start, stop = np.searchsorted(log_counts, [middle - reach, middle + reach], side="right")
    if stop - start < 2:
        raise UserError(
            f"A fractal dimension cannot be had from {len(points)} points: no two radii have "
            "between them counts in the middle of their range."
        )
    return float(scipy.stats.linregress(np.log(radii[start:stop]), log_counts[start:stop]).slope)


@registry.register(
    "metric",
    "fractal_dimension",
    paper="Grassberger and Procaccia, 1983, Measuring the strangeness of strange attractors",
)
class FractalDimension(Metric):
    """Correlation dimension of the features of generated images, and of real ones (`_real`).

    Lower than that of real images where samples lack variety.

    Args:
      num_seeds: Points around which the others are counted.
      seed: Of their choice.
    """

    name = "fractal_dimension"
    needs = frozenset({"features"})
    uses_real = True

    def __init__(self, num_seeds: int = 100, seed: int = 0):
        check_positive_integer("fractal_dimension.num_seeds", num_seeds)
        self.num_seeds, self.seed = num_seeds, seed

    def statistics(self, num_images):
        return Collected("features")

    def value(self, real, fake):
        return {
            suffix: fractal_dimension(points["features"], self.num_seeds, self.seed)
            for suffix, points in (("", fake), ("real", real))
        }

    def options(self):
        return {"num_seeds": self.num_seeds, "seed": self.seed}
