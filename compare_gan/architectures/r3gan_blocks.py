"""The parts of R3GAN's networks: blocks, resampling, maps between vectors and 4 x 4 pixels."""

from typing import Any

import keras
from keras import ops

from compare_gan.backend import rematerializable
from compare_gan.layers import Conv2D, downsample_binomial, leaky_relu, upsample_binomial
from compare_gan.layers.spectral_norm import SpectrallyNormalized
from compare_gan.types import Tensor, TensorShape

SEED_SIZE = 4
EXPANSION = 2  # Width inside of a block, in units of the width between blocks.


def scaled_normal(gain: float = 1.0) -> keras.initializers.Initializer:
    """The initializer with a standard deviation of gain / √fan_in."""
    return keras.initializers.VarianceScaling(gain**2, "fan_in", "untruncated_normal")


class Block(SpectrallyNormalized):
    """1 x 1 to twice the width, grouped 3 x 3, 1 x 1 back, plus the input; starts as the identity.

    Args:
      width: Number of channels of input and output.
      group_size: Number of channels in each group of the 3 x 3 convolution.
      gain: Gain of the first two convolutions' initial kernels; the last one starts at zero.
      **kwargs: See `SpectrallyNormalized`.
    """

    def __init__(self, width: int, group_size: int, gain: float, **kwargs: Any):
        super().__init__(**kwargs)
        inner = EXPANSION * width
        common: dict[str, Any] = {"spectral_norm": self.spectral_norm, "dtype": self.dtype_policy}
        self.conv1 = Conv2D(
            inner, 1, kernel_initializer=scaled_normal(gain), name="conv1", **common
        )
        self.conv2 = Conv2D(
            inner, 3, kernel_initializer=scaled_normal(gain), name="conv2",
            groups=inner // group_size, **common,
        )  # fmt: skip
        self.conv3 = Conv2D(
            width, 1, use_bias=False, kernel_initializer="zeros", name="conv3", **common
        )

    def build(self, input_shape: TensorShape) -> None:
        inner_shape = (*input_shape[:-1], self.conv1.filters)
        self.conv1.build(input_shape)
        self.conv2.build(inner_shape)
        self.conv3.build(inner_shape)

    @rematerializable
    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        h = leaky_relu(self.conv1(x, training=training))
        h = leaky_relu(self.conv2(h, training=training))
        return x + self.conv3(h, training=training)


class Resample(SpectrallyNormalized):
    """Resampling by two and, between different widths, a 1 x 1 convolution on its smaller side.

    Args:
      up: Whether to double the size; otherwise it is halved.
      in_width: Number of channels of the input.
      out_width: Number of channels of the output.
      **kwargs: See `SpectrallyNormalized`.
    """

    def __init__(self, up: bool, in_width: int, out_width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.up = up
        self.conv = None
        if in_width != out_width:
            self.conv = Conv2D(
                out_width, 1, use_bias=False, kernel_initializer=scaled_normal(), name="conv",
                spectral_norm=self.spectral_norm, dtype=self.dtype_policy,
            )  # fmt: skip

    def build(self, input_shape: TensorShape) -> None:
        if self.conv is not None:
            self.conv.build(input_shape)

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        if not self.up:
            x = downsample_binomial(x)
        if self.conv is not None:
            x = self.conv(x, training=training)
        return upsample_binomial(x) if self.up else x


class _Basis(SpectrallyNormalized):
    """A learned 4 x 4 image for each channel.

    Args:
      width: Number of channels.
      stddev: Standard deviation of its initial values.
      **kwargs: See `SpectrallyNormalized`.
    """

    def __init__(self, width: int, stddev: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.width, self.stddev = width, stddev

    def build(self, input_shape: TensorShape) -> None:
        initializer = keras.initializers.RandomNormal(stddev=self.stddev)
        shape = (SEED_SIZE, SEED_SIZE, self.width)
        self.basis = self.add_weight(shape=shape, initializer=initializer, name="basis")


class Seed(_Basis):
    """Scales the images of the channels: [b, width] -> [b, 4, 4, width]."""

    def call(self, x: Tensor) -> Tensor:
        return self.basis * x[:, None, None, :]


class Pool(_Basis):
    """Sums over pixels, weighted by the images: [b, 4, 4, width] -> [b, width].

    That is a depthwise convolution without padding.
    """

    def call(self, x: Tensor) -> Tensor:
        return ops.sum(x * self.basis, axis=(1, 2))
