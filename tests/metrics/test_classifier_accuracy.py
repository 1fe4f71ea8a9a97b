"""Classifiers trained on generated images and tested on real ones, and the reverse."""

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import (
    ClassificationAccuracyScore,
    GanTest,
    ImageBatch,
    classifier_accuracy,
)


def _stripes(num, seed, classes=3):
    """Draws noise with a bright stripe, as wide as the class says; the classes take turns."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 100, [num, 8, 8, 1], dtype=np.uint8)
    labels = np.arange(num, dtype=np.int32) % classes
    for image, label in zip(images, labels, strict=True):
        left = rng.integers(0, 8 - 2 * label)
        image[:, left : left + 2 * label + 1] = 200
    return images, labels


def test_classes_are_learned_and_images_without_labels_are_ignored():
    images, labels = _stripes(300, 0)
    test_images, test_labels = _stripes(150, 1)
    accuracy = classifier_accuracy(
        np.concatenate([images, 255 - images]),
        np.concatenate([labels, np.full(300, -1)]),
        np.concatenate([test_images, 255 - test_images]),
        np.concatenate([test_labels, np.full(150, -1)]),
        steps=150,
        batch_size=32,
        learning_rate=1e-2,
        width=4,
    )
    assert accuracy > 0.95


def _statistics(metric, images, labels):
    statistics = metric.statistics(len(images))
    statistics.update(ImageBatch(images, labels))
    return statistics.result()


def test_the_metrics_train_on_one_set_and_test_on_the_other(monkeypatch):
    trained = []

    def train(images, labels, **options):
        trained.append((images, options))
        return lambda images: np.full(len(images), labels[0])

    monkeypatch.setitem(classifier_accuracy.__globals__, "train_classifier", train)
    cas, gan_test = ClassificationAccuracyScore(steps=20), GanTest(width=7)
    (images, labels), (others, _) = _stripes(90, 0), _stripes(60, 1)
    real = _statistics(cas, images, labels)
    fake = _statistics(cas, others, np.array([2] * 15 + [0] * 45))
    # The first label of the generated images is 2, that of the real ones 0.
    assert cas.value(real, fake) == {"": 1 / 3}
    assert gan_test.value(real, fake) == {"": 3 / 4}
    # A second set of samples reuses the classifier; another real set needs a new one.
    gan_test.value(real, fake)
    gan_test.value(dict(real), fake)
    assert [len(images) for images, _ in trained] == [60, 90, 90]
    options = [options for _, options in trained]
    assert options == [cas.options(), gan_test.options(), gan_test.options()]
    assert (options[0]["steps"], options[1]["width"]) == (20, 7)


def test_an_unconditional_generator_and_invalid_input_are_refused():
    assert (
        ClassificationAccuracyScore().inapplicable(None, None) == "the generator is unconditional"
    )
    with pytest.raises(UserError, match=r"gan_test\.width must be a positive integer"):
        GanTest(width=0)
    images, labels = _stripes(6, 0)
    with pytest.raises(
        UserError, match="classifier needs images with labels, received 6 images without"
    ):
        classifier_accuracy(images, labels - 3, images, labels)
    with pytest.raises(
        UserError, match="accuracy needs images with labels, received 6 images without"
    ):
        classifier_accuracy(images, labels, images, labels - 3, steps=1, batch_size=2, width=1)
