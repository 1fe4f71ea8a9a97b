"""GILBO: how much an encoder can tell of the latent from the image."""

import itertools

import numpy as np
import scipy.stats

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.metrics.base import GeneratorSampler, Metric

_TRAINING, _TEST = 0, 1  # Streams of latents.
_EVAL_BATCH = 256


def gilbo(
    sampler: GeneratorSampler,
    *,
    steps: int = 2000,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    num_samples: int = 10_000,
    width: int = 16,
    seed: int = 0,
) -> float:
    """The generative information lower bound: E[log e(z | G(z)) - log p(z)] in nats.

    A bound from below on the mutual information of latent and image (given the class, if there are
    classes), the tighter the longer the encoder e is trained. Its coordinates are independent:
    Beta distributions over the range of z where that is bounded (uniform latents, as in the paper,
    and truncated ones), else normal ones. It is trained on images drawn as needed; the bound is
    that on others.

    Paper: https://arxiv.org/abs/1802.04874.

    Args:
      sampler: The generator.
      steps: Updates of the encoder.
      batch_size: Images in each.
      learning_rate: Of the first.
      num_samples: Images that the bound is estimated on.
      width: Of the encoder, see `networks.build_cnn`.
      seed: Of its first weights.

    Returns:
      The bound, 0 for a generator that ignores z; rounding and the estimate can make it less.

    Raises:
      UserError: The density of the latents is not known, or training diverges.
    """
    import tensorflow as tf

    from compare_gan.metrics import networks

    if sampler.marginal is None:
        raise UserError(f"GILBO cannot be computed: {_NO_DENSITY}.")
    family = _Beta(sampler.marginal) if _bounded(sampler.marginal) else _Normal(sampler.marginal)

    @tf.function(autograph=False)
    def draw(z, y):
        return sampler(z, y)

    def batches(num, stream):
        labels = sampler.labels(num)
        y = None if labels is None else tf.constant(labels)
        for i in itertools.count():
            z = sampler.latents(num, stream, i)
            images = draw(tf.constant(z), y)
            yield (z, images) if y is None else (z, images, y)

    training = batches(batch_size, _TRAINING)
    image_shape = next(training)[1].shape[1:]
    encoder = networks.build_cnn(
        image_shape,
        2 * sampler.z_dim,
        width=width,
        seed=seed,
        num_classes=sampler.num_classes,
        norm=False,
    )

    def encode(*seen, training):
        outputs = encoder(seen if len(seen) > 1 else seen[0], training=training)
        return tf.split(outputs, 2, axis=1)

    def loss(z, *seen):
        return -tf.reduce_mean(family.log_density(z, *encode(*seen, training=True)))

    networks.train(encoder, loss, training, steps, learning_rate)

    encode = tf.function(encode, autograph=False)
    size = min(_EVAL_BATCH, num_samples)
    gains = []
    for z, *seen in itertools.islice(batches(size, _TEST), -(-num_samples // size)):
        a, b = (part.numpy() for part in encode(*seen, training=False))
        posterior = family.distribution(a.astype(float), b.astype(float))
        z = family.inside(z)
        gains.append((posterior.logpdf(z) - sampler.marginal.logpdf(z)).sum(axis=1))
    return float(np.concatenate(gains)[:num_samples].mean())


_NO_DENSITY = "the density of the generator's latents is not known"


def _bounded(marginal) -> bool:
    return bool(np.isfinite(marginal.support()).all())


class _Normal:
    """Normal distributions by mean and log of the deviation, in units of the latent's deviation.

    Both 0 are the latent's own distribution.
    """

    def __init__(self, marginal):
        self._scale = float(marginal.std())

    def inside(self, z):
        return np.asarray(z, float)

    def log_density(self, z, mean, log_scale):
        """Up to a constant: [n, z_dim]."""
        import tensorflow as tf

        return -0.5 * tf.square((z / self._scale - mean) * tf.exp(-log_scale)) - log_scale

    def distribution(self, mean, log_scale):
        return scipy.stats.norm(self._scale * mean, self._scale * np.exp(log_scale))


class _Beta:
    """Beta distributions over the latent's range, by logit of the mean and log of (a + b) / 2.

    Both 0 are the uniform distribution.
    """

    def __init__(self, marginal):
        self._low, self._high = (float(end) for end in marginal.support())

    def inside(self, z):
        # Float32 rounds draws onto the ends, where a density may be 0 or infinite.
        width = self._high - self._low
        return np.clip(np.asarray(z, float), self._low + 1e-7 * width, self._high - 1e-7 * width)

    def log_density(self, z, logit, log_half):
        """Up to a constant: [n, z_dim]."""
        import tensorflow as tf

        unit = tf.clip_by_value((z - self._low) / (self._high - self._low), 1e-7, 1 - 1e-7)
        half = tf.exp(log_half)
        a, b = 2 * half * tf.sigmoid(logit), 2 * half * tf.sigmoid(-logit)
        normalizer = tf.math.lgamma(a) + tf.math.lgamma(b) - tf.math.lgamma(a + b)
        return (a - 1) * tf.math.log(unit) + (b - 1) * tf.math.log1p(-unit) - normalizer

    def distribution(self, logit, log_half):
        half = np.exp(log_half)
        a, b = 2 * half / (1 + np.exp(-logit)), 2 * half / (1 + np.exp(logit))
        return scipy.stats.beta(a, b, loc=self._low, scale=self._high - self._low)


@registry.register("metric", "gilbo", paper="https://arxiv.org/abs/1802.04874")
class Gilbo(Metric):
    """Lower bound on the information that images hold about the latent, in nats; see `gilbo`.

    Neither more nor less is better: it tells how much of the latent the generator makes use of.

    Args:
      steps: Updates of the encoder.
      batch_size: Images in each.
      learning_rate: Of the first.
      num_samples: Images that the bound is estimated on.
      width: Channels of the encoder's first convolution.
      seed: Of its first weights.
    """

    name = "gilbo"
    needs = frozenset({"generator"})

    def __init__(
        self,
        steps: int = 2000,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        num_samples: int = 10_000,
        width: int = 16,
        seed: int = 0,
    ):
        for name in ("steps", "batch_size", "num_samples", "width"):
            check_positive_integer(f"gilbo.{name}", locals()[name])
        check_range("gilbo.learning_rate", learning_rate)
        self._options = dict(
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            num_samples=num_samples,
            width=width,
            seed=seed,
        )

    def statistics(self, num_images):
        return None

    def value(self, generator):
        return {"": gilbo(generator, **self._options)}

    def options(self):
        return dict(self._options)

    def inapplicable_to_generator(self, generator):
        return _NO_DENSITY if generator.marginal is None else None
