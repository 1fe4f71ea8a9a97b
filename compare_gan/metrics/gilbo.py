"""GILBO: a lower bound on the information that an image holds about its latent."""

import itertools
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy  # It imports its parts when they are first used.
from keras import ops

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.metrics.base import GeneratorSampler, Metric
from compare_gan.types import Tensor

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
    """Generative information lower bound: E[log e(z | G(z)) - log p(z)], in nats.

    A lower bound on the mutual information between latent and image (given the class, if there are
    classes); it becomes tighter the longer the encoder e is trained. The encoder's distribution has
    independent coordinates: Beta distributions over the range of z if that is bounded (uniform
    latents, as in the paper, and truncated ones), else normal distributions. Training images are
    drawn as needed; the bound is estimated on other images.

    Paper: https://arxiv.org/abs/1802.04874.

    Args:
      sampler: Generator and distribution of its latents.
      steps: Number of updates of the encoder.
      batch_size: Images in each update.
      learning_rate: Initial learning rate, which decays to 0 along a cosine.
      num_samples: Images on which the bound is estimated.
      width: Width of the encoder, see `networks.build_cnn`.
      seed: Seed of the encoder's initial weights.

    Returns:
      The bound, about 0 for a generator that ignores z. It may be slightly negative.

    Raises:
      UserError: The density of the latents is not known, or training diverges.

    Example:
      >>> from keras import ops
      >>> from compare_gan.metrics import gilbo
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):  # Ignores the latent: there is no information.
      ...     z, _ = inputs
      ...     return ops.zeros((ops.shape(z)[0], 4, 4, 1))
      >>> sampler = Sampler(network, z_dim=2, image_shape=(4, 4, 1))
      >>> bound = gilbo(sampler, steps=5, batch_size=8, num_samples=100, width=1)
      >>> abs(bound) < 0.1
      True
    """
    from compare_gan.metrics import networks

    if sampler.marginal is None:
        raise UserError(f"GILBO cannot be computed: {_NO_DENSITY}.")
    bounded = _is_bounded(sampler.marginal)
    family: _Family = _Beta(sampler.marginal) if bounded else _Normal(sampler.marginal)

    draw = backend.compiled(lambda z, y: sampler(z, y), sampler.variables)

    def batches(num: int, stream: int) -> Iterator[tuple[Any, ...]]:
        labels = sampler.labels(num)
        for i in itertools.count():
            z = sampler.latents(num, stream, i)
            images = draw(z, labels)
            yield (z, images) if labels is None else (z, images, labels)

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

    def encode(*seen: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        outputs = encoder(seen if len(seen) > 1 else seen[0], training=training)
        first, second = ops.split(outputs, 2, axis=1)
        return first, second

    def loss(z: Tensor, *seen: Tensor) -> Tensor:
        return -ops.mean(family.log_density(z, *encode(*seen, training=True)))

    networks.train(encoder, loss, training, steps, learning_rate)

    compiled_encode = backend.compiled(encode, encoder.variables)
    size = min(_EVAL_BATCH, num_samples)
    gains = []
    for z, *seen in itertools.islice(batches(size, _TEST), -(-num_samples // size)):
        a, b = (ops.convert_to_numpy(part) for part in compiled_encode(*seen))
        posterior = family.distribution(a.astype(float), b.astype(float))
        z = family.inside(z)
        gains.append((posterior.logpdf(z) - sampler.marginal.logpdf(z)).sum(axis=1))
    return float(np.concatenate(gains)[:num_samples].mean())


_NO_DENSITY = "the density of the generator's latents is not known"


def _is_bounded(marginal: Any) -> bool:
    return bool(np.isfinite(marginal.support()).all())


class _Family(Protocol):
    """A family of distributions of one coordinate of z, with two parameters."""

    def inside(self, z: npt.ArrayLike) -> np.ndarray:
        """Moves values at the ends of the support, where the density is undefined, inwards."""

    def log_density(self, z: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """Computes log densities [n, z_dim] up to a constant."""

    def distribution(self, first: np.ndarray, second: np.ndarray) -> Any:
        """Returns the frozen distribution of `scipy.stats`."""


class _Normal:
    """Normal distributions, by mean and log standard deviation in units of the latent's.

    With both parameters 0, the distribution is that of the latent.
    """

    def __init__(self, marginal: Any):
        self._scale = float(marginal.std())

    def inside(self, z: npt.ArrayLike) -> np.ndarray:
        return np.asarray(z, float)

    def log_density(self, z: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
        return -0.5 * ops.square((z / self._scale - mean) * ops.exp(-log_scale)) - log_scale

    def distribution(self, mean: np.ndarray, log_scale: np.ndarray) -> Any:
        return scipy.stats.norm(self._scale * mean, self._scale * np.exp(log_scale))


class _Beta:
    """Beta distributions over the latent's range, by logit of the mean and log of (a + b) / 2.

    With both parameters 0, the distribution is uniform.
    """

    def __init__(self, marginal: Any):
        self._low, self._high = (float(end) for end in marginal.support())

    def inside(self, z: npt.ArrayLike) -> np.ndarray:
        # Float32 rounds draws onto the ends, where the density may be 0 or infinite.
        width = self._high - self._low
        return np.clip(np.asarray(z, float), self._low + 1e-7 * width, self._high - 1e-7 * width)

    def log_density(self, z: Tensor, logit: Tensor, log_half: Tensor) -> Tensor:
        unit = ops.clip((z - self._low) / (self._high - self._low), 1e-7, 1 - 1e-7)
        half = ops.exp(log_half)
        a, b = 2 * half * ops.sigmoid(logit), 2 * half * ops.sigmoid(-logit)
        normalizer = backend.lgamma(a) + backend.lgamma(b) - backend.lgamma(a + b)
        return (a - 1) * ops.log(unit) + (b - 1) * ops.log1p(-unit) - normalizer

    def distribution(self, logit: np.ndarray, log_half: np.ndarray) -> Any:
        half = np.exp(log_half)
        a, b = 2 * half / (1 + np.exp(-logit)), 2 * half / (1 + np.exp(logit))
        return scipy.stats.beta(a, b, loc=self._low, scale=self._high - self._low)


@registry.register("metric", "gilbo", paper="https://arxiv.org/abs/1802.04874")
class Gilbo(Metric):
    """Lower bound on the information that images hold about the latent, in nats; see `gilbo`.

    It measures how much of the latent the generator uses; neither more nor less is better.

    Args:
      steps: Number of updates of the encoder.
      batch_size: Images in each update.
      learning_rate: Initial learning rate, which decays to 0 along a cosine.
      num_samples: Images on which the bound is estimated.
      width: Channels of the encoder's first convolution.
      seed: Seed of the encoder's initial weights.

    Example:
      >>> from keras import ops
      >>> from compare_gan.metrics import Gilbo
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):  # Ignores the latent: there is no information.
      ...     z, _ = inputs
      ...     return ops.zeros((ops.shape(z)[0], 4, 4, 1))
      >>> sampler = Sampler(network, z_dim=2, image_shape=(4, 4, 1))
      >>> metric = Gilbo(steps=5, batch_size=8, num_samples=100, width=1)
      >>> abs(metric.value(generator=sampler)[""]) < 0.1
      True
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
        self._options: dict[str, Any] = dict(
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            num_samples=num_samples,
            width=width,
            seed=seed,
        )

    def statistics(self, num_images: int) -> None:
        return None

    def value(self, generator: GeneratorSampler) -> dict[str, float]:
        return {"": gilbo(generator, **self._options)}

    def options(self) -> dict[str, object]:
        return dict(self._options)

    def inapplicable_to_generator(self, generator: GeneratorSampler) -> str | None:
        return _NO_DENSITY if generator.marginal is None else None
