"""Accuracy of a classifier trained on generated images and tested on real ones, and the reverse."""

from collections.abc import Callable

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected

_PREDICTION_BATCH = 256


def train_classifier(
    images,
    labels,
    *,
    steps: int = 2000,
    batch_size: int = 64,
    learning_rate: float = 5e-3,
    width: int = 16,
    seed: int = 0,
) -> Callable[[np.ndarray], np.ndarray]:
    """Trains a small convolutional network (`networks.build_cnn`), without augmentation.

    Args:
      images: uint8 [n, H, W, C].
      labels: int [n], 0 and up; images with -1 are left out.
      steps: Updates.
      batch_size: Images in each.
      learning_rate: Of the first.
      width: Channels of the first convolution.
      seed: Of the weights and of the order of the images.

    Returns:
      A function from uint8 [m, H, W, C] to the predicted labels, int [m].

    Raises:
      UserError: No image has a label, or training diverges.
    """
    import tensorflow as tf

    from compare_gan.metrics import networks

    labels = np.asarray(labels)
    labelled = np.flatnonzero(labels >= 0)
    if not len(labelled):
        raise UserError(f"A classifier needs images with labels, received {len(labels)} without.")
    model = networks.build_cnn(
        images.shape[1:], int(labels.max()) + 1, width=width, seed=seed, norm=True
    )

    def loss(images, labels):
        logits = model(tf.cast(images, tf.float32) / 255.0, training=True)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))

    def batches():
        rng, order = np.random.default_rng(seed), np.zeros(0, int)
        while True:
            while len(order) < batch_size:
                order = np.concatenate([order, rng.permutation(labelled)])
            rows, order = order[:batch_size], order[batch_size:]
            yield images[rows], labels[rows].astype(np.int32)

    networks.train(model, loss, batches(), steps, learning_rate)

    @tf.function(autograph=False, reduce_retracing=True)
    def classes(images):
        return tf.argmax(model(tf.cast(images, tf.float32) / 255.0, training=False), axis=1)

    def predict(images):
        starts = range(0, len(images), _PREDICTION_BATCH)
        parts = [classes(images[start : start + _PREDICTION_BATCH]).numpy() for start in starts]
        return np.concatenate([np.zeros(0, int), *parts])

    return predict


def classifier_accuracy(train_images, train_labels, test_images, test_labels, **options) -> float:
    """The accuracy on one set of a classifier trained on another, in [0, 1].

    Args:
      train_images: uint8 [n, H, W, C].
      train_labels: int [n], 0 and up; images with -1 are left out.
      test_images: uint8 [m, H, W, C].
      test_labels: int [m], likewise.
      **options: See `train_classifier`.

    Raises:
      UserError: No image of a set has a label, or training diverges.
    """
    return _accuracy(
        train_classifier(train_images, train_labels, **options), test_images, test_labels
    )


def _accuracy(predict, images, labels) -> float:
    labels = np.asarray(labels)
    labelled = labels >= 0
    if not labelled.any():
        raise UserError(f"An accuracy needs images with labels, received {len(labels)} without.")
    return float(np.mean(predict(images[labelled]) == labels[labelled]))


class _Accuracy(Metric):
    """What the two metrics share."""

    needs = frozenset({"images", "labels"})
    uses_real = True

    def __init__(
        self,
        steps: int = 2000,
        batch_size: int = 64,
        learning_rate: float = 5e-3,
        width: int = 16,
        seed: int = 0,
    ):
        for name in ("steps", "batch_size", "width"):
            check_positive_integer(f"{self.name}.{name}", locals()[name])
        check_range(f"{self.name}.learning_rate", learning_rate)
        self._options = dict(
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            width=width,
            seed=seed,
        )

    def statistics(self, num_images):
        return Collected("images", "labels")

    def options(self):
        return dict(self._options)


@registry.register(
    "metric", "cas", paper="https://arxiv.org/abs/1905.10887", aliases=("gan_train",)
)
class ClassificationAccuracyScore(_Accuracy):
    """Accuracy on real images of a classifier trained on generated ones, in [0, 1].

    Higher is better: it falls where samples lack quality, variety or their classes. Also called
    GAN-train (https://arxiv.org/abs/1807.09499). The classifier is a small one (see
    `train_classifier`), not the ResNet-50 of the paper.

    Args:
      steps: Updates of the classifier.
      batch_size: Images in each.
      learning_rate: Of the first.
      width: Channels of the classifier's first convolution.
      seed: Of its weights and of the order of the images.
    """

    name = "cas"

    def value(self, real, fake):
        predict = train_classifier(fake["images"], fake["labels"], **self._options)
        return {"": _accuracy(predict, real["images"], real["labels"])}


@registry.register("metric", "gan_test", paper="https://arxiv.org/abs/1807.09499")
class GanTest(_Accuracy):
    """Accuracy on generated images of a classifier trained on real ones, in [0, 1].

    High for samples that are of their class, also for a few or for copies: to be read beside `cas`.

    Args:
      steps: Updates of the classifier.
      batch_size: Images in each.
      learning_rate: Of the first.
      width: Channels of the classifier's first convolution.
      seed: Of its weights and of the order of the images.
    """

    name = "gan_test"

    _trained = (None, None)  # A real set, and the classifier that was trained on it.

    def value(self, real, fake):
        # Several sets of samples are scored against one real one: the classifier stays the same.
        if self._trained[0] is not real:
            predict = train_classifier(real["images"], real["labels"], **self._options)
            self._trained = (real, predict)
        return {"": _accuracy(self._trained[1], fake["images"], fake["labels"])}
