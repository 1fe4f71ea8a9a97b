"""The interface of refinements, and the discriminator's judgement of latents."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.datasets.latents import LatentDistribution
from compare_gan.errors import UserError
from compare_gan.sampling.draws import Draws
from compare_gan.sampling.held_out import HeldOutImages
from compare_gan.types import Tensor

if TYPE_CHECKING:
    from compare_gan.sampling.sampler import Sampler

_BATCH_SIZE = 64


class Refinement:
    """A way to choose latents by the discriminator: some of many, or others than those drawn.

    A subclass sets `name`, is a dataclass of its options, and defines `refine`. The latent of a
    sample must depend on its own draws and its label alone.

    Attributes:
      name: Name in messages and provenance.
      needs_held_out: Whether it needs real images that the discriminator was not trained on.

    Example:
      >>> import dataclasses
      >>> import numpy as np
      >>> from compare_gan.sampling import Draws, Sampler
      >>> from compare_gan.sampling.refinements import Refinement
      >>> @dataclasses.dataclass(frozen=True)
      ... class BetterOfTwo(Refinement):
      ...     name = "better_of_two"
      ...     def refine(self, judge, draws, labels):
      ...         first, second = draws.latents(0), draws.latents(1)
      ...         better = judge.logits(first, labels) > judge.logits(second, labels)
      ...         return np.where(better[:, None], first, second)
      >>> sampler = Sampler(
      ...     lambda inputs, training: inputs[0][:, :, None, None],
      ...     z_dim=1,
      ...     image_shape=(1, 1, 1),
      ...     logits=lambda x, y: x[:, 0, 0],
      ... )
      >>> refined = dataclasses.replace(sampler, refinement=BetterOfTwo())
      >>> bool((refined.draw_latents(9, seed=0) >= sampler.draw_latents(9, seed=0)).all())
      True
    """

    name: str

    @property
    def needs_held_out(self) -> bool:
        return False

    def check(self, held_out: HeldOutImages | None) -> None:
        """Raises UserError if latents cannot be refined, before any work.

        Args:
          held_out: See `Sampler.held_out`.
        """

    def refine(self, judge: "Judge", draws: Draws, labels: np.ndarray | None) -> np.ndarray:
        """The latents of samples.

        Args:
          judge: The discriminator's judgement of latents.
          draws: Random numbers of the samples.
          labels: Their classes, int [n]; None for an unconditional generator.

        Returns:
          float32 [n, z_dim].
        """
        raise NotImplementedError

    def describe(self) -> str:
        """The refinement and its options in words, for provenance."""
        names = [each.name for each in dataclasses.fields(self)]  # type: ignore[arg-type]
        options = ", ".join(f"{name}={getattr(self, name)}" for name in names)
        return f"{self.name}({options})"


def describe_latents(distribution: LatentDistribution, refinement: Refinement | None) -> str:
    """The distribution of latents and their refinement in words, for provenance.

    Example:
      >>> from compare_gan.datasets import EvaluationLatents
      >>> from compare_gan.sampling.refinements import MetropolisHastings, describe_latents
      >>> describe_latents(EvaluationLatents(), MetropolisHastings(steps=5))
      'uniform(minval=-1.0, maxval=1.0), metropolis_hastings(steps=5, slope=calibrated)'
    """
    latents = distribution.describe()
    return latents if refinement is None else f"{latents}, {refinement.describe()}"


class Judge:
    """The discriminator's logits of the images of latents, and their gradients.

    Args:
      sampler: Sampler with `logits`, prepared.

    Raises:
      UserError: The sampler has no discriminator.
    """

    def __init__(self, sampler: "Sampler"):
        if sampler.logits is None:
            raise UserError(
                "Latents are refined by the discriminator: this sampler has none (Sampler.logits)."
            )
        self.sampler = sampler
        self._judged = sampler.logits
        owner = getattr(sampler.logits, "__self__", sampler.logits)
        variables = [*sampler.variables, *getattr(owner, "variables", ())]
        self._logits = backend.compiled(self._logits_of, variables)
        self._slopes = backend.compiled(self._slopes_of, variables)
        self._logits_of_images = backend.compiled(self._images_judged, variables)

    def logits(self, z: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """The logits of the images, float64 [n].

        Args:
          z: float [n, z_dim].
          labels: int [n]; None for an unconditional generator.
        """
        return self._in_batches(self._logits, z, labels).astype(np.float64)

    def slopes(self, z: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """The gradients of the logits with respect to the latents, float32 [n, z_dim]."""
        return self._in_batches(self._slopes, z, labels)

    def held_out_logits(self, count: int) -> np.ndarray:
        """The logits of real images that were not trained on, float64 [<= count].

        Args:
          count: Number of images.
        """
        parts: list[np.ndarray] = []
        held_out = self.sampler.held_out
        for images, labels in () if held_out is None else held_out.batches(count, _BATCH_SIZE):
            # The last batch is filled up by repeating: each size is compiled anew.
            rows = np.arange(_BATCH_SIZE) % len(images)
            y = None if labels is None else labels[rows].astype(np.int32)
            logits = self._logits_of_images(images[rows], y)
            parts.append(ops.convert_to_numpy(logits)[: len(images)])
        return np.concatenate([np.zeros(0), *parts])

    def _in_batches(
        self, function: Callable[..., Tensor], z: np.ndarray, labels: np.ndarray | None
    ) -> np.ndarray:
        parts = []
        for rows, count in _batches(len(z)):
            y = None if labels is None else labels[rows].astype(np.int32)
            parts.append(ops.convert_to_numpy(function(z[rows].astype(np.float32), y))[:count])
        return np.concatenate(parts)

    def _logits_of(self, z: Tensor, labels: Tensor | None) -> Tensor:
        y = self._one_hot(labels)
        # Layers with spectral norm may assign variables, in a GAN's heads.
        judge = backend.without_assignments(lambda z: self._judged(self.sampler(z, y), y))
        return _as_vector(judge(z))

    def _images_judged(self, images: Tensor, labels: Tensor | None) -> Tensor:
        y = self._one_hot(labels)
        return _as_vector(backend.without_assignments(lambda x: self._judged(x, y))(images))

    def _one_hot(self, labels: Tensor | None) -> Tensor | None:
        if labels is None:
            return None
        return ops.one_hot(labels, self.sampler.num_classes, dtype="float32")

    def _slopes_of(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return backend.gradient(lambda each: self._logits_of(each, labels), z)


def _as_vector(logits: Tensor) -> Tensor:
    return ops.reshape(ops.cast(logits, "float32"), (-1,))


def _batches(count: int) -> Iterator[tuple[np.ndarray, int]]:
    """Rows of batches of one size, the last filled up by repeating, and how many of them count.

    Fewer samples than a batch fill up a power of 2: each size is compiled anew.
    """
    size = min(_BATCH_SIZE, 1 << (count - 1).bit_length())
    for start in range(0, count, size):
        yield np.arange(start, start + size) % count, min(size, count - start)
