"""Classifiers trained on generated images and tested on real ones, and the reverse."""

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import (
    Batch,
    ClassificationAccuracyScore,
    GanTest,
    classifier_accuracy,
)

_SMALL = dict(steps=60, batch_size=32, width=4)


def _stripes(num, seed, classes=3):
    """Noise with a bright stripe of the class's width; labels in turn."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 100, [num, 8, 8, 1], dtype=np.uint8)
    labels = np.arange(num, dtype=np.int32) % classes
    for image, label in zip(images, labels, strict=True):
        left = rng.integers(0, 8 - 2 * label)
        image[:, left : left + 2 * label + 1] = 200
    return images, labels


def test_what_can_be_told_is_told():
    assert classifier_accuracy(*_stripes(300, 0), *_stripes(150, 1), **_SMALL) > 0.95


def test_a_class_that_is_not_learnt_is_not_told():
    images, labels = _stripes(300, 0)
    two = labels < 2
    accuracy = classifier_accuracy(images[two], labels[two], *_stripes(150, 1), **_SMALL)
    assert 0.6 < accuracy <= 2 / 3


def test_images_without_labels_do_not_count():
    images, labels = _stripes(300, 0)
    test_images, test_labels = _stripes(90, 1)
    wrong = 255 - images
    both = np.concatenate([images, wrong]), np.concatenate([labels, np.full(300, -1)])
    tested = np.concatenate([test_images, test_images]), np.concatenate([test_labels, [-1] * 90])
    expected = classifier_accuracy(images, labels, test_images, test_labels, **_SMALL)
    assert classifier_accuracy(*both, *tested, **_SMALL) == expected


def _statistics(metric, images, labels):
    statistics = metric.statistics(len(images))
    statistics.update(Batch(images, labels))
    return statistics.result()


def test_the_metrics_train_on_one_set_and_test_on_the_other():
    options = dict(steps=20, batch_size=16, width=2, seed=5)
    (images, labels), other = _stripes(90, 0), _stripes(60, 1)
    cas, gan_test = ClassificationAccuracyScore(**options), GanTest(**options)
    assert cas.options()["steps"] == 20 and cas.options().keys() == gan_test.options().keys()
    real, fake = _statistics(cas, images, labels), _statistics(cas, *other)
    assert cas.value(real, fake) == {"": classifier_accuracy(*other, images, labels, **options)}
    expected = {"": classifier_accuracy(images, labels, *other, **options)}
    assert gan_test.value(real, fake) == expected
    # The second set of samples meets the same classifier, another real set a new one.
    assert gan_test.value(real, fake) == expected
    shifted = _statistics(cas, images, (labels + 1) % 3)
    assert gan_test.value(shifted, fake) != expected


def test_an_unconditional_generator_and_mistakes_are_told():
    assert (
        ClassificationAccuracyScore().inapplicable(None, None) == "the generator is unconditional"
    )
    with pytest.raises(UserError, match=r"gan_test\.width must be a positive integer"):
        GanTest(width=0)
    images, labels = _stripes(6, 0)
    with pytest.raises(UserError, match="classifier needs images with labels, received 6 without"):
        classifier_accuracy(images, labels - 3, images, labels)
    with pytest.raises(UserError, match="accuracy needs images with labels, received 6 without"):
        classifier_accuracy(images, labels, images, labels - 3, steps=1, batch_size=2, width=1)
