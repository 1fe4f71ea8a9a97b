"""Fractal dimension of features: the number of parameters that seem to generate them."""

import numpy as np
import numpy.typing as npt
import scipy  # It imports its parts when they are first used.

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import Arrays, Metric, SetSize
from compare_gan.metrics.collected import CollectedFields

_RADII = 1000
_BLOCK = 4096
_HALF_WIDTH = 0.1  # Half of the fitted part of the curve, as a share of the curve's height.


def fractal_dimension(
    points: npt.ArrayLike,
    num_seeds: int = 100,
    seed: int = 0,
    seed_indices: npt.ArrayLike | None = None,
) -> float:
    """Correlation dimension of a set of points.

    Points within radius r of a few of them, the seeds, are counted. The dimension is the slope of
    the log count over log r, fitted by least squares to the middle fifth of the log counts.

    Paper: Grassberger and Procaccia, 1983, Measuring the strangeness of strange attractors.

    Args:
      points: Points [n, …], n at least 2; flattened to vectors.
      num_seeds: Number of seeds; at most n are used.
      seed: Random seed of the choice of the seeds.
      seed_indices: Indices of the seeds, int [m], which replace the random choice.

    Raises:
      UserError: A value is not finite, or the points are too few or too close together.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import fractal_dimension
      >>> line = np.linspace([0.0, 0.0], [1.0, 2.0], 500)
      >>> round(fractal_dimension(line), 1)
      1.0
    """
    points = np.asarray(points)
    points = points.reshape(len(points), int(np.prod(points.shape[1:])))
    if not np.isfinite(points).all():
        raise UserError("The points of a fractal dimension must be finite, received NaN or inf.")
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
            "A fractal dimension needs points at two or more different distances, received "
            f"{len(points)} points with fewer."
        )
    radii = np.geomspace(positive[0], positive[-1], _RADII)[1:]
    log_counts = np.log(np.searchsorted(distances, radii, side="left"))
    low, high = np.log(len(seeds)), np.log(len(distances))
    middle, reach = (low + high) / 2, _HALF_WIDTH * (high - low)
    # Each end is the first radius beyond its level: counts never decrease.
    start, stop = np.searchsorted(log_counts, [middle - reach, middle + reach], side="right")
    if stop - start < 2:
        raise UserError(
            f"A fractal dimension needs more points, received {len(points)}: fewer than two radii "
            "have counts in the middle of the range."
        )
    return float(scipy.stats.linregress(np.log(radii[start:stop]), log_counts[start:stop]).slope)


@registry.register(
    "metric",
    "fractal_dimension",
    paper="Grassberger and Procaccia, 1983, Measuring the strangeness of strange attractors",
)
class FractalDimension(Metric):
    """Correlation dimension of the features of generated images, and of real ones (`_real`).

    A value below that of real images means that samples lack variety.

    Args:
      num_seeds: Number of points around which the others are counted.
      seed: Random seed of the choice of these points.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import FractalDimension
      >>> line = {"features": np.linspace([0.0, 0.0], [1.0, 2.0], 500)}
      >>> plane = {"features": np.random.default_rng(0).uniform(size=[500, 2])}
      >>> values = FractalDimension().value(real=plane, fake=line)
      >>> values[""] < values["real"]
      True
    """

    name = "fractal_dimension"
    needs = frozenset({"features"})
    uses_real = True

    def __init__(self, num_seeds: int = 100, seed: int = 0):
        check_positive_integer("fractal_dimension.num_seeds", num_seeds)
        self.num_seeds, self.seed = num_seeds, seed

    def statistics(self, num_images: int) -> CollectedFields:
        return CollectedFields("features")

    def check_sizes(self, fake: SetSize, real: SetSize | None = None) -> None:
        for name, size in (("generated", fake), ("real", real)):
            if size is not None and size.count < 3:
                raise UserError(
                    f"A fractal dimension needs at least 3 {name} images, received {size.count}."
                )

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        return {
            suffix: fractal_dimension(points["features"], self.num_seeds, self.seed)
            for suffix, points in (("", fake), ("real", real))
        }

    def options(self) -> dict[str, object]:
        return {"num_seeds": self.num_seeds, "seed": self.seed}
