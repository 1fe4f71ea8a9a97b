"""The smallest networks that keep the architectures' contract; registered as `dummy_arch`."""

from types import SimpleNamespace

import keras
from keras import ops

from compare_gan import registry
from compare_gan.layers import Dense


class Generator(keras.Model):
    def __init__(self, image_shape, batch_norm_fn=None, name="generator"):
        super().__init__(name=name)
        self.image_shape = tuple(image_shape)
        self.batch_norm_fn = batch_norm_fn
        self.calls = 0
        size = 1
        for side in self.image_shape:
            size *= side
        self.fc = Dense(size, kernel_initializer="glorot_normal", name="fc")
        self.norm = None if batch_norm_fn is None else batch_norm_fn(name="bn")

    def call(self, inputs, training=None):
        self.calls += 1
        z, y = inputs
        x = self.fc(z if y is None else ops.concatenate([z, y], axis=1))
        if self.norm is not None:
            x = self.norm(x, training=training)
        return ops.reshape(ops.sigmoid(x), (-1, *self.image_shape))


class Discriminator(keras.Model):
    """A leaky hidden layer; with `project_y` the labels add a marked projection."""

    def __init__(
        self,
        image_shape,
        batch_norm_fn=None,
        spectral_norm=False,
        project_y=True,
        name="discriminator",
    ):
        super().__init__(name=name)
        self.batch_norm_fn = batch_norm_fn
        self.spectral_norm = spectral_norm
        self.project_y = project_y
        self.seen = []
        options = {"spectral_norm": spectral_norm, "kernel_initializer": "glorot_normal"}
        self.hidden = Dense(6, name="hidden", **options)
        self.norm = None if batch_norm_fn is None else batch_norm_fn(name="bn")
        self.fc = Dense(1, name="fc", **options)
        self.embed = Dense(6, use_bias=False, name="embed", **options)

    def call(self, inputs, training=None):
        x, y = inputs
        self.seen.append((x, y))
        h = self.hidden(ops.reshape(x, (ops.shape(x)[0], -1)), training=training)
        if self.norm is not None:
            h = self.norm(h, training=training)
        # Smooth, unlike a leaky ReLU, so that finite differences are exact to second order.
        h = ops.tanh(h)
        logits = self.fc(h, training=training)
        if self.project_y and y is not None:
            logits += ops.sum(h * self.embed(y, training=training), axis=1, keepdims=True)
        return logits, h


architecture = SimpleNamespace(Generator=Generator, Discriminator=Discriminator)
if "dummy_arch" not in registry.names("architecture"):
    registry.add("architecture", "dummy_arch", architecture, summary="A few weights, for tests.")
