"""The data set that is part of the library."""

import os

import numpy as np

from compare_gan.datasets.sources import ArraySource, Source

PATH = os.path.join(os.path.dirname(__file__), "data", "fashion_mnist_10k.npz")


def load_fashion_mnist_10k() -> Source:
    """The 10,000 test images of Fashion-MNIST, 1,000 of each class, as one split `train`.

    scripts/make_fashion_mnist_10k.py writes the file. Paper: https://arxiv.org/abs/1708.07747.

    Example:
      >>> from compare_gan.datasets.packaged import load_fashion_mnist_10k
      >>> source = load_fashion_mnist_10k()
      >>> source.image_shape, source.class_names[:2]
      ((28, 28, 1), ('T-shirt/top', 'Trouser'))
    """
    with np.load(PATH, allow_pickle=False) as file:
        images, labels, names = file["images"], file["labels"], file["class_names"]
    return ArraySource.from_arrays({"train": (images[..., None], labels)}, class_names=names)
