"""A small convolutional classifier of Fashion-MNIST, packaged with its weights."""

import importlib.resources
import io
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import files, registry
from compare_gan.datasets.idx import FASHION_MNIST_CLASSES
from compare_gan.metrics.extractors import resizing
from compare_gan.metrics.extractors.base import Extractor
from compare_gan.types import Tensor

_SIZE = 28
_WEIGHTS = "fashion_cnn.npz"
_RESIZER = "center crop of 32x32, else bilinear with antialiasing, to 28x28; Rec. 601 luma if RGB"


def build_fashion_cnn() -> keras.Model:
    """Builds the network, without trained weights.

    Five 3x3 convolutions with batch norm and ReLU, mean over space (the features), dropout, and a
    dense layer (the logits).

    Returns:
      A model from images float [n, 28, 28, 1] in [0, 1] to features [n, 96] and logits [n, 10].
    """
    layers = keras.layers
    exact = {"dtype": "float32"}  # Even if the GAN is trained in mixed precision.
    inputs = x = keras.Input((_SIZE, _SIZE, 1), **exact)
    for i, (filters, strides) in enumerate(((32, 1), (32, 2), (64, 1), (64, 2), (96, 1)), start=1):
        x = layers.Conv2D(
            filters, 3, strides, padding="same", use_bias=False, name=f"conv_{i}", **exact
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{i}", **exact)(x)
        x = layers.ReLU(**exact)(x)
    features = layers.GlobalAveragePooling2D(**exact)(x)
    dropped = layers.Dropout(0.3, **exact)(features)
    logits = layers.Dense(len(FASHION_MNIST_CLASSES), name="logits", **exact)(dropped)
    return keras.Model(inputs, (features, logits), name="fashion_cnn")


def save_weights(model: keras.Model, path: str) -> None:
    """Writes the weights of `build_fashion_cnn` as float32 .npz, keyed by layer and variable."""
    arrays: dict[str, Any] = {v.path: v.numpy().astype(np.float32) for v in model.weights}
    with files.atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


@registry.register("extractor", "fashion_cnn", paper="https://arxiv.org/abs/1708.07747")
class FashionCnn(Extractor):
    """Small classifier of Fashion-MNIST, trained on its 60,000 training images.

    It classifies 92.1 % of the 10,000 test images (the data set `fashion_mnist_10k`) correctly.
    Features are the 96 channel means after the last convolution. The weights were trained by
    `scripts/train_fashion_cnn.py`, without mirroring, so mirrored garments affect scores.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import FashionCnn
      >>> extractor = FashionCnn()
      >>> features, logits = extractor(np.zeros([2, 28, 28, 1], np.uint8))
      >>> features.shape, logits.shape, extractor.class_names[0]
      ((2, 96), (2, 10), 'T-shirt/top')
    """

    name = "fashion_cnn"
    resizer = _RESIZER
    class_names = FASHION_MNIST_CLASSES

    @classmethod
    def is_at_hand(cls) -> bool:
        return True

    def __init__(self) -> None:
        data = (importlib.resources.files(__package__) / "data" / _WEIGHTS).read_bytes()
        self.weights_hash = files.digest(data)[:16]
        self._model = build_fashion_cnn()
        with np.load(io.BytesIO(data), allow_pickle=False) as weights:
            for variable in self._model.weights:
                variable.assign(weights[variable.path])

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._model(to_gray_28(images), training=False)


def to_gray_28(images: Tensor) -> Tensor:
    """Converts images to the input of the network.

    Images of 32x32 pixels are assumed to be 28x28 images with a border of 2, which is removed.

    Args:
      images: Images, uint8 [n, H, W, C] in [0, 255], C = 1 or 3.

    Returns:
      Gray images, float32 [n, 28, 28, 1] in [0, 1].
    """
    x = resizing.to_channels(ops.cast(images, "float32") / 255.0, 1)
    if tuple(x.shape[1:3]) == (32, 32):
        return x[:, 2:-2, 2:-2]
    if tuple(x.shape[1:3]) == (_SIZE, _SIZE):
        return x
    return ops.image.resize(x, (_SIZE, _SIZE), interpolation="bilinear", antialias=True)
