"""The classifier of features, trained on the labelled images alone."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.optimize
import tensorflow as tf
from threadpoolctl import threadpool_limits

from compare_gan.errors import DivergenceError

# Strengths of regularization to choose from, strongest first: each begins where the last ended.
STRENGTHS = tuple(10.0**e for e in (-2, -2.5, -3, -3.5, -4, -4.5, -5, -5.5, -6, -6.5, -7))
_HELD_OUT = 5  # Of each class one in so many.
_PATIENCE = 2  # Weaker strengths that are tried in vain.
_ITERATIONS = 200
_ROWS = 16384  # Examples in one piece of the sum over all.


@dataclasses.dataclass(frozen=True)
class Classifier:
    """Softmax regression on standardized features, if asked for through a hidden layer of ReLUs.

    Attributes:
      mean, scale: Standardize features, float32 [d] each.
      weights: Kernels and biases in turn, float32.
      strength: The chosen strength of regularization.
      held_out_accuracy: On the labelled images that were held out to choose it; None without any.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: Sequence[np.ndarray]
    strength: float
    held_out_accuracy: float | None

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Of each class, float32 [n, num_classes], from features [n, d]."""
        x = tf.constant((features - self.mean) * self.scale, tf.float32)
        return tf.nn.softmax(_logits(x, self.weights)).numpy()


def train_classifier(
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    hidden: int | None = None,
    seed: int = 0,
    strengths: Sequence[float] = STRENGTHS,
    held: np.ndarray | None = None,
) -> Classifier:
    """Trains on all labelled images, as strongly regularized as suits those held out for that.

    The loss is the mean cross-entropy plus strength / 2 times the sum of the kernels' squares,
    minimized by L-BFGS (SciPy; loss and gradient are computed by TensorFlow, on a GPU where there
    is one). The strength is that with the least cross-entropy on those held out.

    Args:
      features: float32 [n, d], of labelled images.
      labels: int [n].
      num_classes: Number of classes.
      hidden: Width of a hidden layer; None = a linear classifier.
      seed: Of the choice of those held out, and of the hidden layer's first weights.
      strengths: To choose from, strongest first.
      held: bool [n], those held out; None = as `held_out` chooses them.

    Raises:
      DivergenceError: The loss is not finite.
    """
    mean, scale = standardization(features)
    features = (features - mean) * scale
    held = held_out(labels, seed) if held is None else held
    start = _first_weights(features.shape[1], num_classes, hidden, seed)
    best, accuracy, strength = None, None, strengths[len(strengths) // 2]
    if held.any():
        x, y = features[held], labels[held]
        loss = _Loss(features[~held], labels[~held])
        weights = start
        for candidate in strengths:
            weights = loss.minimize(weights, candidate)
            probabilities = tf.nn.softmax(_logits(tf.constant(x), weights)).numpy()
            score = -np.mean(np.log(np.maximum(probabilities[np.arange(len(y)), y], 1e-12)))
            right = float(np.mean(probabilities.argmax(1) == y))
            if best is None or score < best:
                best, accuracy, strength, start = score, right, candidate, weights
                worse = 0
            elif (worse := worse + 1) == _PATIENCE:
                break
    weights = _Loss(features, labels).minimize(start, strength)
    return Classifier(mean, scale, weights, strength, accuracy)


def held_out(labels: np.ndarray, seed: int) -> np.ndarray:
    """Which examples are held out, bool [n]: of each class one in five, rounded down, at random.

    A class of fewer examples than that has all in training.
    """
    rank = np.random.default_rng(seed).permutation(len(labels))
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        held[members[np.argsort(rank[members])[: len(members) // _HELD_OUT]]] = True
    return held


def standardization(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What makes features [n, d] have mean 0 and, all together, length 1: mean, scale [d] each.

    So strengths of regularization mean the same whatever the number of features. Constant features
    become zero.
    """
    mean, deviation = features.mean(0), features.std(0)
    inverse = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0)
    return mean, (inverse / np.sqrt(features.shape[1])).astype(np.float32)


class _Loss:
    """The regularized loss over a set of examples, as a function of all weights in one vector."""

    def __init__(self, features: np.ndarray, labels: np.ndarray):
        self._pieces = [
            (tf.constant(features[i : i + _ROWS]), tf.constant(labels[i : i + _ROWS], tf.int32))
            for i in range(0, len(features), _ROWS)
        ]
        self._count = len(features)
        self._piece = tf.function(_piece_of_loss, autograph=False, reduce_retracing=True)

    def minimize(self, weights: Sequence[np.ndarray], strength: float) -> list[np.ndarray]:
        """The weights with the least loss, from those given."""
        shapes = [w.shape for w in weights]
        regularized = np.concatenate([np.full(w.size, w.ndim > 1) for w in weights])

        def loss(vector):
            parts = [tf.constant(w, tf.float32) for w in _split(vector, shapes)]
            total, gradient = 0.0, np.zeros_like(vector)
            for x, y in self._pieces:
                value, gradients = self._piece(x, y, parts)
                total += float(value)
                gradient += np.concatenate([np.ravel(g.numpy()) for g in gradients])
            kernels = vector * regularized
            total = total / self._count + strength / 2 * float(np.sum(kernels**2))
            return total, gradient / self._count + strength * kernels

        start = np.concatenate([np.ravel(w) for w in weights]).astype(np.float64)
        options = {"maxiter": _ITERATIONS, "ftol": 1e-7, "gtol": 1e-6}
        # Threads of BLAS and of TensorFlow that wait for each other in turn take ten times as long.
        with threadpool_limits(1, "blas"):
            found = scipy.optimize.minimize(
                loss, start, jac=True, method="L-BFGS-B", options=options
            )
        if not (np.isfinite(found.fun) and np.isfinite(found.x).all()):
            raise DivergenceError(
                "The classifier that infers labels diverged: its loss is not finite."
            )
        return [w.astype(np.float32) for w in _split(found.x, shapes)]


def _piece_of_loss(x, y, weights):
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, _logits(x, weights))
        total = tf.reduce_sum(losses)
    return total, tape.gradient(total, weights)


def _logits(x: tf.Tensor, weights: Sequence) -> tf.Tensor:
    *hidden, kernel, bias = weights
    if hidden:
        x = tf.nn.relu(x @ hidden[0] + hidden[1])
    return x @ kernel + bias


def _first_weights(width: int, num_classes: int, hidden: int | None, seed: int):
    if hidden is None:
        return [np.zeros([width, num_classes]), np.zeros([num_classes])]
    rng = np.random.default_rng(seed)
    first = rng.normal(size=[width, hidden])
    second = rng.normal(size=[hidden, num_classes]) / np.sqrt(hidden)
    return [first, np.zeros([hidden]), second, np.zeros([num_classes])]


def _split(vector: np.ndarray, shapes) -> list[np.ndarray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [p.reshape(s) for p, s in zip(np.split(vector, ends[:-1]), shapes, strict=True)]
