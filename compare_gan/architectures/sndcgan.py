"""SNDCGAN: the plain convolutional networks of the paper on spectral normalization.

https://arxiv.org/abs/1802.05957, appendix B.4. Images of any size.
"""

from typing import Any

import keras
from keras import ops

from compare_gan.architectures import base
from compare_gan.layers import Conv2D, Conv2DTranspose, Dense, leaky_relu, normalize, relu
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1802.05957")

# Filters in units of `ch`, kernel sizes and strides of the discriminator's convolutions.
_CONVOLUTIONS = ((1, 3, 1), (2, 4, 2), (2, 3, 1), (4, 4, 2), (4, 3, 1), (8, 4, 2), (8, 3, 1))


@base.network
class Generator(base.Generator):
    """SNDCGAN's generator: dense, three transposed 4 x 4 convolutions of stride 2, one 3 x 3.

    As in the 2019 library, `G.spectral_norm` affects only the kernels of conditional and
    self-modulated normalizations, not the layers of the generator.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the last hidden layer; the others have 2, 4 and 8 times as many channels.
      **kwargs: See `base.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import sndcgan
      >>> generator = sndcgan.Generator((32, 32, 3), ch=2)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    unused_options = ("spectral_norm",)

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, **kwargs)
        self.check_positive(ch=ch)
        self.ch = ch
        self.seed_size, *sizes = base.halved_sizes(image_shape, 3)
        h, w = self.seed_size
        self.fc = Dense(h * w * 8 * ch, name="g_fc1")
        self.fc_norm = self.make_norm("g_bn1")
        self.deconvs: list[Conv2DTranspose] = []
        self.norms: list[keras.layers.Layer | None] = []
        for i, (filters, size) in enumerate(zip((4 * ch, 2 * ch, ch), sizes, strict=True), start=2):
            deconv = Conv2DTranspose(filters, 4, strides=2, output_size=size, name=f"g_dc{i}")
            self.deconvs.append(deconv)
            self.norms.append(self.make_norm(f"g_bn{i}"))
        self.to_image = Conv2DTranspose(image_shape[2], 3, name="g_dc5")

    def call(self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None) -> Tensor:
        z, y = inputs
        # The first normalization has separate statistics for each pixel.
        x = self.fc(z, training=training)
        x = normalize(self.fc_norm, x, z, y, training, activation=relu)
        x = ops.reshape(x, (-1, *self.seed_size, 8 * self.ch))
        for deconv, norm in zip(self.deconvs, self.norms, strict=True):
            x = deconv(x, training=training)
            x = normalize(norm, x, z, y, training, activation=relu)
        return 0.5 * ops.tanh(self.to_image(x, training=training)) + 0.5

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"ch": self.ch}


@base.network
class Discriminator(base.Discriminator):
    """SNDCGAN's discriminator: seven convolutions with leaky ReLUs of slope 0.1, a dense layer.

    It has no normalization layers: `D.batch_norm_fn` and `D.layer_norm` do not affect it.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the first layer; the others have 2, 4 and 8 times as many channels.
      **kwargs: See `base.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import sndcgan
      >>> discriminator = sndcgan.Discriminator((32, 32, 3), ch=2)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 256))
    """

    unused_options = ("batch_norm_fn", "layer_norm")

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, **kwargs)
        self.check_positive(ch=ch)
        self.ch = ch
        self.convs = [
            Conv2D(
                width * ch, size, strides=stride, spectral_norm=self.kernel_norm,
                name=f"d_conv{i}",
            )
            for i, (width, size, stride) in enumerate(_CONVOLUTIONS, start=1)
        ]  # fmt: skip
        self.fc = Dense(1, spectral_norm=self.kernel_norm, name="d_fc1")

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, _ = inputs
        x = 2 * x - 1
        for conv in self.convs:
            x = leaky_relu(conv(x, training=training), 0.1)
        features = base.flatten(x)
        return self.fc(features, training=training), features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"ch": self.ch}
