"""`Sampler`: a generator with all that is needed to draw images from it."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.datasets.latents import UNIFORM, LatentDistribution
from compare_gan.layers.moving_statistics import moving_statistics
from compare_gan.layers.standing_statistics import uses_standing_statistics
from compare_gan.sampling import batch_statistics
from compare_gan.sampling.batch_statistics import StandingStatistics
from compare_gan.sampling.batches import batches_in_turn
from compare_gan.sampling.classes import class_labels, labels_as_counted, labels_in_turn
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.held_out import HeldOutImages
from compare_gan.sampling.refinements.base import Judge, Refinement
from compare_gan.types import Tensor

BATCH_SIZE = 64
# The second half of a seed, which keeps the draws of evaluation apart from those of training.
_EVALUATION = 0x65766C


@dataclasses.dataclass(frozen=True, eq=False)
class Sampler:
    """A generator, the distribution of its latents, and its classes: all that images come from.

    `dataclasses.replace` makes a Sampler of the same network with another truncation or seed.

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):
      ...     z, y = inputs
      ...     return z[:, None, None, :] ** 2  # One pixel of three channels.
      >>> sampler = Sampler(network, z_dim=3, image_shape=(1, 1, 3))
      >>> images, labels = sampler.sample(5, seed=1)
      >>> images.shape, images.dtype, labels
      ((5, 1, 1, 3), dtype('uint8'), None)

    Attributes:
      network: Called as `network((z, y), training=False)`; returns images in [0, 1], and may leave
        this range.
      z_dim: Dimension of the latent.
      image_shape: Shape of an image, (H, W, C).
      num_classes: Number of classes of the generator; None for an unconditional one.
      class_names: Names of the classes; None if they have none.
      class_counts: Sizes of the classes whose frequencies labels have where none are given; None =
        all classes in turn.
      distribution: Distribution of the latents.
      truncation: Truncation in (0, 1]: of the styles if `call` of the network has a parameter
        `truncation`, as that of StyleGAN2 has, otherwise of the latents; see
        `LatentDistribution.draw`.
      standing_statistics: Options of the batch-norm moments.
      features: Function from float images [n, H, W, C] in [0, 1] to an extractor's features float32
        [n, f], for metrics; None if there is no extractor that takes such images.
      seed: Seed of the set of images that is being scored; metrics that draw derive theirs from it.
      logits: Function from images [n, H, W, C] in [0, 1] and one-hot labels (None for an
        unconditional GAN) to logits of the discriminator [n, 1], in inference mode; None if there
        is none.
      refinement: The choice of latents by these logits; None = latents as they are drawn.
      held_out: Real images that the discriminator was not trained on, for refinements that
        calibrate it; None if there are none at hand.
    """

    network: Any
    z_dim: int
    image_shape: tuple[int, int, int]
    _: dataclasses.KW_ONLY
    num_classes: int | None = None
    class_names: Sequence[str] | None = None
    class_counts: Sequence[int] | None = None
    distribution: LatentDistribution = UNIFORM
    truncation: float = 1.0
    standing_statistics: StandingStatistics = batch_statistics.DEFAULTS
    features: Callable[[Any], Any] | None = None
    seed: int = 0
    logits: Callable[[Any, Any], Any] | None = None
    refinement: Refinement | None = None
    held_out: HeldOutImages | None = None

    # Whole sets of images.

    def sample(
        self, num: int, seed: int = 0, labels: Any = None, *, batch_size: int = BATCH_SIZE
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draws images, after `prepare`.

        Args:
          num: Number of images.
          seed: Seed of the latents.
          labels: Classes to draw: numbers or names [num], or one for all images; if None, those of
            `draw_labels`.
          batch_size: Images in one forward pass.

        Returns:
          uint8 images [num, H, W, C], and int labels [num] (None for an unconditional generator).

        Raises:
          UserError: The generator has no such class, or the number of labels is not `num`.
          DivergenceError: An image is not finite.
        """
        labels = class_labels(self, labels, num)
        self.prepare()
        z = self.draw_latents(num, seed, labels)
        return self.generate(z, labels, batch_size=batch_size), labels

    def generate(self, z: Any, labels: Any = None, *, batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Generates images from latents and labels.

        Standing statistics are used as they are, and accumulated if there are none yet.

        Args:
          z: float [n, z_dim].
          labels: int [n]; None for an unconditional generator.
          batch_size: Images in one forward pass.

        Returns:
          uint8 [n, H, W, C], rounded to the nearest level.

        Raises:
          DivergenceError: An image is not finite.
        """
        return np.concatenate(list(self.generate_batches(z, labels, min(batch_size, len(z)))))

    def generate_batches(
        self, z: Any, labels: Any, batch_size: int, devices: Sequence[Any] = (None,)
    ) -> Iterator[np.ndarray]:
        """As `generate`, but yields uint8 [<= batch_size, H, W, C] one after the other.

        The devices take turns. While one batch is fetched from a device, the next is computed: one
        more batch than there are devices is held at a time.

        Args:
          z: float [n, z_dim].
          labels: int [n]; None for an unconditional generator.
          batch_size: Images in one forward pass, on one device.
          devices: The devices, see `backend.on_device`.
        """
        z, labels = np.asarray(z, np.float32), None if labels is None else np.asarray(labels)
        if self._standing_statistics_are_empty():
            batch_statistics.accumulate(self, self._compiled)
        yield from batches_in_turn(self._compiled, z, labels, batch_size, devices)

    def prepare(self) -> str:
        """Accumulates standing statistics; needed again when the weights have changed.

        Does nothing to generators without standing statistics, or if theirs are to be kept.

        Returns:
          What the generator normalizes with, in words, for provenance.
        """
        options = self.standing_statistics
        if not self._uses_standing_statistics():
            return "moving averages"
        if options.keep and not self._standing_statistics_are_empty():
            return "standing statistics as they were imported"
        batch_statistics.accumulate(self, self._compiled)
        return f"standing statistics of {options.num_batches} batches of {options.batch_size}"

    def estimate_moving_statistics(self) -> list[keras.Variable]:
        """Replaces the moving statistics by those of the weights that the network has now.

        Training has averaged the moments of batch norms and StyleGAN2's style over its last steps;
        weights of other steps, or averages of many, need their own. The options are those of
        standing statistics.

        Returns:
          The variables that have changed; see `layers.moving_statistics`.
        """
        if not isinstance(self.network, keras.Model):
            return []
        found = moving_statistics(self.network)
        if found:
            batch_statistics.estimate(self, self._compiled_to_estimate)
        return found

    # Single draws.

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables that images and their features depend on, for `backend.compiled`."""
        extractor = getattr(self.features, "__self__", None)
        return [*self._network_variables(), *getattr(extractor, "variables", ())]

    def __call__(self, z: Any, y: Any = None) -> Tensor:
        """Generates images that can be differentiated: those of the network, not clipped.

        Also inside a compiled function. Standing statistics are used as they are, see `prepare`.

        Args:
          z: float32 [n, z_dim].
          y: float32 [n, num_classes], one-hot; None for an unconditional generator.

        Returns:
          float32 [n, H, W, C] in [0, 1], unless the network leaves this range.
        """
        options = {"truncation": self.truncation} if self.truncates_styles else {}
        return ops.cast(self.network((z, y), training=False, **options), "float32")

    def draw_z(self, num: int, seed: int) -> np.ndarray:
        """Draws latents, float32 [num, z_dim]; equal seeds give equal latents.

        Raises:
          UserError: The distribution cannot be truncated as `truncation` says.
        """
        z = self.distribution.draw([num, self.z_dim], [seed, _EVALUATION], self.latent_truncation)
        return np.asarray(z, np.float32)

    def draw_latents(
        self,
        num: int,
        seed: int,
        labels: np.ndarray | None = None,
        rows: np.ndarray | Sequence[int] | None = None,
    ) -> np.ndarray:
        """The latents of samples: those of `draw_z`, or others that `refinement` chooses.

        Args:
          num: Number of samples in the sequence.
          seed: Seed of the sequence.
          labels: Classes of the samples, int [n]; None for an unconditional generator.
          rows: Numbers of the samples, [n]; None = all.

        Returns:
          float32 [n, z_dim].

        Raises:
          UserError: There is a refinement but no discriminator; or see `draw_z`.
        """
        chosen = np.arange(num) if rows is None else np.asarray(rows)
        if self.refinement is None:
            return self.draw_z(num, seed)[chosen]
        return self.refinement.refine(self._judge, Draws(self, seed, num, chosen), labels)

    def latents(self, num: int, *stream: int) -> np.ndarray:
        """Draws latents for a metric, float32 [num, z_dim]; different streams are independent.

        Args:
          num: Number of latents.
          *stream: Integers from 0 that name the stream.
        """
        sequence = np.random.SeedSequence(self.seed % 2**32, spawn_key=stream)
        return self.draw_z(num, int(sequence.generate_state(1)[0] >> 1))

    def draw_labels(self, num: int) -> np.ndarray | None:
        """Labels int32 [num], in turn or with the frequencies of `class_counts`; None without."""
        if self.num_classes is None or self.class_counts is None:
            return labels_in_turn(num, self.num_classes)
        return labels_as_counted(num, self.class_counts)

    def labels(self, num: int) -> np.ndarray | None:
        """The labels of `draw_labels`, one-hot float32 [num, num_classes]; None without classes."""
        labels = self.draw_labels(num)
        if self.num_classes is None or labels is None:
            return None
        return np.eye(self.num_classes, dtype=np.float32)[labels]

    @property
    def marginal(self) -> Any:
        """Distribution of each coordinate of a latent; see `LatentDistribution.marginal`."""
        return self.distribution.marginal(self.latent_truncation)

    @property
    def truncates_styles(self) -> bool:
        """Whether truncation is that of the network's styles, not of latents."""
        call = getattr(self.network, "call", self.network)
        try:
            return "truncation" in inspect.signature(call).parameters
        except (TypeError, ValueError):  # It is no function, or one that does not say.
            return False

    @property
    def latent_truncation(self) -> float:
        return 1.0 if self.truncates_styles else self.truncation

    # Inside.

    @functools.cached_property
    def _compiled(self) -> Callable[..., tuple[Tensor, Tensor]]:
        return backend.compiled(self._generate, self._network_variables())

    @functools.cached_property
    def _compiled_to_estimate(self) -> Callable[..., tuple[Tensor, Tensor]]:
        return backend.compiled(self._generate, self._network_variables())

    def _generate(self, z: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor]:
        """The uint8 images of latents and int labels, and whether each of them is finite."""
        y = None if labels is None else ops.one_hot(labels, self.num_classes, dtype="float32")
        images = self(z, y)
        finite = ops.all(ops.isfinite(images), axis=(1, 2, 3))
        images = ops.round(ops.clip(images, 0.0, 1.0) * 255.0)
        return ops.cast(images, "uint8"), finite

    @functools.cached_property
    def _judge(self) -> Judge:
        return Judge(self)

    def _network_variables(self) -> list[keras.Variable]:
        network = self.network
        if isinstance(network, keras.Model) and not network.built:  # It has none yet.
            y = None if self.num_classes is None else keras.Input((self.num_classes,))
            network((keras.Input((self.z_dim,)), y), training=False)
        return list(getattr(network, "variables", ()))

    def _uses_standing_statistics(self) -> bool:
        # Any function can be a network, but only Keras models have such layers.
        return isinstance(self.network, keras.Model) and uses_standing_statistics(self.network)

    def _standing_statistics_are_empty(self) -> bool:
        variables = getattr(self.network, "variables", ())
        counters = [v for v in variables if v.path.endswith("/accu_counter")]
        return bool(counters) and max(float(v.numpy()) for v in counters) < 1
