"""Generated images among real ones, noise, and none: draws, probabilities, places in a step."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.augmentations import APA, InstanceNoise, NoAugmentation
from compare_gan.errors import UserError
from compare_gan.schedules import CosineDecay

B = 400


def _uniform(shape):
    return tf.constant(np.random.RandomState(3).uniform(size=shape), tf.float32)


def test_apa_replaces_whole_examples_with_its_probability():
    real = np.zeros((B, 2, 2, 1), np.float32), np.eye(4, dtype=np.float32)[np.zeros(B, int)]
    fake_images = np.broadcast_to(1.0 + np.arange(B).reshape(B, 1, 1, 1), (B, 2, 2, 1))
    fake = np.float32(fake_images), np.eye(4, dtype=np.float32)[np.arange(B) % 4]
    images, labels = APA(p=0.3).replace_real(real, fake, _uniform, step=0)
    replaced = images.numpy()[:, 0, 0, 0] > 0.0
    fake = tuple(each[np.arange(B) ^ 1] for each in fake)  # Not those at the same places.
    expected = np.where(replaced[:, None, None, None], fake[0], real[0])
    np.testing.assert_array_equal(images, expected)
    np.testing.assert_array_equal(labels, np.where(replaced[:, None], fake[1], real[1]))
    # The standard error of the share is 0.023.
    assert abs(replaced.mean() - 0.3) < 0.1
    _, none = APA(p=1.0).replace_real((real[0], None), (fake[0], None), _uniform, step=0)
    assert none is None


def test_apa_leaves_images_as_they_are_where_they_are_augmented():
    images = np.ones((2, 2, 2, 1), np.float32)
    assert APA(p=1.0)(images, _uniform, None, 0) is images


def test_instance_noise_has_its_deviation_at_each_step():
    noise = InstanceNoise(CosineDecay(0.2, 0.0, steps=10))
    images = tf.fill((B, 4, 4, 3), 0.5)
    draws = np.random.RandomState(0).normal(size=images.shape).astype(np.float32)
    for step, sigma in ((0, 0.2), (5, 0.1), (10, 0.0)):
        out = noise(images, None, lambda shape: draws.reshape(shape), step)
        np.testing.assert_allclose(out, 0.5 + sigma * draws, atol=1e-6)
    assert noise(tf.cast(images, "bfloat16"), None, lambda shape: draws, 0).dtype == "bfloat16"


def test_none_changes_nothing():
    images = np.ones((2, 2, 2, 1), np.float32)
    assert NoAugmentation()(images, None, None, 0) is images


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: APA(p=-0.1), r"apa\.p .*-0\.1"),
        (lambda: APA(target=2), r"apa\.target .*2"),
        (lambda: APA(images=0), r"apa\.images"),
        (lambda: InstanceNoise(-1.0), r"instance_noise\.sigma .*-1"),
    ),
)
def test_wrong_options_are_refused(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
