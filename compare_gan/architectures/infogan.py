"""InfoGAN's small convolutional networks; images of any size.

https://arxiv.org/abs/1606.03657, appendix C.1. Its codes are the task `info`, for any architecture.
"""

from typing import Any

import keras
from keras import ops

from compare_gan.architectures import base
from compare_gan.layers import (
    BatchNorm,
    Conv2D,
    Conv2DTranspose,
    Dense,
    leaky_relu,
    normalize,
)
from compare_gan.layers.normalization_choice import NormalizationLike
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1606.03657")


@base.network
class Generator(base.Generator):
    """Two dense layers, two transposed 4 x 4 convolutions of stride 2, leaky ReLUs.

    As in the 2019 library, `G.batch_norm_fn` does not affect it, and `G.spectral_norm` affects only
    the kernels of conditional and self-modulated normalizations.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the last hidden layer; the dense layers have 16·ch and H·W·ch/8 units.
      batch_norm_fn: Class of the normalizations; None for none. The default does not depend on
        `G.batch_norm_fn`: use `infogan.Generator.batch_norm_fn` to choose another class.
      **kwargs: See `base.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import infogan
      >>> generator = infogan.Generator((32, 32, 3), ch=4)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    unused_options = ("spectral_norm",)

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 64,
        batch_norm_fn: NormalizationLike = BatchNorm,
        **kwargs: Any,
    ):
        super().__init__(image_shape, batch_norm_fn=batch_norm_fn, **kwargs)
        self.check_positive(ch=ch)
        self.ch = ch
        self.seed_size, middle, full = base.halved_sizes(image_shape, 2)
        h, w = self.seed_size
        self.fc1, self.bn1 = Dense(16 * ch, name="g_fc1"), self.make_norm("g_bn1")
        self.fc2, self.bn2 = Dense(h * w * 2 * ch, name="g_fc2"), self.make_norm("g_bn2")
        self.dc3 = Conv2DTranspose(ch, 4, strides=2, output_size=middle, name="g_dc3")
        self.bn3 = self.make_norm("g_bn3")
        self.dc4 = Conv2DTranspose(image_shape[2], 4, strides=2, output_size=full, name="g_dc4")

    def call(self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None) -> Tensor:
        z, y = inputs

        def activate(norm: keras.layers.Layer | None, x: Tensor) -> Tensor:
            return normalize(norm, x, z, y, training, activation=leaky_relu)

        x = activate(self.bn1, self.fc1(z, training=training))
        x = activate(self.bn2, self.fc2(x, training=training))
        x = ops.reshape(x, (-1, *self.seed_size, 2 * self.ch))
        x = activate(self.bn3, self.dc3(x, training=training))
        return ops.sigmoid(self.dc4(x, training=training))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"ch": self.ch}


@base.network
class Discriminator(base.Discriminator):
    """Two 4 x 4 convolutions of stride 2, two dense layers, leaky ReLUs.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the first layer; the others have 2 and 16 times as many channels.
      **kwargs: See `base.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import infogan
      >>> discriminator = infogan.Discriminator((32, 32, 3), ch=4)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 64))
    """

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, **kwargs)
        self.check_positive(ch=ch)
        self.ch = ch
        self.conv1 = Conv2D(ch, 4, strides=2, name="d_conv1", spectral_norm=self.kernel_norm)
        self.conv2 = Conv2D(2 * ch, 4, strides=2, name="d_conv2", spectral_norm=self.kernel_norm)
        self.bn2 = self.make_norm("d_bn2")
        self.fc3 = Dense(16 * ch, name="d_fc3", spectral_norm=self.kernel_norm)
        self.bn3 = self.make_norm("d_bn3")
        self.fc4 = Dense(1, name="d_fc4", spectral_norm=self.kernel_norm)

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, y = inputs

        def activate(norm: keras.layers.Layer | None, x: Tensor) -> Tensor:
            return normalize(norm, x, y=y, training=training, activation=leaky_relu)

        x = leaky_relu(self.conv1(x, training=training))
        x = activate(self.bn2, self.conv2(x, training=training))
        x = base.flatten(x)
        features = activate(self.bn3, self.fc3(x, training=training))
        return self.fc4(features, training=training), features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"ch": self.ch}
