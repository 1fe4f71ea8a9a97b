"""Perceptual path length: the distance that images move in feature space as the latent moves."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_positive_integer, check_range, unknown_name
from compare_gan.metrics.base import ExtractorInfo, GeneratorSampler, Metric
from compare_gan.types import Tensor

_STARTS, _ENDS = 0, 1  # Streams of latents.
_INTERPOLATIONS = ("slerp", "lerp")
_PERCENTILES = (1, 99)


def lerp(z0: npt.ArrayLike, z1: npt.ArrayLike, t: npt.ArrayLike) -> np.ndarray:
    """Points z0 + t · (z1 - z0) on straight lines.

    Args:
      z0: Start points, [n, d].
      z1: End points, [n, d].
      t: Positions between them, [n].

    Returns:
      The points, float64 [n, d].

    Example:
      >>> from compare_gan.metrics import lerp
      >>> lerp([[0.0, 2.0]], [[4.0, 2.0]], [0.25]).tolist()
      [[1.0, 2.0]]
    """
    z0, z1, t = np.asarray(z0, float), np.asarray(z1, float), np.asarray(t, float)[:, None]
    return z0 + t * (z1 - z0)


def slerp(z0: npt.ArrayLike, z1: npt.ArrayLike, t: npt.ArrayLike) -> np.ndarray:
    """Points on arcs: the direction turns from z0 to z1 at a constant rate, the length is linear.

    Between latents of the same length, these are the great circles of the paper on StyleGAN, whose
    generator, unlike others, ignores the length.

    Args:
      z0: Start points, [n, d], not 0.
      z1: End points, [n, d], not 0.
      t: Positions between them, [n].

    Returns:
      The points, float64 [n, d].

    Example:
      >>> from compare_gan.metrics import slerp
      >>> slerp([[2.0, 0.0]], [[0.0, 2.0]], [0.5]).round(4).tolist()
      [[1.4142, 1.4142]]
    """
    z0, z1, t = np.asarray(z0, float), np.asarray(z1, float), np.asarray(t, float)[:, None]
    length0, length1 = (np.linalg.norm(z, axis=1, keepdims=True) for z in (z0, z1))
    start, end = z0 / length0, z1 / length1
    # Twice the half angle, which is accurate for small angles, unlike the arc cosine.
    angle = 2 * np.arctan2(
        np.linalg.norm(end - start, axis=1, keepdims=True),
        np.linalg.norm(end + start, axis=1, keepdims=True),
    )
    across = end - np.cos(angle) * start
    across = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
    direction = np.cos(t * angle) * start + np.sin(t * angle) * across
    return direction * lerp(length0, length1, t[:, 0])


def path_distances(
    sampler: GeneratorSampler,
    *,
    num_samples: int,
    epsilon: float = 1e-4,
    interpolation: str = "slerp",
    batch_size: int = 64,
) -> np.ndarray:
    """Squared distances in feature space for steps of the latent, divided by the squared step.

    Each step goes from t to t + epsilon on the path between two latents, with t uniform in [0, 1).
    The class is the same along a path.

    Args:
      sampler: Generator with the features of an extractor.
      num_samples: Number of steps.
      epsilon: Size of a step.
      interpolation: `slerp` or `lerp`.
      batch_size: Pairs in one forward pass of generator and extractor.

    Returns:
      The distances, float64 [num_samples].

    Raises:
      UserError: There are no features, or a feature is not finite.

    Example:
      >>> import numpy as np
      >>> from keras import ops
      >>> from compare_gan.metrics import path_distances
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):  # Images of one pixel.
      ...     z, _ = inputs
      ...     return ops.reshape(z, (-1, 1, 1, 1))
      >>> def features(images):
      ...     return 2.0 * ops.reshape(images, (-1, 1))
      >>> sampler = Sampler(network, z_dim=1, image_shape=(1, 1, 1), features=features)
      >>> distances = path_distances(sampler, num_samples=3, epsilon=0.01, interpolation="lerp")
      >>> z0, z1 = sampler.latents(3, 0), sampler.latents(3, 1)
      >>> np.allclose(distances, (2.0 * (z1 - z0)[:, 0]) ** 2, rtol=1e-3)
      True
    """
    features_of = sampler.features
    if features_of is None:
        raise UserError("A path length needs an extractor that takes floats, received none.")
    between = {"slerp": slerp, "lerp": lerp}[interpolation]
    z0, z1 = sampler.latents(num_samples, _STARTS), sampler.latents(num_samples, _ENDS)
    t = np.random.default_rng(sampler.seed % 2**32).uniform(size=num_samples)
    pair = np.stack([between(z0, z1, t), between(z0, z1, t + epsilon)]).astype(np.float32)
    labels = sampler.labels(num_samples)
    size = min(batch_size, num_samples)

    def squared_distances(z: Tensor, y: Tensor | None) -> Tensor:
        # Both ends in one batch, so that they are rounded by the same operations.
        y = None if y is None else ops.concatenate([y, y], axis=0)
        features = features_of(sampler(ops.concatenate(ops.unstack(z), axis=0), y))
        start, end = ops.split(ops.cast(features, _exact_type()), 2)
        return ops.sum(ops.square(end - start), axis=1)

    compiled = backend.compiled(squared_distances, sampler.variables)
    parts = []
    for first in range(0, num_samples, size):
        rows = np.arange(first, first + size) % num_samples  # The last batch wraps around.
        y = None if labels is None else labels[rows]
        parts.append(ops.convert_to_numpy(compiled(pair[:, rows], y)))
    distances = np.concatenate(parts)[:num_samples].astype(float) / epsilon**2
    if not np.isfinite(distances).all():
        raise UserError("The features along a path must be finite, received NaN or inf.")
    return distances


def _exact_type() -> str:
    """Type for sums over features; JAX has no float64 by default."""
    return "float32" if keras.backend.backend() == "jax" else "float64"


def trimmed_mean(distances: npt.ArrayLike) -> float:
    """Mean of the values between the 1st and the 99th percentile, both included.

    Args:
      distances: Values [n], n at least 1.

    Example:
      >>> from compare_gan.metrics import trimmed_mean
      >>> trimmed_mean([1000.0] + [1.0, 3.0] * 100)
      2.0
    """
    distances = np.asarray(distances, float)
    low = np.percentile(distances, _PERCENTILES[0], method="lower")
    high = np.percentile(distances, _PERCENTILES[1], method="higher")
    return float(distances[(low <= distances) & (distances <= high)].mean())


@registry.register("metric", "ppl", paper="https://arxiv.org/abs/1812.04948")
class PerceptualPathLength(Metric):
    """Mean squared speed of features along paths between latents; lower means smoother.

    Computed as in the papers on StyleGAN (in Z, on whole paths, with the tails of the distribution
    trimmed), but by the squared Euclidean distance between the extractor's features instead of
    LPIPS with VGG; values are therefore not comparable with published ones.

    Args:
      num_samples: Number of steps to measure.
      epsilon: Size of a step as a share of the path.
      interpolation: `slerp` (arcs) or `lerp` (straight lines); None = lines for latents with
        bounded range, which arcs would leave, else arcs.
      batch_size: Steps in one forward pass of generator and extractor.

    Example:
      >>> from keras import ops
      >>> from compare_gan.metrics import PerceptualPathLength
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):  # Ignores the latent: nothing moves.
      ...     z, _ = inputs
      ...     return ops.zeros((ops.shape(z)[0], 4, 4, 1))
      >>> def features(images):
      ...     return ops.mean(images, axis=(1, 2))
      >>> sampler = Sampler(network, z_dim=2, image_shape=(4, 4, 1), features=features)
      >>> PerceptualPathLength(num_samples=4).value(generator=sampler)
      {'': 0.0}
    """

    name = "ppl"
    needs = frozenset({"generator", "features"})
    better = "lower"

    def __init__(
        self,
        num_samples: int = 10_000,
        epsilon: float = 1e-4,
        interpolation: str | None = None,
        batch_size: int = 50,
    ):
        check_positive_integer("ppl.num_samples", num_samples)
        check_positive_integer("ppl.batch_size", batch_size)
        check_range("ppl.epsilon", epsilon, 1e-8, 1.0)
        if interpolation not in (None, *_INTERPOLATIONS):
            raise unknown_name("ppl.interpolation", interpolation, _INTERPOLATIONS)
        self.num_samples, self.epsilon = num_samples, epsilon
        self.interpolation, self.batch_size = interpolation, batch_size

    def statistics(self, num_images: int) -> None:
        return None

    def value(self, generator: GeneratorSampler) -> dict[str, float]:
        bounded = generator.marginal is not None and np.isfinite(generator.marginal.support()).all()
        distances = path_distances(
            generator,
            num_samples=self.num_samples,
            epsilon=self.epsilon,
            interpolation=self.interpolation or ("lerp" if bounded else "slerp"),
            batch_size=self.batch_size,
        )
        return {"": trimmed_mean(distances)}

    def inapplicable(
        self, extractor: ExtractorInfo, class_names: Sequence[str] | None
    ) -> str | None:
        if not extractor.takes_floats:
            return f"'{extractor.name}' takes only images that are rounded to bytes"
        return super().inapplicable(extractor, class_names)

    def options(self) -> dict[str, object]:
        return {
            "num_samples": self.num_samples,
            "epsilon": self.epsilon,
            "interpolation": self.interpolation or "auto",
        }
