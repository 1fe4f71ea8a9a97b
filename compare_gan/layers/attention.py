"""Self-attention over the pixels of a feature map."""

import keras
from keras import ops

from compare_gan.layers.linear import Conv2D


@keras.saving.register_keras_serializable("compare_gan")
class NonLocalBlock(keras.layers.Layer):
    """Self-attention as in SAGAN and BigGAN: x + sigma · attention(x), sigma starting at 0.

    Queries have an eighth of the channels; keys and values are max-pooled by two; values have half
    of the channels. https://arxiv.org/abs/1805.08318

    Args:
      spectral_norm: Spectrally normalize the four 1 x 1 convolutions.
      name: Name of the layer.
    """

    def __init__(self, spectral_norm: bool = False, name: str = "non_local_block", **kwargs):
        super().__init__(name=name, **kwargs)
        self.spectral_norm = spectral_norm

    def build(self, input_shape):
        channels = input_shape[-1]

        def conv(filters, name, in_channels=channels):
            layer = Conv2D(filters, 1, use_bias=False, spectral_norm=self.spectral_norm, name=name)
            layer.build((*input_shape[:-1], in_channels))
            return layer

        self.theta = conv(max(channels // 8, 1), "conv2d_theta")
        self.phi = conv(max(channels // 8, 1), "conv2d_phi")
        self.g = conv(max(channels // 2, 1), "conv2d_g")
        self.sigma = self.add_weight(shape=(), initializer="zeros", name="sigma")
        self.attn_g = conv(channels, "conv2d_attn_g", max(channels // 2, 1))

    def call(self, inputs, training=None):
        _, h, w, _ = inputs.shape
        theta = self._pixels(self.theta(inputs, training=training))
        phi = self._pixels(_max_pool(self.phi(inputs, training=training)))
        g = self._pixels(_max_pool(self.g(inputs, training=training)))
        attention = ops.softmax(ops.matmul(theta, ops.transpose(phi, (0, 2, 1))), axis=-1)
        result = ops.reshape(ops.matmul(attention, g), (-1, h, w, g.shape[-1]))
        return inputs + ops.cast(self.sigma, inputs.dtype) * self.attn_g(result, training=training)

    @staticmethod
    def _pixels(x):
        return ops.reshape(x, (-1, x.shape[1] * x.shape[2], x.shape[3]))

    def get_config(self):
        return super().get_config() | {"spectral_norm": self.spectral_norm}


def _max_pool(x):
    return ops.max_pool(x, 2, strides=2, padding="valid")
