"""DCGAN: strided 5 x 5 convolutions; images of any size.

https://arxiv.org/abs/1511.06434
"""

from typing import Any

from keras import ops

from compare_gan.architectures import base
from compare_gan.layers import Conv2D, Conv2DTranspose, Dense, leaky_relu, normalize, relu
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1511.06434")


@base.network
class Generator(base.Generator):
    """DCGAN's generator: a dense layer, then four transposed 5 x 5 convolutions of stride 2.

    As in the 2019 library, `G.spectral_norm` affects only the kernels of conditional and
    self-modulated normalizations, not the layers of the generator.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the last hidden layer; the others have 2, 4 and 8 times as many channels.
      **kwargs: See `base.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import dcgan
      >>> generator = dcgan.Generator((32, 32, 3), ch=2)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    unused_options = ("spectral_norm",)

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, **kwargs)
        self.check_positive(ch=ch)
        self.ch = ch
        self.seed_size, *sizes = base.halved_sizes(image_shape, 4)
        h, w = self.seed_size
        self.fc = Dense(h * w * 8 * ch, name="g_fc1")
        self.norms = [self.make_norm(f"g_bn{i}") for i in range(1, 5)]
        self.deconvs = [
            Conv2DTranspose(filters, 5, strides=2, output_size=size, name=f"g_dc{i}")
            for i, (filters, size) in enumerate(
                zip((4 * ch, 2 * ch, ch, image_shape[2]), sizes, strict=True), start=1
            )
        ]

    def call(self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None) -> Tensor:
        z, y = inputs
        x = ops.reshape(self.fc(z, training=training), (-1, *self.seed_size, 8 * self.ch))
        for norm, deconv in zip(self.norms, self.deconvs, strict=True):
            x = normalize(norm, x, z, y, training, activation=relu)
            x = deconv(x, training=training)
        return 0.5 * ops.tanh(x) + 0.5

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"ch": self.ch}


@base.network
class Discriminator(base.Discriminator):
    """DCGAN's discriminator: four 5 x 5 convolutions of stride 2, leaky ReLUs, a dense layer.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the first layer; the others have 2, 4 and 8 times as many channels.
      **kwargs: See `base.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import dcgan
      >>> discriminator = dcgan.Discriminator((32, 32, 3), ch=2)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 64))
    """

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, **kwargs)
        self.check_positive(ch=ch)
        self.ch = ch
        self.convs = [
            Conv2D(filters, 5, strides=2, spectral_norm=self.kernel_norm, name=f"d_conv{i}")
            for i, filters in enumerate((ch, 2 * ch, 4 * ch, 8 * ch), start=1)
        ]
        # The first convolution is not normalized.
        self.norms = [None] + [self.make_norm(f"d_bn{i}") for i in range(1, 4)]
        self.fc = Dense(1, spectral_norm=self.kernel_norm, name="d_fc4")

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, y = inputs
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = conv(x, training=training)
            x = normalize(norm, x, y=y, training=training, activation=leaky_relu)
        features = base.flatten(x)
        return self.fc(features, training=training), features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"ch": self.ch}
