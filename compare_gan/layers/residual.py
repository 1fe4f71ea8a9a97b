"""Residual blocks that resample by two: the common part of the ResNet families."""

from collections.abc import Callable

import keras
from keras import ops

from compare_gan.errors import UserError
from compare_gan.layers.linear import Conv2D
from compare_gan.layers.normalization import LayerNorm
from compare_gan.utils import call_with_requested

_SCALES = ("up", "down", "none")
_UPSAMPLINGS = {"zeros": "unpool_then", "nearest": "nearest_then"}


class _ResidualBlock(keras.layers.Layer):
    """Norm, ReLU, convolution, twice, plus a shortcut.

    Going up the first convolution and the shortcut resample, going down the second and the
    shortcut do.

    Args:
      in_channels: Channels of the input.
      out_channels: Channels of the result.
      scale: `up` (twice the size), `down` (half), `none`.
      is_gen_block: Whether the block is a generator's: its middle width is `out_channels`; that of
        a discriminator block that goes up would be `in_channels`.
      spectral_norm: Spectrally normalize all kernels.
      batch_norm_fn: Class of the normalizations; None for none.
      layer_norm: Use layer normalization instead.
      upsample: `zeros` (the 2019 library's unpooling) or `nearest` (the papers').
      resample: `folded` (resampling inside the convolution beside it) or `plain`; equal results.
      name: Name of the block.
    """

    _SHORTCUT_KERNEL: int

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
    ):
        super().__init__(name=name)
        for value, allowed, what in (
            (scale, _SCALES, "scale"),
            (upsample, tuple(_UPSAMPLINGS), "upsample"),
            (resample, ("folded", "plain"), "resample"),
        ):
            if value not in allowed:
                raise UserError(f"{what} must be one of {', '.join(allowed)}, received '{value}'.")
        self.scale = scale
        resampling = {"up": _UPSAMPLINGS[upsample], "down": "then_mean_pool", "none": None}[scale]

        def conv(filters, size, name, resampling):
            scale_name = {None: "same", "then_mean_pool": "down"}.get(resampling, "up")
            return Conv2D(
                filters, size, spectral_norm=spectral_norm, resample=resampling,
                folded=resample == "folded", name=f"{scale_name}_{name}",
            )  # fmt: skip

        def norm(name):
            if layer_norm:
                return LayerNorm(name=name.replace("bn", "ln"))
            if batch_norm_fn is None:
                return None
            return batch_norm_fn(name=name, spectral_norm=spectral_norm)

        up, down = (resampling if scale == wanted else None for wanted in ("up", "down"))
        middle = (
            out_channels if is_gen_block else self._discriminator_middle(in_channels, out_channels)
        )
        self.norm1, self.norm2 = norm("bn1"), norm("bn2")
        self.conv1 = conv(middle, 3, "conv1", up)
        self.conv2 = conv(out_channels, 3, "conv2", down)
        self.shortcut = None
        if self._has_shortcut(in_channels, out_channels, is_gen_block):
            self.shortcut = conv(out_channels, self._SHORTCUT_KERNEL, "conv_shortcut", up or down)

    def _discriminator_middle(self, in_channels, out_channels):
        return out_channels

    def _has_shortcut(self, in_channels, out_channels, is_gen_block):
        return True

    def build(self, input_shape):
        # The sublayers are built by the first call, inside this layer's name scope.
        self.built = True

    def call(self, x, z=None, y=None, training=None):
        def activate(norm, h):
            if norm is not None:
                h = call_with_requested(norm, inputs=h, z=z, y=y, training=training)
            return ops.relu(h)

        h = self.conv1(activate(self.norm1, x), training=training)
        h = self.conv2(activate(self.norm2, h), training=training)
        return h + self._shortcut(x, training)

    def _shortcut(self, x, training):
        if self.shortcut is not None:
            return self.shortcut(x, training=training)
        if self.scale == "down":
            return ops.average_pool(x, 2, strides=2, padding="valid")
        return x


@keras.saving.register_keras_serializable("compare_gan")
class ResNetBlock(_ResidualBlock):
    """The block of the CIFAR, LSUN and STL ResNets, with a 3 x 3 convolution in its shortcut.

    https://arxiv.org/abs/1802.05957, appendix B.4
    """

    _SHORTCUT_KERNEL = 3


@keras.saving.register_keras_serializable("compare_gan")
class BigGanResNetBlock(_ResidualBlock):
    """BigGAN's block: 1 x 1 shortcut, left out in the discriminator where channels match.

    https://arxiv.org/abs/1809.11096, appendix B
    """

    _SHORTCUT_KERNEL = 1

    def _has_shortcut(self, in_channels, out_channels, is_gen_block):
        return is_gen_block or in_channels != out_channels
