"""The smallest networks that satisfy the contract of architectures, for tests."""

from typing import Any

from keras import ops

from compare_gan.architectures import base
from compare_gan.layers import Dense, normalize
from compare_gan.types import Tensor

base.register_family(__name__)


@base.network
class Generator(base.Generator):
    """One dense layer applied to z and y, normalization, sigmoid.

    Arguments: see `base.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import dummy
      >>> generator = dummy.Generator((8, 8, 3))
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 8, 8, 3)
    """

    def __init__(self, image_shape: base.ImageShape, **kwargs: Any):
        super().__init__(image_shape, **kwargs)
        h, w, c = self.image_shape
        self.fc = Dense(h * w * c, spectral_norm=self.kernel_norm, name="fc")
        self.norm = self.make_norm("bn")

    def call(self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None) -> Tensor:
        z, y = inputs
        x = self.fc(z if y is None else ops.concatenate([z, y], axis=1), training=training)
        x = normalize(self.norm, x, z, y, training)
        return ops.reshape(ops.sigmoid(x), (-1, *self.image_shape))


@base.network
class Discriminator(base.Discriminator):
    """A dense layer of 8 units applied to the image and y, normalization, tanh, a dense layer.

    Arguments: see `base.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import dummy
      >>> discriminator = dummy.Discriminator((8, 8, 3))
      >>> x, y = ops.ones((2, 8, 8, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 8))
    """

    def __init__(self, image_shape: base.ImageShape, **kwargs: Any):
        super().__init__(image_shape, **kwargs)
        self.hidden = Dense(8, spectral_norm=self.kernel_norm, name="hidden")
        self.norm = self.make_norm("bn")
        self.fc = Dense(1, spectral_norm=self.kernel_norm, name="fc")

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, y = inputs
        x = base.flatten(x)
        x = self.hidden(x if y is None else ops.concatenate([x, y], axis=1), training=training)
        features = normalize(self.norm, x, y=y, training=training, activation=ops.tanh)
        return self.fc(features, training=training), features
