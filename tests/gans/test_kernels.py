"""The kernels that penalties receive: in the scale and the order in which layers use them."""

import math

import keras
import numpy as np
from keras import ops

from compare_gan.gans import ModularGAN
from compare_gan.layers import (
    Conv2D,
    Conv2DTranspose,
    Dense,
    EqualizedConv2D,
    EqualizedDense,
    ModulatedConv2D,
)
from compare_gan.penalties import Orthogonal, Penalty

_TOLERANCE = 1e-6  # One product in float32.


class _Generator(keras.Model):
    """A layer of each kind with a kernel, [b, 5] -> [b, 4, 4, 1]."""

    def __init__(self):
        super().__init__(name="generator")
        self.mapping = EqualizedDense(8, gain=2.0, lr_multiplier=0.01, name="mapping")
        self.convolution = EqualizedConv2D(3, 3, name="convolution")
        self.modulated = ModulatedConv2D(4, 3, gain=3.0, name="modulated")
        self.plain = Conv2D(2, 3, spectral_norm=True, name="plain")
        self.grouped = Conv2D(6, 3, groups=2, name="grouped")
        self.transposed = Conv2DTranspose(6, 3, name="transposed")
        self.keras_transposed = keras.layers.Conv2DTranspose(5, 3, 2, "same", name="of_keras")
        self.last = Dense(1, name="last")

    def call(self, inputs, training=None):
        w = self.mapping(inputs[0])
        x = self.modulated(self.convolution(ops.reshape(w, (-1, 2, 2, 2))), w)
        x = self.transposed(self.grouped(self.plain(x, training=training)), training=training)
        return self.last(self.keras_transposed(x), training=training)


class _Recorder(Penalty):
    name = "recorder"

    def generator_term(self, kernels):
        _Recorder.kernels = [np.asarray(each) for each in kernels]
        return 0.0 * ops.sum(ops.square(kernels[0]))


def test_penalties_see_kernels_as_layers_use_them(dummy):
    keras.utils.set_random_seed(1)
    generator = _Generator()
    gan = ModularGAN(
        dummy.IMAGE_SHAPE,
        None,
        z_dim=dummy.Z_DIM,
        generator=generator,
        discriminator=dummy.Discriminator(dummy.IMAGE_SHAPE),
        penalties=[_Recorder(), Orthogonal()],
    )
    parts = gan.generator_loss(dummy.make_batch()).parts
    expected = {
        generator.mapping: 2.0 * 0.01 / math.sqrt(5) * generator.mapping.kernel.numpy(),
        generator.convolution: generator.convolution.kernel.numpy() / math.sqrt(9 * 2),
        generator.modulated: 3.0 / math.sqrt(9 * 3) * generator.modulated.kernel.numpy(),
        generator.modulated.affine: generator.modulated.affine.kernel.numpy() / math.sqrt(8),
        generator.plain: generator.plain.kernel.numpy(),
        generator.grouped: generator.grouped.kernel.numpy(),
        generator.transposed: generator.transposed.kernel.numpy().transpose(0, 1, 3, 2),
        generator.keras_transposed: generator.keras_transposed.kernel.numpy().transpose(0, 1, 3, 2),
        generator.last: generator.last.kernel.numpy(),
    }
    order = [v.path for v in gan.generator_variables if v.name == "kernel"]
    kernels = dict(zip(order, _Recorder.kernels, strict=True))
    assert len(kernels) == len(expected)
    products = []
    for layer, kernel in expected.items():
        np.testing.assert_allclose(kernels[layer.kernel.path], kernel, rtol=_TOLERANCE)
        groups = 2 if layer is generator.grouped else 1
        for w in np.split(kernel.astype(np.float64).reshape(-1, kernel.shape[-1]), groups, axis=1):
            products.append((np.square(w.T @ w) * (1 - np.eye(w.shape[1]))).sum())
    # Each kernel's matrix products in float32, a few dozen terms of either sign.
    np.testing.assert_allclose(parts["orthogonal"], sum(products), rtol=5e-6)
