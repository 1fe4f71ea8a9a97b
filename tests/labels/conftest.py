"""Small data sets, and label inference that takes a second."""

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import labels
from compare_gan.datasets import ArraySource, Dataset
from compare_gan.datasets.streams import StreamSource
from compare_gan.labels import LabelOptions

# A network of a few hundred weights, trained for a few steps.
_TINY = (
    "backbone.width = 4",
    "backbone.units = [1, 1]",
    "pretext.training_steps = 6",
    "pretext.batch_size = 8",
    "pretext.labeled_batch_size = 4",
    "pretext.save_checkpoints_steps = 2",
    "infer_labels.grid = 2",
)


@pytest.fixture
def arrays():
    """Images uint8 [48, 8, 8, 1] of three classes, bright in one third each, and labels."""
    rng = np.random.default_rng(0)
    true = np.arange(48) % 3
    images = rng.integers(0, 100, [48, 8, 8, 1], np.uint8)
    for label in range(3):
        images[true == label, 3 * label : 3 * label + 2] += 100
    return images, true


@pytest.fixture
def make_dataset(arrays):
    """A function from true labels to a data set in which every fourth image is labelled."""

    def make(true=None, source=None, fraction=4, train_crop=None):
        images, labels = arrays
        labels = labels if true is None else true
        source = source or ArraySource.from_arrays({"train": (images, labels)}, num_classes=3)
        given_mask = np.arange(len(images)) // 3 % fraction == 0
        crops = {"train_imagenet_transform": train_crop, "eval_imagenet_transform": None}
        return Dataset("thirds", source, given_mask=given_mask, crop_methods=crops)

    return make


@pytest.fixture
def make_stream(arrays):
    """The same images as a stream of PNG files."""

    def records(split):
        images, true = arrays
        encoded = [tf.io.encode_png(image).numpy() for image in images]
        return tf.data.Dataset.from_tensor_slices((encoded, true.astype(np.int32)))

    def keep(image, seed):
        return image

    return lambda: StreamSource(
        image_shape=(8, 8, 1),
        splits={"train": 48},
        num_classes=3,
        records=records,
        train_transform=keep,
        eval_transform=keep,
    )


@pytest.fixture
def tiny():
    """Bindings that make the network and its training tiny."""
    return _TINY


@pytest.fixture
def infer(tmp_path):
    """`infer(dataset, *bindings, folder=…)`: label inference with the tiny network."""

    def run(dataset, *bindings, folder="labels"):
        gin.clear_config()
        gin.parse_config([*_TINY, *bindings])
        return labels.infer(
            dataset,
            str(tmp_path / folder),
            LabelOptions.from_gin(),
            config_text=gin.config_str(),
        )

    return run
