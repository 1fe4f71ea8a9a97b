"""The class prediction task against NumPy."""

import numpy as np
import tensorflow as tf

from compare_gan.gans.tasks import ClassPredictionTask, Seen, label_available

LOGITS = np.random.RandomState(0).normal(size=(6, 3)).astype(np.float32)
LABELS = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
HIDDEN = [1, 4]


def _terms(logits, labels, weight=1.0):
    seen = Seen(tf.constant(logits), None, tf.constant(labels))
    return ClassPredictionTask(3, weight).discriminator_terms(real=seen, fake=None)


def _partly_hidden():
    labels = LABELS.copy()
    labels[HIDDEN] = 0
    return labels


def test_which_labels_are_available():
    labels = tf.constant([[0, 0, 0], [0, 1, 0], [0.4, 0.3, 0.3], [0.3, 0.2, 0.0]])
    np.testing.assert_array_equal(label_available(labels), [[0], [1], [1], [0]])


def test_loss_is_the_mean_over_labelled_images():
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    shown = [0, 2, 3, 5]
    expected = -(LABELS * log_p).sum(axis=1)[shown].mean()
    terms = _terms(LOGITS, _partly_hidden(), weight=0.3)
    np.testing.assert_allclose(terms.parts["class_loss"], expected, rtol=1e-6)
    np.testing.assert_allclose(terms.total, 0.3 * expected, rtol=1e-6)
    correct = (LOGITS.argmax(axis=1) == LABELS.argmax(axis=1))[shown].mean()
    np.testing.assert_allclose(terms.measures["class_accuracy"], correct, rtol=1e-6)


def test_soft_labels_weight_the_classes():
    soft = np.random.RandomState(1).dirichlet(np.ones(3), size=6).astype(np.float32)
    log_p = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    expected = -(soft * log_p).sum(axis=1).mean()
    np.testing.assert_allclose(_terms(LOGITS, soft).total, expected, rtol=1e-6)


def test_images_without_label_do_not_count():
    logits = LOGITS.copy()
    logits[HIDDEN] += 100.0 * np.random.RandomState(2).normal(size=(2, 3))
    terms, others = _terms(LOGITS, _partly_hidden()), _terms(logits, _partly_hidden())
    assert float(terms.total) == float(others.total)
    assert float(terms.measures["class_accuracy"]) == float(others.measures["class_accuracy"])


def test_a_batch_without_labels_has_no_loss_and_no_gradient():
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = ClassPredictionTask(3).discriminator_terms(
            real=Seen(logits, None, tf.zeros([6, 3])), fake=None
        )
    assert float(loss.total) == 0
    np.testing.assert_array_equal(tape.gradient(loss.total, logits), np.zeros((6, 3)))


def test_generated_images_have_no_loss():
    terms = ClassPredictionTask(3).generator_terms(fake=None)
    assert terms.total == 0 and not terms.parts and not terms.measures
