import gin
import numpy as np
import pytest

from compare_gan.datasets import eval_batches, get_dataset


def _read(split, **options):
    dataset = get_dataset(name="synthetic", image_size=16, **options)
    ((images, labels),) = eval_batches(dataset, split, 1000)
    return images, labels


@pytest.mark.parametrize("channels", [1, 3])
def test_classes_can_be_distinguished(channels):
    """The nearest class mean, in colour and area, of the training images predicts the class."""
    gin.parse_config(f"synthetic.channels = {channels}")

    def describe(images):
        return np.concatenate([images.max((1, 2)), 255 * (images > 0).mean((1, 2))], axis=1)

    (images, labels), (test_images, test_labels) = _read("train"), _read("test")
    assert images.shape == (1000, 16, 16, channels)
    means = np.stack([describe(images[labels == label]).mean(0) for label in range(4)])
    distance = np.linalg.norm(describe(test_images)[:, None] - means, axis=-1)
    assert (distance.argmin(1) == test_labels).mean() > 0.95


def test_images_of_a_class_vary_and_splits_differ():
    (images, labels), (test_images, _) = _read("train"), _read("test")
    assert len(np.unique(images[labels == 1], axis=0)) > 150  # There are 250.
    assert not np.array_equal(images, test_images)
