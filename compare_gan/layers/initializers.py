"""Initial values of kernels."""

import dataclasses
from typing import Any, Union

import gin
import keras

from compare_gan.errors import check_range, unknown_name

_NAMES = ("normal", "orthogonal", "truncated")


@gin.configurable("weights")
@dataclasses.dataclass(frozen=True)
class WeightOptions:
    """Initial distribution of all kernels that have no initializer of their own (scope `weights`).

    A layer reads these options when it is constructed; later changes in gin do not affect it.

    Attributes:
      initializer: `normal`, `truncated` (normal, cut at two standard deviations) or `orthogonal`.
      stddev: Standard deviation of the two normal distributions. (The 2019 library ignored it: all
        of its layers used 0.02.)

    Raises:
      UserError: `initializer` is none of the three, or `stddev` is negative.

    Example:
      >>> from compare_gan.layers import NonLocalBlock, WeightOptions
      >>> layer = NonLocalBlock(weight_options=WeightOptions("orthogonal"))
      >>> layer.weight_options
      WeightOptions(initializer='orthogonal', stddev=0.02)
    """

    initializer: str = "normal"
    stddev: float = 0.02

    def __post_init__(self) -> None:
        check_range("weights.stddev", self.stddev)
        if self.initializer not in _NAMES:
            raise unknown_name("weights.initializer", self.initializer, _NAMES)

    @classmethod
    def of(cls, options: Union["WeightOptions", dict[str, Any], None]) -> "WeightOptions":
        """Returns the options that a layer's argument `weight_options` describes.

        Args:
          options: Options, their `get_config`, or None for those of gin.
        """
        if isinstance(options, cls):
            return options
        return cls(**options) if isinstance(options, dict) else cls()

    def make(self) -> keras.initializers.Initializer:
        """Returns a new Keras initializer with a random seed of its own."""
        if self.initializer == "normal":
            return keras.initializers.RandomNormal(stddev=self.stddev)
        if self.initializer == "truncated":
            return keras.initializers.TruncatedNormal(stddev=self.stddev)
        return keras.initializers.Orthogonal()

    def get_config(self) -> dict[str, Any]:
        """Returns the options as JSON-serializable values."""
        return dataclasses.asdict(self)


def weight_initializer(
    initializer: str = "normal", stddev: float = 0.02
) -> keras.initializers.Initializer:
    """Returns one of the initializers that the 2019 library offers; it does not ask gin.

    Args:
      initializer: `normal`, `truncated` (normal, cut at two standard deviations) or `orthogonal`.
      stddev: Standard deviation of the two normal distributions.

    Raises:
      UserError: `initializer` is none of the three, or `stddev` is negative.

    Example:
      >>> from compare_gan.layers import Dense, weight_initializer
      >>> layer = Dense(3, kernel_initializer=weight_initializer("orthogonal"))
      >>> layer.build((None, 4))
      >>> tuple(layer.kernel.shape)
      (4, 3)
    """
    return WeightOptions(initializer, stddev).make()
