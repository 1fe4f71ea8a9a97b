"""Perceptual path length: how far images move in feature space as the latent moves."""

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, check_range, unknown_name
from compare_gan.metrics.base import GeneratorSampler, Metric

_STARTS, _ENDS = 0, 1  # Streams of latents.
_INTERPOLATIONS = ("slerp", "lerp")
_PERCENTILES = (1, 99)


def lerp(z0, z1, t) -> np.ndarray:
    """Points z0 + t · (z1 - z0) of straight lines: float64 [n, d] for z0, z1 [n, d] and t [n]."""
    z0, z1, t = np.asarray(z0, float), np.asarray(z1, float), np.asarray(t, float)[:, None]
    return z0 + t * (z1 - z0)


def slerp(z0, z1, t) -> np.ndarray:
    """Points of arcs: the direction turns evenly from z0's to z1's, the length goes along a line.

    Between latents of one length these are the great circles of the paper on StyleGAN, whose
    generator, unlike others, ignores the length.

    Args:
      z0: [n, d], none of them 0.
      z1: [n, d].
      t: [n].

    Returns:
      float64 [n, d].
    """
    z0, z1, t = np.asarray(z0, float), np.asarray(z1, float), np.asarray(t, float)[:, None]
    length0, length1 = (np.linalg.norm(z, axis=1, keepdims=True) for z in (z0, z1))
    start, end = z0 / length0, z1 / length1
    # By halves, which is exact for small angles, as the arc cosine is not.
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
    """Squared distances in feature space of steps of the latent, over the squared step.

    Each step is from t to t + epsilon on the way between two latents, t uniform in [0, 1). Pairs
    keep their class.

    Args:
      sampler: The generator, with `features`.
      num_samples: How many.
      epsilon: Size of the step.
      interpolation: `slerp` or `lerp`.
      batch_size: Pairs in one forward of generator and extractor.

    Returns:
      float64 [num_samples].

    Raises:
      UserError: A feature is not finite.
    """
    import tensorflow as tf

    between = {"slerp": slerp, "lerp": lerp}[interpolation]
    z0, z1 = sampler.latents(num_samples, _STARTS), sampler.latents(num_samples, _ENDS)
    t = np.random.default_rng(sampler.seed % 2**32).uniform(size=num_samples)
    pair = np.stack([between(z0, z1, t), between(z0, z1, t + epsilon)]).astype(np.float32)
    labels = sampler.labels(num_samples)
    size = min(batch_size, num_samples)

    @tf.function(autograph=False)
    def squared_distances(z, y):
        # Both ends in one batch, so that the same operations round them.
        y = None if y is None else tf.concat([y, y], axis=0)
        features = sampler.features(sampler(tf.concat(tf.unstack(z), axis=0), y))
        start, end = tf.split(tf.cast(features, tf.float64), 2)
        return tf.reduce_sum(tf.square(end - start), axis=1)

    distances = []
    for first in range(0, num_samples, size):
        rows = np.arange(first, first + size) % num_samples  # The last batch begins again.
        y = None if labels is None else tf.constant(labels[rows])
        distances.append(squared_distances(tf.constant(pair[:, rows]), y).numpy())
    distances = np.concatenate(distances)[:num_samples] / epsilon**2
    if not np.isfinite(distances).all():
        raise UserError("The features along a path are not all finite, so it has no length.")
    return distances


def trimmed_mean(distances) -> float:
    """The mean of what is between the 1st and the 99th percentile, both included."""
    distances = np.asarray(distances, float)
    low = np.percentile(distances, _PERCENTILES[0], method="lower")
    high = np.percentile(distances, _PERCENTILES[1], method="higher")
    return float(distances[(low <= distances) & (distances <= high)].mean())


@registry.register("metric", "ppl", paper="https://arxiv.org/abs/1812.04948")
class PerceptualPathLength(Metric):
    """Mean squared speed of features along ways between latents; lower means smoother.

    As in the papers on StyleGAN (in Z, whole paths, ends of the distribution trimmed), but of the
    extractor's features, by their squared Euclidean distance: not of LPIPS with VGG, and so not
    comparable with values published for that.

    Args:
      num_samples: How many steps are measured.
      epsilon: Size of a step, of a way of 1.
      interpolation: `slerp` (along arcs) or `lerp` (along lines); None = lines for latents of
        bounded range, which arcs would leave, else arcs.
      batch_size: Steps in one forward of generator and extractor.
    """

    name = "ppl"
    needs = frozenset({"generator", "features"})

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

    def statistics(self, num_images):
        return None

    def value(self, generator):
        bounded = generator.marginal is not None and np.isfinite(generator.marginal.support()).all()
        distances = path_distances(
            generator,
            num_samples=self.num_samples,
            epsilon=self.epsilon,
            interpolation=self.interpolation or ("lerp" if bounded else "slerp"),
            batch_size=self.batch_size,
        )
        return {"": trimmed_mean(distances)}

    def inapplicable(self, extractor, class_names):
        if not extractor.takes_floats:
            return f"'{extractor.name}' takes only images that are rounded to bytes"
        return super().inapplicable(extractor, class_names)

    def options(self):
        return {
            "num_samples": self.num_samples,
            "epsilon": self.epsilon,
            "interpolation": self.interpolation or "auto",
        }
