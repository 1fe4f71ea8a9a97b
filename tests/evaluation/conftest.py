"""A tiny generator and data set."""

import types

import keras
import numpy as np
import pytest
from keras import ops

from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.sources import ArraySource

Z_DIM, CLASSES = 4, 3


class TinyGenerator(keras.Model):
    """Images [n, 8, 8, 1] in (0, 1), brighter for higher classes."""

    def __init__(self, normalization=None):
        super().__init__()
        self.dense = keras.layers.Dense(64)
        self.normalization = normalization
        self.traces = 0

    def call(self, inputs, training=None):
        self.traces += 1
        z, y = inputs
        h = self.dense(z if y is None else ops.concatenate([z, y], axis=1))
        if self.normalization is not None:
            h = self.normalization(h, training=training)
        if y is not None:
            h = h + y @ ops.arange(y.shape[1], dtype="float32")[:, None]
        return ops.reshape(ops.sigmoid(h), (-1, 8, 8, 1))


@pytest.fixture
def make_generator():
    def make(normalization=None, conditional=True, num_classes=CLASSES):
        keras.utils.set_random_seed(0)
        generator = TinyGenerator(normalization)
        generator((np.zeros([2, Z_DIM]), np.zeros([2, num_classes]) if conditional else None))
        generator.traces = 0
        return generator

    return make


@pytest.fixture
def model(make_generator):
    """What `load_trained` gives, as far as samples need it."""
    return types.SimpleNamespace(
        generator=make_generator(),
        z_dim=Z_DIM,
        num_classes=CLASSES,
        class_names=["dark", "middle", "bright"],
    )


@pytest.fixture
def unconditional(make_generator):
    return types.SimpleNamespace(
        generator=make_generator(conditional=False),
        z_dim=Z_DIM,
        num_classes=None,
        class_names=None,
    )


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(60, dtype=np.int32) % CLASSES
    names = ("dark", "middle", "bright")
    return Dataset("noise", ArraySource.from_arrays({"train": (images, labels)}, class_names=names))
