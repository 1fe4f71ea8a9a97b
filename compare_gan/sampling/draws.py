"""Random numbers of samples, for refinements of their latents."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from compare_gan.sampling.sampler import Sampler

_LATENTS, _NUMBERS = 0, 1  # Streams.


@dataclasses.dataclass(frozen=True, eq=False)
class Draws:
    """Random numbers of some samples of a sequence, in any number of rounds.

    Those of a sample depend on the seed, its number and the round, not on the other samples.

    Attributes:
      sampler: The sampler whose latents they are.
      seed: Seed of the sequence, as for `Sampler.draw_z`.
      count: Length of the sequence.
      rows: Numbers of the samples, [n].

    Example:
      >>> from compare_gan.sampling import Draws, Sampler
      >>> sampler = Sampler(None, z_dim=2, image_shape=(8, 8, 1))
      >>> draws, longer = Draws(sampler, 0, 3, [2]), Draws(sampler, 0, 9, [0, 2])
      >>> bool((draws.normal(5)[0] == longer.normal(5)[1]).all())
      True
    """

    sampler: "Sampler"
    seed: int
    count: int
    rows: np.ndarray | list[int]

    def latents(self, number: int) -> np.ndarray:
        """Latents float32 [n, z_dim]; those of round 0 are those of `Sampler.draw_z`."""
        seed = self.seed if number == 0 else int(self._sequence(_LATENTS, number)[0] >> 1)
        return self.sampler.draw_z(self.count, seed)[self.rows]

    def normal(self, number: int) -> np.ndarray:
        """Standard normal numbers of a round, float32 [n, z_dim]."""
        shape = self.count, self.sampler.z_dim
        return self._generator(number).standard_normal(shape, np.float32)[self.rows]

    def uniform(self, number: int) -> np.ndarray:
        """Uniform numbers in [0, 1) of a round, float64 [n]."""
        return self._generator(number).random(self.count)[self.rows]

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng(self._sequence(_NUMBERS, number))

    def _sequence(self, stream: int, number: int) -> np.ndarray:
        seeds = np.random.SeedSequence(self.seed % 2**32, spawn_key=(stream, number))
        return seeds.generate_state(4)
