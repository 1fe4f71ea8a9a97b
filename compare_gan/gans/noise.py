"""Random draws of a step, all of which follow from the seed of its batch."""

import itertools
from collections.abc import Sequence

from keras import ops

from compare_gan import backend
from compare_gan.types import NoiseSource, Tensor


class Noise:
    """Uniform and normal draws: each call returns new ones, equal sources return equal ones.

    The draws are equal on any number of replicas.

    Args:
      seed: Seed of the batch, int32 [2].
      stream: Number that separates sources of one batch.
    """

    def __init__(self, seed: Tensor, stream: int = 0):
        self._seed = seed
        self._stream = stream
        self._calls = itertools.count()

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Draws in [0, 1), float32 of a static shape, batch first."""
        return backend.batch_uniform(tuple(shape), self._next_seed())

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal draws, float32 of a static shape, batch first."""
        return backend.batch_normal(tuple(shape), self._next_seed())

    def _next_seed(self) -> Tensor:
        return ops.add(self._seed, [self._stream, next(self._calls)])


class JoinedNoise:
    """Draws for examples of several batches in one tensor, for each batch from its own source.

    Args:
      sources: One source for each batch, all of which have the same size.
    """

    def __init__(self, sources: Sequence[NoiseSource]):
        self._sources = sources

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Draws in [0, 1), float32 of a static shape, batches first, one after the other."""
        return ops.concatenate([each.uniform(self._own(shape)) for each in self._sources])

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal draws, float32 of a static shape, batches first."""
        return ops.concatenate([each.normal(self._own(shape)) for each in self._sources])

    def _own(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (shape[0] // len(self._sources), *shape[1:])
