"""Small data sets on disk, in the format of TensorFlow Datasets."""

import numpy as np
import pytest


def random_images(n, height=6, width=6, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, [n, height, width, channels], np.uint8)


@pytest.fixture
def store_tfds(tmp_path):
    """A function that writes a data set for TensorFlow Datasets and returns its data_dir."""
    tfds = pytest.importorskip("tensorflow_datasets")

    def store(
        name,
        splits,
        num_classes=None,
        shape=None,
        version="1.0.0",
        config=None,
        file_names=None,
        encoding="png",
    ):
        """`splits`: (list of images, labels or None) for each split."""
        features = {"image": tfds.features.Image(shape=shape, encoding_format=encoding)}
        if num_classes:
            features["label"] = tfds.features.ClassLabel(num_classes=num_classes)
        if file_names:
            features["file_name"] = tfds.features.Text()
        examples = {}
        for split, (images, labels) in splits.items():
            examples[split] = [{"image": image} for image in images]
            for name_of, values in (("label", labels), ("file_name", file_names)):
                for example, value in zip(examples[split], values or (), strict=False):
                    example[name_of] = value
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            config=config,
            features=tfds.features.FeaturesDict(features),
            split_datasets={split: list(enumerate(e)) for split, e in examples.items()},
            data_dir=str(tmp_path),
            disable_shuffling=True,
        )
        return str(tmp_path)

    return store
