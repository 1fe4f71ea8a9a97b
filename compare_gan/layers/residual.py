"""Residual blocks that resample by two: the common part of the ResNet families."""

from collections.abc import Callable

import keras
from keras import ops

from compare_gan.errors import unknown_name
from compare_gan.layers.linear import Conv2D
from compare_gan.layers.normalization import LayerNorm
from compare_gan.layers.normalization_choice import Normalization, build_norm, normalize
from compare_gan.layers.resampling import mean_pool, unpool, upsample_nearest
from compare_gan.layers.spectral_norm import SpectrallyNormalized

_SCALES = ("up", "down", "none")
_UPSAMPLINGS = {"zeros": ("unpool_then", unpool), "nearest": ("nearest_then", upsample_nearest)}
_RESAMPLES = ("folded", "plain")


class ResidualBlock(SpectrallyNormalized):
    """Base of all blocks: their options, what they are made of, serialization.

    Args:
      in_channels: Channels of the input.
      out_channels: Channels of the result.
      scale: `up` (twice the size), `down` (half, rounded up), `none`.
      is_gen_block: Whether the block is a generator's.
      spectral_norm: Spectrally normalize all kernels; see `SpectralNorm.of`.
      batch_norm_fn: Class of the normalizations; None for none.
      layer_norm: Use layer normalization instead.
      upsample: `zeros` (the 2019 library's unpooling) or `nearest` (the papers').
      resample: `folded` (resampling inside the convolution beside it) or `plain`; equal results.
      name: Name of the block.

    Raises:
      UserError: `scale`, `upsample` or `resample` is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        scale: str,
        is_gen_block: bool,
        spectral_norm: bool = False,
        batch_norm_fn: Callable | None = None,
        layer_norm: bool = False,
        upsample: str = "zeros",
        resample: str = "folded",
        name: str | None = None,
        **kwargs,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        for what, value, allowed in (
            ("scale", scale, _SCALES),
            ("upsample", upsample, _UPSAMPLINGS),
            ("resample", resample, _RESAMPLES),
        ):
            if value not in allowed:
                raise unknown_name(what, value, allowed)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.scale = scale
        self.is_gen_block = is_gen_block
        self.batch_norm_fn = Normalization.of(batch_norm_fn)
        self.layer_norm = layer_norm
        self.upsample = upsample
        self.resample = resample

        self.up, self.down = None, None  # How the convolutions that resample do it.
        if scale == "up":
            self.up, self.resized = _UPSAMPLINGS[upsample]
        elif scale == "down":
            self.down, self.resized = "then_mean_pool", mean_pool
        else:
            self.resized = lambda x: x

    def make_norm(self, suffix: str = "") -> keras.layers.Layer | None:
        """The layer `bn<suffix>` or `ln<suffix>`, as the options say; None for none."""
        if self.layer_norm:
            return LayerNorm(name=f"ln{suffix}", dtype=self.dtype_policy)
        return self.batch_norm_fn and self.batch_norm_fn(f"bn{suffix}", self.spectral_norm)

    def make_conv(self, filters: int, kernel_size: int, name: str, resampling=None) -> Conv2D:
        return Conv2D(
            filters,
            kernel_size,
            spectral_norm=self.spectral_norm,
            resample=resampling,
            folded=self.resample == "folded",
            name=name,
            dtype=self.dtype_policy,
        )

    def build(self, x_shape, z_shape=None, y_shape=None):
        if x_shape[-1] != self.in_channels:
            raise ValueError(
                f"Block '{self.name}' has in_channels={self.in_channels}, received {x_shape}."
            )

    def get_config(self):
        names = ("in_channels", "out_channels", "scale", "is_gen_block", "layer_norm")
        config = {name: getattr(self, name) for name in (*names, "upsample", "resample")}
        config["batch_norm_fn"] = self.batch_norm_fn and self.batch_norm_fn.serialized()
        return super().get_config() | config

    @classmethod
    def from_config(cls, config):
        norm = config["batch_norm_fn"]
        return cls(**config | {"batch_norm_fn": norm and Normalization.deserialized(norm)})


class _PlainBlock(ResidualBlock):
    """Norm, ReLU, convolution, twice, plus a shortcut: [batch, h, w, in] -> [batch, h', w', out].

    Going up the first convolution and the shortcut resample, going down the second and the
    shortcut do.
    """

    _SHORTCUT_KERNEL: int

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.norm1, self.conv1 = self.make_norm("1"), self._conv(3, "conv1", self.up)
        self.norm2, self.conv2 = self.make_norm("2"), self._conv(3, "conv2", self.down)
        self.shortcut = None
        if self._has_shortcut():
            resampling = self.up or self.down
            self.shortcut = self._conv(self._SHORTCUT_KERNEL, "conv_shortcut", resampling)

    def _has_shortcut(self) -> bool:
        return True

    def _conv(self, kernel_size, name, resampling):
        name = f"{self.scale if resampling else 'same'}_{name}"
        return self.make_conv(self.out_channels, kernel_size, name, resampling)

    def build(self, x_shape, z_shape=None, y_shape=None):
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

    def call(self, x, z=None, y=None, training=None):
        h = ops.relu(normalize(self.norm1, x, z, y, training))
        h = self.conv1(h, training=training)
        h = ops.relu(normalize(self.norm2, h, z, y, training))
        h = self.conv2(h, training=training)
        return h if self.shortcut is None else h + self.shortcut(x, training=training)


@keras.saving.register_keras_serializable("compare_gan")
class ResNetBlock(_PlainBlock):
    """The block of the CIFAR, LSUN and STL ResNets, with a 3 x 3 convolution in its shortcut.

    https://arxiv.org/abs/1802.05957, appendix B.4. Arguments: see `ResidualBlock`.
    """

    _SHORTCUT_KERNEL = 3


@keras.saving.register_keras_serializable("compare_gan")
class BigGanResNetBlock(_PlainBlock):
    """BigGAN's block, with a 1 x 1 convolution in its shortcut.

    As in the 2019 library, a discriminator's block whose channels match has no shortcut at all.
    https://arxiv.org/abs/1809.11096, appendix B

    Args:
      *args: See `ResidualBlock`.
      identity_skip: Give such a block the paper's shortcut: its input, resampled if need be.
      **kwargs: See `ResidualBlock`.
    """

    _SHORTCUT_KERNEL = 1

    def __init__(self, *args, identity_skip: bool = False, **kwargs):
        super().__init__(*args, **kwargs)
        self.identity_skip = identity_skip

    def _has_shortcut(self):
        return self.is_gen_block or self.in_channels != self.out_channels

    def call(self, x, z=None, y=None, training=None):
        h = super().call(x, z, y, training)
        return h + self.resized(x) if self.identity_skip and self.shortcut is None else h

    def get_config(self):
        return super().get_config() | {"identity_skip": self.identity_skip}
