"""The data set that comes with the library."""

import os

import numpy as np

from compare_gan.datasets.sources import ArraySource, Source

PATH = os.path.join(os.path.dirname(__file__), "data", "fashion_mnist_10k.npz")


def load_fashion_mnist_10k() -> Source:
    """The 10,000 test images of Fashion-MNIST, 1,000 of each class, as one split `train`.

    Made by scripts/make_fashion_mnist_10k.py. Paper: https://arxiv.org/abs/1708.07747.
    """
    with np.load(PATH, allow_pickle=False) as file:
        images, labels, names = file["images"], file["labels"], file["class_names"]
    return ArraySource.from_arrays({"train": (images[..., None], labels)}, class_names=names)
