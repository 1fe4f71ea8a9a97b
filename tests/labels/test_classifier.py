"""The classifier against scikit-learn's logistic regression."""

import itertools

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from compare_gan.errors import DivergenceError
from compare_gan.labels.classifier import _Loss, standardization, train_classifier


def _blobs(n, d=12, classes=3, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=[classes, d]) * 1.5
    labels = rng.integers(classes, size=n)
    features = 3 + centers[labels] + noise * rng.normal(size=[n, d])
    return features.astype(np.float32), labels


def test_the_linear_classifier_is_logistic_regression():
    x, y = _blobs(200)
    strength = 1e-2
    classifier = train_classifier(x, y, 3, strengths=[strength])
    mean, scale = standardization(x)
    reference = LogisticRegression(C=1 / (len(y) * strength), tol=1e-8, max_iter=1000)
    reference.fit((x - mean) * scale, y)
    new, _ = _blobs(50, seed=1)
    expected = reference.predict_proba((new - mean) * scale)
    # Both stop at a small gradient; this one computes in float32.
    np.testing.assert_allclose(classifier.probabilities(new), expected, atol=2e-3)


def test_the_units_of_features_have_no_effect():
    x, y = _blobs(100)
    x[:, 0] = 7  # A constant feature must not divide by zero.
    units = (10.0 ** np.linspace(-3, 3, 12)).astype(np.float32)
    a, b = train_classifier(x, y, 3), train_classifier(x * units, y, 3)
    np.testing.assert_allclose(a.probabilities(x), b.probabilities(x * units), atol=2e-3)


def test_noise_needs_more_regularization_than_signal():
    x, y = _blobs(300, noise=0.2)
    rng = np.random.default_rng(5)
    signal = train_classifier(x, y, 3)
    noise = train_classifier(rng.normal(size=x.shape).astype(np.float32), y, 3)
    assert noise.strength > 10 * signal.strength
    assert signal.held_out_accuracy > 0.95 > 0.55 > noise.held_out_accuracy


def test_each_strength_starts_from_the_result_of_the_last_one(monkeypatch):
    calls = []
    minimize = _Loss.minimize

    def noted(loss, weights, strength):
        found = minimize(loss, weights, strength)
        calls.append((strength, weights, found))
        return found

    monkeypatch.setattr(_Loss, "minimize", noted)
    x, y = _blobs(100)
    classifier = train_classifier(x, y, 3)
    *path, (strength, start, _) = calls
    assert len(path) > 2 and not any(w.any() for w in path[0][1])
    for (_, _, found), (_, next_start, _) in itertools.pairwise(path):
        assert next_start is found
    # The training on all images starts from the result that was chosen.
    assert strength == classifier.strength
    assert start is {each: found for each, _, found in path}[strength]


def test_a_hidden_layer_learns_what_a_linear_one_cannot():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, [400, 2]).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    linear, deep = (train_classifier(x, y, 2, hidden=h) for h in (None, 16))
    assert linear.held_out_accuracy < 0.7 < 0.9 < deep.held_out_accuracy


def test_a_loss_that_is_not_finite_raises_a_divergence_error():
    x, y = _blobs(30)
    x[0, 0] = np.nan
    with pytest.raises(DivergenceError, match="classifier that infers labels diverged"):
        train_classifier(x, y, 3)


def test_one_image_a_class_is_enough():
    classifier = train_classifier(np.eye(3, dtype=np.float32), np.arange(3), 3)
    assert classifier.held_out_accuracy is None
    assert classifier.probabilities(np.eye(3, dtype=np.float32)).argmax(1).tolist() == [0, 1, 2]
