"""The smallest networks that keep the architectures' contract: for tests of everything else."""

from keras import ops

from compare_gan.architectures import base
from compare_gan.layers import Dense, normalize

base.register_family(__name__)


@base.network
class Generator(base.Generator):
    """One dense layer of z and y, normalized, and a sigmoid."""

    def __init__(self, image_shape, **kwargs):
        super().__init__(image_shape, **kwargs)
        h, w, c = self.image_shape
        self.fc = Dense(h * w * c, spectral_norm=self.kernel_norm, name="fc")
        self.norm = self.make_norm("bn")

    def call(self, inputs, training=None):
        z, y = inputs
        x = self.fc(z if y is None else ops.concatenate([z, y], axis=1), training=training)
        x = normalize(self.norm, x, z, y, training)
        return ops.reshape(ops.sigmoid(x), (-1, *self.image_shape))


@base.network
class Discriminator(base.Discriminator):
    """A dense layer of 8 units, normalized, a tanh, and a dense layer; y goes in with the image."""

    def __init__(self, image_shape, **kwargs):
        super().__init__(image_shape, **kwargs)
        self.hidden = Dense(8, spectral_norm=self.kernel_norm, name="hidden")
        self.norm = self.make_norm("bn")
        self.fc = Dense(1, spectral_norm=self.kernel_norm, name="fc")

    def call(self, inputs, training=None):
        x, y = inputs
        x = ops.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))
        x = self.hidden(x if y is None else ops.concatenate([x, y], axis=1), training=training)
        features = ops.tanh(normalize(self.norm, x, y=y, training=training))
        return self.fc(features, training=training), features
