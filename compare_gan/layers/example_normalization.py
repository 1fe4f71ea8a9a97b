"""Normalizations of each example by itself: by groups of channels, or of each pixel's channels."""

import math
from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.errors import check_positive_integer, check_range
from compare_gan.layers.normalization import add_scale_and_offset
from compare_gan.layers.spectral_norm import SpectrallyNormalized, SpectralNormLike
from compare_gan.types import Tensor, TensorShape


@registry.register("normalization", "group_norm", paper="https://arxiv.org/abs/1803.08494")
@keras.saving.register_keras_serializable("compare_gan")
class GroupNorm(SpectrallyNormalized):
    """Standardization of each group of channels of each example (Wu and He, 2018).

    The groups are of neighbouring channels; there are a learned scale and offset for each channel.
    [batch, …, channels] -> [batch, …, channels]. Paper: https://arxiv.org/abs/1803.08494.

    Args:
      name: Name of the layer.
      spectral_norm: Accepted because networks pass it to all normalizations; there is no kernel.
      num_groups: Number of groups, 32 in the paper; if it does not divide the number of channels,
        their greatest common divisor.
      epsilon: Small number that is added to the variance.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Raises:
      UserError: `num_groups` is not a positive integer, or `epsilon` is negative.

    Example:
      >>> import numpy as np
      >>> from compare_gan.layers import GroupNorm
      >>> x = np.float32([[0, 2, 10, 30]])
      >>> np.round(GroupNorm(num_groups=2)(x), 3).tolist()
      [[-1.0, 1.0, -1.0, 1.0]]
    """

    _REGISTERED = "group_norm"

    def __init__(
        self,
        name: str | None = None,
        spectral_norm: SpectralNormLike = False,
        num_groups: int = 32,
        epsilon: float = 1e-5,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        check_positive_integer(f"{self._REGISTERED}.num_groups", num_groups)
        check_range(f"{self._REGISTERED}.epsilon", epsilon)
        self.num_groups = num_groups
        self.epsilon = epsilon

    def build(self, input_shape: TensorShape) -> None:
        add_scale_and_offset(self, input_shape[-1])

    def call(self, inputs: Tensor) -> Tensor:
        x = self._in_groups(inputs)
        mean, scale = self._moments(x)
        return self._finish((x - mean) * scale, inputs)

    def _in_groups(self, inputs: Tensor) -> Tensor:
        """The inputs as float32 [batch, pixels, groups, channels of a group]."""
        *pixels, channels = inputs.shape[1:]
        groups = math.gcd(self.num_groups, channels)
        shape = (-1, math.prod(pixels), groups, channels // groups)
        return ops.reshape(ops.cast(inputs, "float32"), shape)

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and reciprocal deviation of each group, [batch, 1, groups, 1]."""
        mean = ops.mean(x, axis=(1, 3), keepdims=True)
        variance = ops.mean(ops.square(x - mean), axis=(1, 3), keepdims=True)
        return mean, ops.rsqrt(variance + self.epsilon)

    def _finish(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Scale and offset of each channel, in the shape and dtype of the inputs."""
        x = ops.reshape(x, (-1, *inputs.shape[1:]))
        return ops.cast(x * self.gamma + self.beta, inputs.dtype)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"num_groups": self.num_groups, "epsilon": self.epsilon}


@registry.register("normalization", "evo_norm_s0", paper="https://arxiv.org/abs/2004.02967")
@keras.saving.register_keras_serializable("compare_gan")
class EvoNormS0(GroupNorm):
    """Normalization and activation in one: x · sigmoid(v·x) / deviation of the group (Liu, 2020).

    v is learned for each channel and starts at 1, as in Swish; so are a scale and an offset. In the
    networks of this library it also takes the place of the activation that would follow.
    [batch, …, channels] -> [batch, …, channels]. Paper: https://arxiv.org/abs/2004.02967.

    Args:
      name: Name of the layer.
      spectral_norm: See `GroupNorm`.
      num_groups: See `GroupNorm`.
      epsilon: See `GroupNorm`.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Attributes:
      activates: Whether the layer contains the activation.

    Example:
      >>> import numpy as np
      >>> from compare_gan.layers import EvoNormS0
      >>> y = EvoNormS0(num_groups=1)(np.float32([[0, 2]]))
      >>> [round(float(value), 2) for value in y[0]]
      [0.0, 1.76]
    """

    _REGISTERED = "evo_norm_s0"
    activates = True

    def build(self, input_shape: TensorShape) -> None:
        super().build(input_shape)
        self.v = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", autocast=False, name="v"
        )

    def call(self, inputs: Tensor) -> Tensor:
        x = ops.cast(inputs, "float32")
        gated = self._in_groups(x * ops.sigmoid(self.v * x))
        _, scale = self._moments(self._in_groups(x))
        return self._finish(gated * scale, inputs)


@registry.register("normalization", "rms_norm", paper="https://arxiv.org/abs/1910.07467")
@keras.saving.register_keras_serializable("compare_gan")
class RMSNorm(SpectrallyNormalized):
    """Division by the root mean square of the channels, with a learned scale (Zhang et al., 2019).

    Each pixel of each example is normalized by itself: [batch, …, channels] -> the same shape.
    Paper: https://arxiv.org/abs/1910.07467.

    Args:
      name: Name of the layer.
      spectral_norm: Accepted because networks pass it to all normalizations; there is no kernel.
      epsilon: Small number that is added to the mean square.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Raises:
      UserError: `epsilon` is negative.

    Example:
      >>> import numpy as np
      >>> from compare_gan.layers import RMSNorm
      >>> y = RMSNorm()(np.float32([[1, 7]]))
      >>> [round(float(value), 2) for value in y[0]]
      [0.2, 1.4]
    """

    def __init__(
        self,
        name: str | None = None,
        spectral_norm: SpectralNormLike = False,
        epsilon: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        check_range("rms_norm.epsilon", epsilon)
        self.epsilon = epsilon

    def build(self, input_shape: TensorShape) -> None:
        self.gamma = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", autocast=False, name="gamma"
        )

    def call(self, inputs: Tensor) -> Tensor:
        x = ops.cast(inputs, "float32")
        mean_square = ops.mean(ops.square(x), axis=-1, keepdims=True)
        return ops.cast(x * ops.rsqrt(mean_square + self.epsilon) * self.gamma, inputs.dtype)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"epsilon": self.epsilon}
