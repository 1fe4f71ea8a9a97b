"""InfoGAN's codes: the part of a latent that the images should reveal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import gin
import numpy as np
from keras import ops

from compare_gan.datasets.latents import LatentDistribution, in_tensorflow, uniform
from compare_gan.datasets.lazy import tf
from compare_gan.errors import UserError
from compare_gan.types import Tensor


@gin.configurable("info_codes")
@dataclasses.dataclass(frozen=True)
class InfoCodes:
    """Codes in the last coordinates of a latent, and the distribution of latents that have them.

    A latent is noise, then a group of K coordinates for each categorical code with K values, then
    one coordinate for each continuous code (InfoGAN, Chen et al., 2016). As a distribution
    (`z.distribution_fn = @info_codes()`) it draws latents in which each group is one-hot. In other
    latents the value of a categorical code is the position of the largest coordinate of its group:
    where coordinates are independent and equally distributed, all values are equally frequent.

    Paper: https://arxiv.org/abs/1606.03657; the defaults are its codes for MNIST.

    Attributes:
      categories: Number of values of each categorical code, at least 2.
      continuous: Number of continuous codes.
      latents: Distribution of noise and continuous codes, a `distribution_fn` of
        `LatentDistribution`; the paper's codes are uniform.

    Raises:
      UserError: A number is out of range, or no codes are given.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import InfoCodes
      >>> codes = InfoCodes(categories=(3,), continuous=1)
      >>> z = np.array(codes(shape=(5, 8), seed=(0, 1)))
      >>> sorted(set(z[:, 4:7].ravel().tolist()))
      [0.0, 1.0]
      >>> [category], values = codes.split(z)
      >>> tuple(category.shape), tuple(values.shape)
      ((5, 3), (5, 1))
    """

    categories: Sequence[int] = (10,)
    continuous: int = 2
    latents: Callable[..., Any] = uniform

    def __post_init__(self) -> None:
        categories = self.categories
        if not isinstance(categories, (list, tuple)) or not all(map(_is_category, categories)):
            raise UserError(
                "info_codes.categories must be a list of integers of at least 2, received "
                f"{self.categories!r}."
            )
        if type(self.continuous) is not int or self.continuous < 0:
            raise UserError(
                "info_codes.continuous must be an integer of at least 0, received "
                f"{self.continuous!r}."
            )
        if not self.size:
            raise UserError("info_codes needs a code: set categories or continuous.")

    def __str__(self) -> str:
        name = getattr(self.latents, "__name__", self.latents)
        return f"info_codes[{list(self.categories)}, {self.continuous}, {name}]"

    @property
    def size(self) -> int:
        """The number of coordinates of all codes."""
        return sum(self.categories) + self.continuous

    def check(self, z_dim: int) -> None:
        """Raises UserError if latents of this dimension have too few coordinates for the codes."""
        if z_dim < self.size:
            raise UserError(
                f"The codes of info_codes take {self.size} coordinates of the latent: z_dim must "
                f"be at least {self.size}, received {z_dim}."
            )

    def __call__(
        self,
        shape: Sequence[int],
        seed: Any,
        minval: float = -1.0,
        maxval: float = 1.0,
        stddev: float = 1.0,
        truncation: float = 1.0,
    ) -> Tensor:
        """Draws latents with one-hot categorical codes, float32 of `shape`.

        Args:
          shape: Shape of the result; its last axis is the latent's dimension.
          seed: int [2].
          minval: Lower bound, for a distribution `latents` that has bounds.
          maxval: Upper bound, likewise.
          stddev: Standard deviation, for one that has one.
          truncation: Truncation of noise and continuous codes, in (0, 1].

        Raises:
          UserError: The latents are too small, or cannot be truncated.
        """
        self.check(shape[-1])
        noise = LatentDistribution(self.latents, minval, maxval, stddev)
        z = noise.draw(shape, seed, truncation)
        noise_end, ends = self._bounds(shape[-1])
        parts, start = [z[..., :noise_end]], noise_end
        for end in ends:
            parts.append(_one_hot_of_largest(z[..., start:end]))
            start = end
        parts.append(z[..., start:])
        return tf.concat(parts, -1) if in_tensorflow(z) else np.concatenate(parts, -1)

    def split(self, z: Tensor) -> tuple[list[Tensor], Tensor]:
        """The codes of latents.

        Args:
          z: Float [b, z_dim].

        Returns:
          A one-hot tensor [b, K] for each categorical code, and the continuous codes
          [b, continuous].
        """
        start, ends = self._bounds(z.shape[-1])
        groups = []
        for end in ends:
            largest = ops.argmax(z[:, start:end], axis=1)
            groups.append(ops.one_hot(largest, end - start, dtype=z.dtype))
            start = end
        return groups, z[:, start:]

    def _bounds(self, z_dim: int) -> tuple[int, list[int]]:
        """Where the first group of coordinates starts, and where each ends."""
        start = z_dim - self.size
        return start, [start + int(end) for end in np.cumsum(self.categories)]


def _one_hot_of_largest(z: Any) -> Any:
    if in_tensorflow(z):
        return tf.one_hot(tf.argmax(z, -1), z.shape[-1], dtype=z.dtype)
    return np.eye(z.shape[-1], dtype=z.dtype)[z.argmax(-1)]


def _is_category(size: object) -> bool:
    """Whether a code can have this number of values."""
    return type(size) is int and size >= 2
