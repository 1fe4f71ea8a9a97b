"""Self-attention over the pixels of a feature map."""

from typing import Any

import keras
from keras import ops

from compare_gan import backend
from compare_gan.layers.initializers import WeightOptions
from compare_gan.layers.linear import Conv2D
from compare_gan.layers.spectral_norm import SpectrallyNormalized, SpectralNormLike
from compare_gan.types import Tensor, TensorShape


@keras.saving.register_keras_serializable("compare_gan")
class NonLocalBlock(SpectrallyNormalized):
    """Self-attention as in SAGAN and BigGAN: x + sigma · attention(x), where sigma starts at 0.

    Queries and keys have an eighth of the channels, values half of them; keys and values are
    max-pooled by two. [batch, h, w, c] -> [batch, h, w, c]. https://arxiv.org/abs/1805.08318

    Args:
      spectral_norm: Spectral normalization of the four 1 x 1 convolutions; see `SpectralNorm.of`.
      name: Name of the layer.
      weight_options: Initial distribution of the kernels; see `WeightOptions.of`.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import NonLocalBlock
      >>> tuple(NonLocalBlock(spectral_norm=True)(ops.ones((2, 4, 4, 8))).shape)
      (2, 4, 4, 8)
    """

    def __init__(
        self,
        spectral_norm: SpectralNormLike = False,
        name: str = "non_local_block",
        weight_options: WeightOptions | dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.weight_options = WeightOptions.of(weight_options)

    def build(self, input_shape: TensorShape) -> None:
        channels = input_shape[-1]
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.theta = self._conv(narrow, "conv2d_theta", channels)
        self.phi = self._conv(narrow, "conv2d_phi", channels)
        self.g = self._conv(half, "conv2d_g", channels)
        self.sigma = self.add_weight(shape=(), initializer="zeros", name="sigma")
        self.attn_g = self._conv(channels, "conv2d_attn_g", half)

    def _conv(self, filters: int, name: str, in_channels: int) -> Conv2D:
        layer = Conv2D(
            filters,
            kernel_size=1,
            use_bias=False,
            spectral_norm=self.spectral_norm,
            kernel_initializer=self.weight_options.make(),
            name=name,
            dtype=self.dtype_policy,
        )
        layer.build((None, None, None, in_channels))
        return layer

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        queries = _pixels(self.theta(inputs, training=training))
        # A maximum does not commute with a 1 x 1 convolution: pooling must come last.
        keys = _pixels(backend.max_pool(self.phi(inputs, training=training)))
        values = _pixels(backend.max_pool(self.g(inputs, training=training)))
        attention = ops.softmax(ops.matmul(queries, ops.transpose(keys, (0, 2, 1))), axis=-1)
        _, h, w, _ = inputs.shape
        result = ops.reshape(ops.matmul(attention, values), (-1, h, w, values.shape[-1]))
        return inputs + ops.cast(self.sigma, inputs.dtype) * self.attn_g(result, training=training)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"weight_options": self.weight_options.get_config()}


def _pixels(x: Tensor) -> Tensor:
    """Flattens the pixels: [batch, h, w, c] -> [batch, h·w, c]."""
    return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))
