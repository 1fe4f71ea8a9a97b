"""Residual blocks that resample by two: the common part of the ResNet families."""

import functools
from collections.abc import Callable

import keras
from keras import ops

from compare_gan.errors import unknown_name
from compare_gan.layers.linear import Conv2D
from compare_gan.layers.normalization import LayerNorm
from compare_gan.layers.spectral_norm import SpectrallyNormalized
from compare_gan.utils import call_with_requested

_SCALES = ("up", "down", "none")
_UPSAMPLINGS = {"zeros": "unpool_then", "nearest": "nearest_then"}
_RESAMPLES = ("folded", "plain")


class _ResidualBlock(SpectrallyNormalized):
    """Norm, ReLU, convolution, twice, plus a shortcut: [batch, h, w, in] -> [batch, h', w', out].

    Going up the first convolution and the shortcut resample, going down the second and the
    shortcut do.

    Args:
      in_channels: Channels of the input.
      out_channels: Channels of the result.
      scale: `up` (twice the size), `down` (half), `none`.
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
        self.layer_norm = layer_norm
        self.upsample = upsample
        self.resample = resample

        up = _UPSAMPLINGS[upsample] if scale == "up" else None
        down = "then_mean_pool" if scale == "down" else None
        self.norm1 = self._norm(batch_norm_fn, "1")
        self.conv1 = self._conv(3, up, "conv1")
        self.norm2 = self._norm(batch_norm_fn, "2")
        self.conv2 = self._conv(3, down, "conv2")
        self.shortcut = None
        if self._has_shortcut():
            self.shortcut = self._conv(self._SHORTCUT_KERNEL, up or down, "conv_shortcut")

    def _has_shortcut(self) -> bool:
        return True

    def _norm(self, batch_norm_fn, number):
        if self.layer_norm:
            return LayerNorm(name=f"ln{number}", dtype=self.dtype_policy)
        if batch_norm_fn is None:
            return None
        return batch_norm_fn(name=f"bn{number}", spectral_norm=self.spectral_norm)

    def _conv(self, kernel_size, resampling, name):
        return Conv2D(
            self.out_channels,
            kernel_size,
            spectral_norm=self.spectral_norm,
            resample=resampling,
            folded=self.resample == "folded",
            name=f"{self.scale if resampling else 'same'}_{name}",
            dtype=self.dtype_policy,
        )

    def build(self, x_shape, z_shape=None, y_shape=None):
        if x_shape[-1] != self.in_channels:
            raise ValueError(
                f"Block '{self.name}' has in_channels={self.in_channels}, received {x_shape}."
            )
        z, y = (None if shape is None else keras.KerasTensor(shape) for shape in (z_shape, y_shape))
        middle_shape = (*x_shape[:-1], self.out_channels)
        for norm, conv, shape in (
            (self.norm1, self.conv1, x_shape),
            (self.norm2, self.conv2, middle_shape),
        ):
            # What a normalization is built from only its call knows.
            _normalize(norm, keras.KerasTensor(shape), z, y, training=False)
            conv.build(shape)
        if self.shortcut is not None:
            self.shortcut.build(x_shape)

    def call(self, x, z=None, y=None, training=None):
        h = ops.relu(_normalize(self.norm1, x, z, y, training))
        h = self.conv1(h, training=training)
        h = ops.relu(_normalize(self.norm2, h, z, y, training))
        h = self.conv2(h, training=training)
        return h if self.shortcut is None else h + self.shortcut(x, training=training)

    def get_config(self):
        names = ("in_channels", "out_channels", "scale", "is_gen_block", "layer_norm")
        names = (*names, "upsample", "resample")
        config = super().get_config() | {name: getattr(self, name) for name in names}
        # The normalization with its settings stands for the class that made it.
        norm = None if self.layer_norm else keras.saving.serialize_keras_object(self.norm1)
        if norm is not None:
            norm.pop("build_config", None)
        return config | {"batch_norm_fn": norm}

    @classmethod
    def from_config(cls, config):
        norm = keras.saving.deserialize_keras_object(config["batch_norm_fn"])
        return cls(**config | {"batch_norm_fn": None if norm is None else _maker_of(norm)})


def _normalize(norm, x, z, y, training):
    if norm is None:
        return x
    return call_with_requested(norm, inputs=x, z=z, y=y, training=training)


def _maker_of(norm) -> Callable:
    """A function of name and spectral norm that makes layers with the settings of `norm`."""
    given = ("name", "spectral_norm")
    settings = {key: value for key, value in norm.get_config().items() if key not in given}
    return functools.partial(type(norm), **settings)


@keras.saving.register_keras_serializable("compare_gan")
class ResNetBlock(_ResidualBlock):
    """The block of the CIFAR, LSUN and STL ResNets, with a 3 x 3 convolution in its shortcut.

    https://arxiv.org/abs/1802.05957, appendix B.4
    """

    _SHORTCUT_KERNEL = 3


@keras.saving.register_keras_serializable("compare_gan")
class BigGanResNetBlock(_ResidualBlock):
    """BigGAN's block, with a 1 x 1 convolution in its shortcut.

    As in the 2019 library, a discriminator's block whose channels match has no shortcut at all,
    where the paper has the identity. https://arxiv.org/abs/1809.11096, appendix B
    """

    _SHORTCUT_KERNEL = 1

    def _has_shortcut(self):
        return self.is_gen_block or self.in_channels != self.out_channels
