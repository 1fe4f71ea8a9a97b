"""Residual blocks that resample by two, shared by the ResNet families."""

from collections.abc import Callable
from typing import Any

import keras

from compare_gan.backend import rematerializable
from compare_gan.errors import unknown_name
from compare_gan.layers.activations import relu
from compare_gan.layers.linear import Conv2D
from compare_gan.layers.normalization import LayerNorm
from compare_gan.layers.normalization_choice import (
    Normalization,
    NormalizationLike,
    build_norm,
    normalize,
)
from compare_gan.layers.resampling import mean_pool, unpool, upsample_nearest
from compare_gan.layers.spectral_norm import SpectrallyNormalized, SpectralNormLike
from compare_gan.types import Tensor, TensorShape

_SCALES = ("up", "down", "none")
_UPSAMPLINGS: dict[str, tuple[str, Callable[[Tensor], Tensor]]] = {
    "zeros": ("unpool_then", unpool),
    "nearest": ("nearest_then", upsample_nearest),
}
_RESAMPLES = ("folded", "plain")


class ResidualBlock(SpectrallyNormalized):
    """Base of all blocks: options, parts, serialization.

    Args:
      in_channels: Channels of the input.
      out_channels: Channels of the output.
      scale: `up` (twice the size), `down` (half the size, rounded up) or `none`.
      is_gen_block: Whether the block is part of a generator.
      spectral_norm: Spectral normalization of all kernels; see `SpectralNorm.of`.
      batch_norm_fn: Class of the normalizations; see `Normalization.of`.
      layer_norm: Whether to use layer normalization instead.
      upsample: `zeros` (unpooling, as in the 2019 library) or `nearest` (as in the papers).
      resample: `folded` (resampling as part of an adjacent convolution) or `plain`; the results are
        equal.
      name: Name of the block.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Raises:
      UserError: `scale`, `upsample` or `resample` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        scale: str,
        is_gen_block: bool,
        spectral_norm: SpectralNormLike = False,
        batch_norm_fn: NormalizationLike = None,
        layer_norm: bool = False,
        upsample: str = "zeros",
        resample: str = "folded",
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        for option, value, allowed in (
            ("scale", scale, _SCALES),
            ("upsample", upsample, _UPSAMPLINGS),
            ("resample", resample, _RESAMPLES),
        ):
            if value not in allowed:
                raise unknown_name(option, value, allowed)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.scale = scale
        self.is_gen_block = is_gen_block
        self.batch_norm_fn = Normalization.of(batch_norm_fn)
        self.layer_norm = layer_norm
        self.upsample = upsample
        self.resample = resample

        # `resample` of the convolutions that resample, and the same resampling by itself.
        self.up: str | None = None
        self.down: str | None = None
        self.resized: Callable[[Tensor], Tensor] = lambda x: x
        if scale == "up":
            self.up, self.resized = _UPSAMPLINGS[upsample]
        elif scale == "down":
            self.down, self.resized = "then_mean_pool", mean_pool

    def make_norm(self, suffix: str = "") -> keras.layers.Layer | None:
        """Returns a normalization, `bn<suffix>` or `ln<suffix>`, as the options say, or None."""
        if self.layer_norm:
            return LayerNorm(name=f"ln{suffix}", dtype=self.dtype_policy)
        return self.batch_norm_fn and self.batch_norm_fn(f"bn{suffix}", self.spectral_norm)

    def make_conv(
        self, filters: int, kernel_size: int, name: str, resampling: str | None = None
    ) -> Conv2D:
        """Returns a convolution with the options of the block.

        Args:
          filters: Number of output channels.
          kernel_size: Height and width of the kernel.
          name: Name of the layer.
          resampling: See `Conv2D`, `resample`.
        """
        return Conv2D(
            filters,
            kernel_size,
            spectral_norm=self.spectral_norm,
            resample=resampling,
            folded=self.resample == "folded",
            name=name,
            dtype=self.dtype_policy,
        )

    def build(
        self,
        x_shape: TensorShape,
        z_shape: TensorShape | None = None,
        y_shape: TensorShape | None = None,
    ) -> None:
        if x_shape[-1] != self.in_channels:
            raise ValueError(
                f"Block '{self.name}' has in_channels={self.in_channels}, received an input of "
                f"shape {x_shape}."
            )

    def get_config(self) -> dict[str, Any]:
        names = ("in_channels", "out_channels", "scale", "is_gen_block", "layer_norm")
        config = {name: getattr(self, name) for name in (*names, "upsample", "resample")}
        config["batch_norm_fn"] = self.batch_norm_fn and self.batch_norm_fn.serialized()
        return super().get_config() | config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ResidualBlock":
        norm = config["batch_norm_fn"]
        return cls(**config | {"batch_norm_fn": norm and Normalization.deserialized(norm)})


class _PlainBlock(ResidualBlock):
    """Twice norm, ReLU, convolution, plus a shortcut: [batch, h, w, in] -> [batch, h', w', out].

    A block that goes up resamples in its first convolution and its shortcut, a block that goes down
    in its second convolution and its shortcut.
    """

    _SHORTCUT_KERNEL: int

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.norm1, self.conv1 = self.make_norm("1"), self._conv(3, "conv1", self.up)
        self.norm2, self.conv2 = self.make_norm("2"), self._conv(3, "conv2", self.down)
        self.shortcut = None
        if self._has_shortcut():
            resampling = self.up or self.down
            self.shortcut = self._conv(self._SHORTCUT_KERNEL, "conv_shortcut", resampling)

    def _has_shortcut(self) -> bool:
        return True

    def _conv(self, kernel_size: int, name: str, resampling: str | None) -> Conv2D:
        name = f"{self.scale if resampling else 'same'}_{name}"
        return self.make_conv(self.out_channels, kernel_size, name, resampling)

    def build(
        self,
        x_shape: TensorShape,
        z_shape: TensorShape | None = None,
        y_shape: TensorShape | None = None,
    ) -> None:
        super().build(x_shape)
        middle_shape = (*x_shape[:-1], self.out_channels)
        for norm, conv, shape in (
            (self.norm1, self.conv1, x_shape),
            (self.norm2, self.conv2, middle_shape),
        ):
            build_norm(norm, shape, z_shape, y_shape)
            conv.build(shape)
        if self.shortcut is not None:
            self.shortcut.build(x_shape)

    @rematerializable
    def call(
        self,
        x: Tensor,
        z: Tensor | None = None,
        y: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        h = normalize(self.norm1, x, z, y, training, activation=relu)
        h = self.conv1(h, training=training)
        h = normalize(self.norm2, h, z, y, training, activation=relu)
        h = self.conv2(h, training=training)
        return h if self.shortcut is None else h + self.shortcut(x, training=training)


@keras.saving.register_keras_serializable("compare_gan")
class ResNetBlock(_PlainBlock):
    """Block of the CIFAR, LSUN and STL ResNets, with a 3 x 3 convolution in its shortcut.

    https://arxiv.org/abs/1802.05957, appendix B.4. Arguments: see `ResidualBlock`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import BatchNorm, ResNetBlock
      >>> block = ResNetBlock(4, 6, "up", is_gen_block=True, batch_norm_fn=BatchNorm)
      >>> tuple(block(ops.ones((2, 4, 4, 4))).shape)
      (2, 8, 8, 6)
    """

    _SHORTCUT_KERNEL = 3


@keras.saving.register_keras_serializable("compare_gan")
class BigGanResNetBlock(_PlainBlock):
    """BigGAN's block, with a 1 x 1 convolution in its shortcut.

    As in the 2019 library, a discriminator's block with equal numbers of input and output channels
    has no shortcut at all. https://arxiv.org/abs/1809.11096, appendix B.

    Args:
      *args: See `ResidualBlock`.
      identity_skip: Whether such a block has the shortcut of the paper: its input, resampled if
        necessary.
      **kwargs: See `ResidualBlock`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import BigGanResNetBlock
      >>> block = BigGanResNetBlock(4, 6, "down", is_gen_block=False, spectral_norm=True)
      >>> tuple(block(ops.ones((2, 8, 8, 4))).shape)
      (2, 4, 4, 6)
    """

    _SHORTCUT_KERNEL = 1

    def __init__(self, *args: Any, identity_skip: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.identity_skip = identity_skip

    def _has_shortcut(self) -> bool:
        return self.is_gen_block or self.in_channels != self.out_channels

    @rematerializable
    def call(
        self,
        x: Tensor,
        z: Tensor | None = None,
        y: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        h = super().call(x, z, y, training)
        return h + self.resized(x) if self.identity_skip and self.shortcut is None else h

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"identity_skip": self.identity_skip}
