"""The parts of StyleGAN2's networks: blocks of both, and the synthesis of images from styles."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras

from compare_gan import backend
from compare_gan.backend import rematerializable
from compare_gan.layers import (
    AddedNoise,
    EqualizedConv2D,
    ModulatedConv2D,
    downsample_binomial,
    leaky_relu,
    upsample_binomial,
)
from compare_gan.types import NoiseSource, Tensor, TensorShape

# How a network joins its blocks with the image: see `stylegan2.Generator`.
CONNECTIONS = ("skip", "resnet", "plain")
SEED_SIZE = 4
# Before a leaky ReLU of slope 0.2: preserves the variance, nearly. It is a factor of convolutions
# and biases, where it costs nothing, as a leaky ReLU is homogeneous.
ACTIVATION_GAIN = math.sqrt(2)
_ROOT_HALF = math.sqrt(0.5)  # Of both branches of a residual block.


class _StyledConv(keras.layers.Layer):
    """Modulated 3 x 3 convolution, noise, leaky ReLU."""

    def __init__(self, filters: int, resample: str | None, gain: float, name: str, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        gain = gain * ACTIVATION_GAIN
        self.conv = ModulatedConv2D(
            filters, 3, resample=resample, gain=gain, name="conv", dtype=self.dtype_policy
        )
        self.noise = AddedNoise(gain, name="noise", dtype=self.dtype_policy)

    def build(self, x_shape: TensorShape, style_shape: TensorShape) -> None:
        """Lets the first call build the layers."""

    def call(self, x: Tensor, style: Tensor, noise: Tensor | None = None) -> Tensor:
        return leaky_relu(self.noise(self.conv(x, style), noise))


class SynthesisBlock(keras.layers.Layer):
    """Convolutions of one size: one at 4 x 4, otherwise two, the first of which doubles the size.

    Args:
      filters: Number of output channels.
      doubles: Whether the block doubles the size.
      residual: Whether a 1 x 1 convolution of the input is added to the output.
      name: Name of the block.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Attributes:
      convs: The convolutions; each has a style of its own.
    """

    def __init__(self, filters: int, doubles: bool, residual: bool, name: str, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        common = {"dtype": self.dtype_policy}
        self.convs = []
        if doubles:
            self.convs.append(_StyledConv(filters, "up", 1.0, "conv0", **common))
        last_gain = _ROOT_HALF if residual else 1.0
        self.convs.append(_StyledConv(filters, None, last_gain, "conv1", **common))
        self.skip = None
        if residual:
            self.skip = EqualizedConv2D(
                filters, 1, "up", use_bias=False, gain=_ROOT_HALF, name="skip", **common
            )

    def build(self, x_shape: TensorShape, styles_shape: TensorShape) -> None:
        """Lets the first call build the layers."""

    @rematerializable
    def call(self, x: Tensor, styles: Tensor, noises: Sequence[Tensor] | None = None) -> Tensor:
        h = x
        for i, conv in enumerate(self.convs):
            h = conv(h, styles[:, i], None if noises is None else noises[i])
        return h if self.skip is None else h + self.skip(x)


class Synthesis(keras.layers.Layer):
    """Images from styles, [batch, num_styles, w_dim] -> [batch, H, H, C] around [-1, 1].

    Args:
      widths: Number of channels at each size, from 4 x 4 up.
      channels: Number of channels of the image.
      connections: `skip`, `resnet` or `plain`; see `stylegan2.Generator`.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Attributes:
      num_styles: Number of styles: one for each 3 x 3 convolution, and one for the last image.
    """

    def __init__(
        self, widths: Sequence[int], channels: int, connections: str, name: str, **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        common = {"dtype": self.dtype_policy}
        self.width = widths[0]
        self.sizes = [SEED_SIZE * 2**i for i in range(len(widths))]
        self.blocks = [
            SynthesisBlock(
                width, i > 0, residual=i > 0 and connections == "resnet", name=f"b{size}", **common
            )
            for i, (size, width) in enumerate(zip(self.sizes, widths, strict=True))
        ]
        # The convolutions to images; None where the block adds nothing to the image.
        self.to_images = [
            ModulatedConv2D(channels, 1, demodulate=False, name=f"b{size}_to_image", **common)
            if connections == "skip" or size == self.sizes[-1]
            else None
            for size in self.sizes
        ]
        self.num_styles = sum(len(block.convs) for block in self.blocks) + 1

    def build(self, styles_shape: TensorShape) -> None:
        self.constant = self.add_weight(
            shape=(SEED_SIZE, SEED_SIZE, self.width),
            initializer=backend.initializer(keras.initializers.RandomNormal(stddev=1.0)),
            name="constant",
        )

    def draw_noises(self, draws: NoiseSource, batch_size: int) -> list[Tensor]:
        """New noise for each convolution, float32 [batch, h, w, 1]."""
        sizes = [size for size, b in zip(self.sizes, self.blocks, strict=True) for _ in b.convs]
        return [draws.normal((batch_size, size, size, 1)) for size in sizes]

    def call(self, styles: Tensor, noises: Sequence[Tensor] | None = None) -> Tensor:
        x = self.constant[None]  # Modulation gives each example its own.
        image, done = None, 0
        for block, to_image in zip(self.blocks, self.to_images, strict=True):
            stop = done + len(block.convs)
            own_noises = None if noises is None else noises[done:stop]
            x = block(x, styles[:, done:stop], own_noises)
            image = None if image is None else upsample_binomial(image)
            if to_image is not None:
                # The next block's first convolution has the same style.
                own = to_image(x, styles[:, stop])
                image = own if image is None else image + own
            done = stop
        return image


class DiscriminatorBlock(keras.layers.Layer):
    """Two 3 x 3 convolutions with leaky ReLUs, the second of which halves the size.

    Args:
      in_width: Number of channels of the input.
      out_width: Number of channels of the output.
      residual: Whether a 1 x 1 convolution of the input is added to the output.
      name: Name of the block.
      **kwargs: Further arguments of `keras.layers.Layer`.
    """

    def __init__(self, in_width: int, out_width: int, residual: bool, name: str, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        common = {"dtype": self.dtype_policy}
        self.conv0 = EqualizedConv2D(in_width, 3, gain=ACTIVATION_GAIN, name="conv0", **common)
        last_gain = ACTIVATION_GAIN * (_ROOT_HALF if residual else 1.0)
        self.conv1 = EqualizedConv2D(out_width, 3, "down", gain=last_gain, name="conv1", **common)
        self.skip = None
        if residual:
            self.skip = EqualizedConv2D(
                out_width, 1, "down", use_bias=False, gain=_ROOT_HALF, name="skip", **common
            )

    def build(self, input_shape: TensorShape) -> None:
        """Lets the first call build the layers."""

    @rematerializable
    def call(self, x: Tensor) -> Tensor:
        h = leaky_relu(self.conv1(leaky_relu(self.conv0(x))))
        return h if self.skip is None else h + self.skip(x)


class Trunk(keras.layers.Layer):
    """The discriminator's blocks, from an image around [-1, 1] to features [batch, 4, 4, width].

    Args:
      widths: Number of channels at each size, from 4 x 4 up.
      connections: `skip`, `resnet` or `plain`; see `stylegan2.Discriminator`.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.
    """

    def __init__(self, widths: Sequence[int], connections: str, name: str, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        common = {"dtype": self.dtype_policy}
        sizes = [SEED_SIZE * 2**i for i in range(len(widths))][::-1]
        self.blocks = [
            DiscriminatorBlock(a, b, connections == "resnet", name=f"b{size}", **common)
            for size, (a, b) in zip(sizes, itertools.pairwise(widths[::-1]), strict=False)
        ]
        # The convolutions of the image, from its size down.
        self.from_images = [
            EqualizedConv2D(width, 1, gain=ACTIVATION_GAIN, name=f"b{size}_from_image", **common)
            for size, width in zip(sizes, widths[::-1], strict=True)
            if connections == "skip" or size == sizes[0]
        ]

    def build(self, input_shape: TensorShape) -> None:
        """Lets the first call build the layers."""

    def call(self, image: Tensor) -> Tensor:
        first, *others = self.from_images
        x = leaky_relu(first(image))
        for block, from_image in itertools.zip_longest(self.blocks, others):
            x = block(x)
            if from_image is not None:
                image = downsample_binomial(image)
                x = x + leaky_relu(from_image(image))
        return x
