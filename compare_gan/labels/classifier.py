"""A classifier of features, trained on the labelled images alone."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy  # It imports its parts when they are first used.
from keras import ops
from threadpoolctl import threadpool_limits

from compare_gan import backend
from compare_gan.engine.progress import announced, tracked
from compare_gan.errors import DivergenceError
from compare_gan.types import Tensor

# Regularization strengths to choose from, strongest first: each starts from the last one's result.
STRENGTHS = tuple(10.0**e for e in (-2, -2.5, -3, -3.5, -4, -4.5, -5, -5.5, -6, -6.5, -7))
_HELD_OUT = 5  # One example in so many is held out of each class.
_PATIENCE = 2  # The search ends after so many weaker strengths without an improvement.
_ITERATIONS = 200
_ROWS = 16384  # Examples in one piece of the sum over all of them.


@dataclasses.dataclass(frozen=True)
class Classifier:
    """Softmax regression on standardized features, optionally with one hidden layer of ReLUs.

    Attributes:
      mean: Mean that standardization subtracts from features, float32 [d].
      scale: Scale that it then multiplies them by, float32 [d].
      weights: Kernel and bias of each layer in turn, float32.
      strength: Chosen regularization strength.
      held_out_accuracy: Accuracy on the labelled images that were held out to choose the strength;
        None if none were.
    """

    mean: np.ndarray
    scale: np.ndarray
    weights: Sequence[np.ndarray]
    strength: float
    held_out_accuracy: float | None

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Class probabilities, float32 [n, num_classes], of features [n, d]."""
        return _probabilities((features - self.mean) * self.scale, self.weights)


def train_classifier(
    features: np.ndarray,
    labels: np.ndarray,
    num_classes: int,
    hidden: int | None = None,
    seed: int = 0,
    strengths: Sequence[float] = STRENGTHS,
    held_out_mask: np.ndarray | None = None,
) -> Classifier:
    """Trains a classifier on all labelled images; held-out ones choose its regularization.

    The loss is the mean cross-entropy plus strength / 2 times the sum of the kernels' squares,
    minimized by L-BFGS (SciPy's; the Keras backend computes the loss and its gradient, on a GPU if
    there is one). The chosen strength has the least cross-entropy on the held-out images when
    trained on the others.

    Example:
      >>> import numpy as np
      >>> from compare_gan.labels import train_classifier
      >>> features = np.array([[0, 0], [0, 1], [9, 8], [9, 9]], np.float32)
      >>> classifier = train_classifier(features, np.array([0, 0, 1, 1]), num_classes=2)
      >>> classifier.probabilities(features).argmax(1).tolist()
      [0, 0, 1, 1]

    Args:
      features: Features of the labelled images, float32 [n, d].
      labels: Their classes, int [n].
      num_classes: Number of classes.
      hidden: Width of a hidden layer; None = a linear classifier.
      seed: Seed of the choice of held-out images and of the hidden layer's initial weights.
      strengths: Regularization strengths to choose from, strongest first.
      held_out_mask: bool [n], the held-out images; None = those that `choose_held_out` chooses.

    Returns:
      The classifier.

    Raises:
      DivergenceError: The loss is not finite.
    """
    mean, scale = standardization(features)
    features = (features - mean) * scale
    if held_out_mask is None:
        held_out_mask = choose_held_out(labels, seed)
    start: Sequence[np.ndarray] = _initial_weights(features.shape[1], num_classes, hidden, seed)
    best, accuracy, strength = np.inf, None, strengths[len(strengths) // 2]
    if held_out_mask.any():
        x, y = features[held_out_mask], labels[held_out_mask]
        loss = _Loss(features[~held_out_mask], labels[~held_out_mask])
        failures = 0
        weights = start
        for candidate in tracked(strengths, "strengths of the regularization", len(strengths)):
            weights = loss.minimize(weights, candidate)
            probabilities = _probabilities(x, weights)
            likelihoods = probabilities[np.arange(len(y)), y]
            cross_entropy = -float(np.mean(np.log(np.maximum(likelihoods, 1e-12))))
            if cross_entropy < best:
                best, strength, start, failures = cross_entropy, candidate, weights, 0
                accuracy = float(np.mean(probabilities.argmax(1) == y))
            elif (failures := failures + 1) == _PATIENCE:
                break
    with announced("Training the classifier on all labelled images"):
        weights = _Loss(features, labels).minimize(start, strength)
    return Classifier(mean, scale, weights, strength, accuracy)


def choose_held_out(labels: np.ndarray, seed: int) -> np.ndarray:
    """Chooses the examples to hold out: at random one in five of each class, rounded down.

    Example:
      >>> import numpy as np
      >>> from compare_gan.labels.classifier import choose_held_out
      >>> labels = np.repeat([0, 1, 2], [4, 5, 10])
      >>> np.bincount(labels[choose_held_out(labels, seed=0)], minlength=3).tolist()
      [0, 1, 2]

    Args:
      labels: Classes, int [n].
      seed: Seed of the choice.

    Returns:
      bool [n], true for the held-out examples.
    """
    rank = np.random.default_rng(seed).permutation(len(labels))
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        mask[members[np.argsort(rank[members])[: len(members) // _HELD_OUT]]] = True
    return mask


def standardization(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mean and scale that standardize features.

    Standardized features, (features - mean) · scale, have mean 0 and the mean squared length 1, so
    that a regularization strength means the same for any number of features. Constant features
    become zero.

    Example:
      >>> import numpy as np
      >>> from compare_gan.labels.classifier import standardization
      >>> mean, scale = standardization(np.array([[1, 5], [3, 5]], np.float32))
      >>> mean.tolist(), (scale**2).round(3).tolist()
      ([2.0, 5.0], [0.5, 0.0])

    Args:
      features: float32 [n, d].

    Returns:
      Mean and scale, float32 [d] each.
    """
    mean, deviation = features.mean(0), features.std(0)
    inverse = np.where(deviation > 1e-6, 1 / np.maximum(deviation, 1e-6), 0)
    return mean, (inverse / np.sqrt(features.shape[1])).astype(np.float32)


class _Loss:
    """The regularized loss over a set of examples, minimized as a function of one weight vector."""

    def __init__(self, features: np.ndarray, labels: np.ndarray):
        self._pieces = [
            (
                ops.convert_to_tensor(features[i : i + _ROWS]),
                ops.convert_to_tensor(labels[i : i + _ROWS], "int32"),
            )
            for i in range(0, len(features), _ROWS)
        ]
        self._count = len(features)
        self._piece = backend.compiled(_piece_of_loss)

    def minimize(self, weights: Sequence[np.ndarray], strength: float) -> list[np.ndarray]:
        """Minimizes the loss from the given weights on; returns the best weights."""
        shapes = [w.shape for w in weights]
        regularized = np.concatenate([np.full(w.size, w.ndim > 1) for w in weights])

        def loss(vector: np.ndarray) -> tuple[float, np.ndarray]:
            parts = _split(vector.astype(np.float32), shapes)
            total, gradient = 0.0, np.zeros_like(vector)
            for x, y in self._pieces:
                value, gradients = self._piece(x, y, parts)
                total += float(value)
                gradient += np.concatenate([np.ravel(ops.convert_to_numpy(g)) for g in gradients])
            kernels = vector * regularized
            total = total / self._count + strength / 2 * float(np.sum(kernels**2))
            return total, gradient / self._count + strength * kernels

        start = np.concatenate([np.ravel(w) for w in weights]).astype(np.float64)
        options = {"maxiter": _ITERATIONS, "ftol": 1e-7, "gtol": 1e-6}
        # Threads of BLAS and the backend that wait for each other would take ten times as long.
        with threadpool_limits(1, "blas"):
            found = scipy.optimize.minimize(
                loss, start, jac=True, method="L-BFGS-B", options=options
            )
        if not (np.isfinite(found.fun) and np.isfinite(found.x).all()):
            raise DivergenceError(
                "The classifier that infers labels diverged: its loss is not finite."
            )
        return [w.astype(np.float32) for w in _split(found.x, shapes)]


def _piece_of_loss(x: Tensor, y: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    def total(*weights: Tensor) -> Tensor:
        logits = _logits(x, weights)
        return ops.sum(ops.sparse_categorical_crossentropy(y, logits, from_logits=True))

    return backend.value_and_gradients(total, weights)


def _probabilities(x: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    logits = _logits(ops.convert_to_tensor(x, "float32"), weights)
    return ops.convert_to_numpy(ops.softmax(logits))


def _logits(x: Tensor, weights: Sequence[np.ndarray | Tensor]) -> Tensor:
    *hidden, kernel, bias = weights
    if hidden:
        x = ops.relu(ops.matmul(x, hidden[0]) + hidden[1])
    return ops.matmul(x, kernel) + bias


def _initial_weights(
    width: int, num_classes: int, hidden: int | None, seed: int
) -> list[np.ndarray]:
    if hidden is None:
        return [np.zeros([width, num_classes]), np.zeros([num_classes])]
    rng = np.random.default_rng(seed)
    first = rng.normal(size=[width, hidden])
    second = rng.normal(size=[hidden, num_classes]) / np.sqrt(hidden)
    return [first, np.zeros([hidden]), second, np.zeros([num_classes])]


def _split(vector: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [p.reshape(s) for p, s in zip(np.split(vector, ends[:-1]), shapes, strict=True)]
