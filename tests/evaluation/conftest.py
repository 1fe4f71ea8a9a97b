"""A tiny data set."""

import numpy as np
import pytest

from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.sources import ArraySource

CLASSES = ("dark", "middle", "bright")


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(60, dtype=np.int32) % len(CLASSES)
    source = ArraySource.from_arrays({"train": (images, labels)}, class_names=CLASSES)
    return Dataset("noise", source)
