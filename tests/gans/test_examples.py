"""The discriminator's batch: order of rows, returned outputs, one forward pass or one per half."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.gans import ModularGAN
from compare_gan.gans.examples import Scores, forward_halves, is_separable, mixes_examples
from compare_gan.gans.tasks import AuxiliaryTask


class _Adds(AuxiliaryTask):
    """Adds `count` copies of the half, marked by `mark`."""

    def __init__(self, name, count, mark):
        self.name, self.count, self.mark = name, count, mark

    def extra_examples(self, images, labels):
        extra = tf.concat([images + self.mark] * self.count, axis=0)
        return extra, None if labels is None else tf.concat([labels] * self.count, axis=0)


class _Silent(AuxiliaryTask):
    name = "silent"


def _halves(with_labels):
    images = [tf.reshape(tf.range(2.0) + 10 * half, [2, 1, 1, 1]) for half in (1, 2)]
    labels = [tf.one_hot([half, half], 3) if with_labels else None for half in (0, 1)]
    return list(zip(images, labels, strict=True))


@pytest.mark.parametrize("split", (False, True))
@pytest.mark.parametrize("with_labels", (False, True))
def test_every_row_returns_to_its_half_and_task(split, with_labels):
    tasks, calls = [_Adds("a", 1, 100.0), _Silent(), _Adds("b", 2, 200.0)], []

    def discriminate(x, y):
        calls.append((x, y))
        logits = tf.reshape(x, [-1, 1])
        return Scores(logits, None, {task.name: -logits for task in tasks})

    def scores_without_features(x, y):
        scores = discriminate(x, y)
        return scores._replace(features=scores.logits)

    halves = _halves(with_labels)
    results = forward_halves(scores_without_features, [(*half, tasks) for half in halves], split)
    rows = [[10, 11, 110, 111, 210, 211, 210, 211], [20, 21, 120, 121, 220, 221, 220, 221]]
    expected_calls = rows if split else [rows[0] + rows[1]]
    assert [tf.reshape(x, [-1]).numpy().tolist() for x, _ in calls] == expected_calls
    if with_labels:
        classes = np.concatenate([y.numpy().argmax(axis=1) for _, y in calls])
        np.testing.assert_array_equal(classes, [0] * 8 + [1] * 8)
    else:
        assert all(y is None for _, y in calls)
    for result, (images, labels), row in zip(results, halves, rows, strict=True):
        np.testing.assert_array_equal(result.logits[:, 0], row[:2])
        for name, extra in (("a", row[2:4]), ("silent", None), ("b", row[4:])):
            seen = result.seen[name]
            np.testing.assert_array_equal(-seen.outputs[:, 0], row[:2])
            assert seen.labels is labels
            if extra is None:
                assert seen.extra_outputs is None
            else:
                np.testing.assert_array_equal(-seen.extra_outputs[:, 0], extra)
        assert images.shape[0] == len(result.logits)


def test_each_half_has_its_own_tasks():
    shown = []

    def discriminate(x, y):
        shown.extend(tf.reshape(x, [-1]).numpy().tolist())
        logits = tf.reshape(x, [-1, 1])
        return Scores(logits, logits, {"a": -logits})

    (real_x, real_y), (fake_x, fake_y) = _halves(True)
    task = _Adds("a", 1, 100.0)
    real, fake = forward_halves(discriminate, [(real_x, real_y, [task]), (fake_x, fake_y, [])])
    assert shown == [10, 11, 110, 111, 20, 21]
    np.testing.assert_array_equal(real.seen["a"].extra_outputs[:, 0], [-110, -111])
    np.testing.assert_array_equal(fake.seen["a"].outputs[:, 0], [-20, -21])
    assert fake.seen["a"].extra_outputs is None


class _Counter(keras.layers.Layer):
    """Counts its forwards."""

    def build(self, input_shape):
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs, training=None):
        if training:
            self.count.assign(self.count + 1.0)
        return inputs


@pytest.mark.parametrize(
    ("options", "separable"),
    (
        ({}, True),
        ({"spectral_norm": True}, True),
        ({"batch_norm_fn": keras.layers.LayerNormalization}, True),
        ({"batch_norm_fn": lambda name: keras.layers.Dropout(0.5, name=name)}, False),
        ({"batch_norm_fn": _Counter}, False),
        ({"batch_norm_fn": keras.layers.BatchNormalization}, False),
    ),
)
def test_state_and_mixed_examples_make_separate_forwards_differ(dummy, options, separable):
    gan = dummy.make_gan(ModularGAN, discriminator=options)
    assert is_separable(gan.discriminator) is separable


def test_only_batch_norms_mix_examples(dummy):
    def discriminator(norm):
        return dummy.make_gan(ModularGAN, discriminator={"batch_norm_fn": norm}).discriminator

    assert mixes_examples(discriminator(dummy.BatchNorm))
    assert mixes_examples(discriminator(keras.layers.BatchNormalization))
    assert not mixes_examples(discriminator(None))
    assert not mixes_examples(discriminator(keras.layers.LayerNormalization))
