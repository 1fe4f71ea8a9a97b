"""Random numbers of samples, for refinements of their latents."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from compare_gan.sampling.sampler import Sampler

_LATENTS, _NUMBERS = 0, 1  # Streams.
# Samples that are drawn together: few calls for many samples, and few numbers for a single one.
_BLOCK = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Draws:
    """Random numbers of some samples of a sequence, in any number of rounds.

    Those of a sample depend on the seed, its number and the round, not on the other samples. Only
    the latents of round 0 are drawn for the whole sequence, those of other rounds for `rows`.

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

    def of(self, places: np.ndarray) -> "Draws":
        """The draws of some of these samples, by their places in `rows`."""
        return dataclasses.replace(self, rows=np.asarray(self.rows)[places])

    def latents(self, number: int) -> np.ndarray:
        """Latents of a round, float32 [n, z_dim]; in round 0 those of `Sampler.draw_z`."""
        sampler = self.sampler
        if number == 0:
            return sampler.draw_z(self.count, self.seed)[self.rows]

        def draw(seeds: np.ndarray) -> np.ndarray:
            shape, seed = [_BLOCK, sampler.z_dim], (seeds[:2] >> 1).tolist()
            z = sampler.distribution.draw(shape, seed, sampler.latent_truncation)
            return np.asarray(z, np.float32)

        return self._drawn(draw, _LATENTS, number)

    def normal(self, number: int) -> np.ndarray:
        """Standard normal numbers of a round, float32 [n, z_dim]."""
        shape = _BLOCK, self.sampler.z_dim

        def draw(seeds: np.ndarray) -> np.ndarray:
            return np.random.default_rng(seeds).standard_normal(shape, np.float32)

        return self._drawn(draw, _NUMBERS, number)

    def uniform(self, number: int) -> np.ndarray:
        """Uniform numbers in [0, 1) of a round, float64 [n]."""

        def draw(seeds: np.ndarray) -> np.ndarray:
            return np.random.default_rng(seeds).random(_BLOCK)

        return self._drawn(draw, _NUMBERS, number)

    def _drawn(
        self, draw: Callable[[np.ndarray], np.ndarray], stream: int, number: int
    ) -> np.ndarray:
        """The rows of blocks, each drawn with the seeds of its stream, round and place."""
        block_of_row, row_of_block = np.divmod(np.asarray(self.rows), _BLOCK)
        blocks, places = np.unique(block_of_row, return_inverse=True)
        drawn = [
            draw(
                np.random.SeedSequence(
                    self.seed % 2**32, spawn_key=(stream, number, int(block))
                ).generate_state(4)
            )
            for block in blocks
        ]
        return np.stack(drawn)[places, row_of_block]
