"""Types that signatures share."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias

# A tensor of the current Keras backend, or a value that Keras converts to one: a NumPy array, a
# variable, a symbolic tensor. No static type covers TensorFlow, JAX and PyTorch; docstrings give
# shape, dtype and range.
Tensor: TypeAlias = Any

# Shape of a tensor; an unknown size, such as that of the batch, is None.
TensorShape: TypeAlias = tuple[Any, ...]

# Direction in which a score improves; None if neither lower nor higher values are better as such.
Direction: TypeAlias = Literal["lower", "higher"] | None


class NoiseSource(Protocol):
    """A source of random numbers: every call returns new ones, which follow from a batch's seed."""

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Draws in [0, 1), float32 of a static shape, batch first."""

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal draws, float32 of a static shape, batch first."""
