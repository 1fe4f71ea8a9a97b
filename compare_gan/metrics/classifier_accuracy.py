"""Accuracy of a classifier trained on generated images and tested on real ones, and the reverse."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.metrics.base import Arrays, Metric, SetSize
from compare_gan.metrics.collected import CollectedFields
from compare_gan.types import Tensor

_PREDICTION_BATCH = 256

# From uint8 images [m, H, W, C] to predicted labels, int [m].
Classifier = Callable[[np.ndarray], np.ndarray]


def train_classifier(
    images: np.ndarray,
    labels: npt.ArrayLike,
    *,
    steps: int = 2000,
    batch_size: int = 64,
    learning_rate: float = 5e-3,
    width: int = 16,
    seed: int = 0,
) -> Classifier:
    """Trains a small convolutional network (`networks.build_cnn`), without augmentation.

    Args:
      images: Training images, uint8 [n, H, W, C].
      labels: Their classes, int [n]; images with label -1 are left out.
      steps: Number of updates.
      batch_size: Images in each update.
      learning_rate: Initial learning rate, which decays to 0 along a cosine.
      width: Channels of the first convolution.
      seed: Seed of the weights and of the order of the images.

    Returns:
      A function from uint8 images [m, H, W, C] to the predicted labels, int [m].

    Raises:
      UserError: No image has a label, or training diverges.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import train_classifier
      >>> labels = np.arange(16) % 2  # Black and white images.
      >>> images = np.uint8(255 * labels)[:, None, None, None] * np.ones([1, 4, 4, 1], np.uint8)
      >>> predict = train_classifier(images, labels, steps=20, batch_size=8, width=2)
      >>> predict(images[:4]).tolist()
      [0, 1, 0, 1]
    """
    from compare_gan.metrics import networks

    labels = np.asarray(labels)
    labelled = np.flatnonzero(labels >= 0)
    if not len(labelled):
        raise UserError(
            f"A classifier needs images with labels, received {len(labels)} images without one."
        )
    model = networks.build_cnn(
        images.shape[1:], int(labels.max()) + 1, width=width, seed=seed, norm=True
    )

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        logits = model(ops.cast(images, "float32") / 255.0, training=True)
        return ops.mean(ops.sparse_categorical_crossentropy(labels, logits, from_logits=True))

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rng, order = np.random.default_rng(seed), np.zeros(0, int)
        while True:
            while len(order) < batch_size:
                order = np.concatenate([order, rng.permutation(labelled)])
            rows, order = order[:batch_size], order[batch_size:]
            yield images[rows], labels[rows].astype(np.int32)

    networks.train(model, loss, batches(), steps, learning_rate)

    def logits_of(images: Tensor) -> Tensor:
        return model(ops.cast(images, "float32") / 255.0, training=False)

    compiled = backend.compiled(logits_of, model.variables, any_batch=True)

    def predict(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), _PREDICTION_BATCH)
        parts = (compiled(images[start : start + _PREDICTION_BATCH]) for start in starts)
        classes = [ops.convert_to_numpy(logits).argmax(axis=1) for logits in parts]
        return np.concatenate([np.zeros(0, int), *classes])

    return predict


def classifier_accuracy(
    train_images: np.ndarray,
    train_labels: npt.ArrayLike,
    test_images: np.ndarray,
    test_labels: npt.ArrayLike,
    **options: Any,
) -> float:
    """Accuracy, on one set of images, of a classifier that is trained on another.

    Args:
      train_images: Training images, uint8 [n, H, W, C].
      train_labels: Their classes, int [n]; images with label -1 are left out.
      test_images: Test images, uint8 [m, H, W, C].
      test_labels: Their classes, int [m]; images with label -1 are left out.
      **options: Options of `train_classifier`.

    Returns:
      The accuracy, in [0, 1].

    Raises:
      UserError: No image of a set has a label, or training diverges.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import classifier_accuracy
      >>> labels = np.arange(16) % 2  # Black and white images.
      >>> images = np.uint8(255 * labels)[:, None, None, None] * np.ones([1, 4, 4, 1], np.uint8)
      >>> classifier_accuracy(images, labels, images, labels, steps=20, batch_size=8, width=2)
      1.0
    """
    return _accuracy(
        train_classifier(train_images, train_labels, **options), test_images, test_labels
    )


def _accuracy(predict: Classifier, images: np.ndarray, labels: npt.ArrayLike) -> float:
    labels = np.asarray(labels)
    labelled = labels >= 0
    if not labelled.any():
        raise UserError(
            f"An accuracy needs images with labels, received {len(labels)} images without one."
        )
    return float(np.mean(predict(images[labelled]) == labels[labelled]))


class _ClassifierMetric(Metric):
    """Base class of the two metrics."""

    needs = frozenset({"images", "labels"})
    uses_real = True
    better = "higher"

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
        self._options: dict[str, Any] = dict(
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
            width=width,
            seed=seed,
        )

    def statistics(self, num_images: int) -> CollectedFields:
        return CollectedFields("images", "labels")

    def check_sizes(self, fake: SetSize, real: SetSize | None = None) -> None:
        for name, size in (("generated", fake), ("real", real)):
            if size is not None and not sum(size.class_counts or [size.count]):
                raise UserError(
                    f"{self.name} trains and tests a classifier, but none of the {size.count} "
                    f"{name} images has a label."
                )

    def options(self) -> dict[str, object]:
        return dict(self._options)


@registry.register(
    "metric", "cas", paper="https://arxiv.org/abs/1905.10887", aliases=("gan_train",)
)
class ClassificationAccuracyScore(_ClassifierMetric):
    """Accuracy on real images of a classifier trained on generated ones, in [0, 1].

    Higher is better: the score falls if samples lack quality or variety, or do not show their
    classes. Also called GAN-train (https://arxiv.org/abs/1807.09499). The classifier is a small
    network (see `train_classifier`), not the ResNet-50 of the paper.

    Args:
      steps: Number of updates of the classifier.
      batch_size: Images in each update.
      learning_rate: Initial learning rate, which decays to 0 along a cosine.
      width: Channels of the classifier's first convolution.
      seed: Seed of the weights and of the order of the images.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ClassificationAccuracyScore
      >>> labels = np.arange(16) % 2  # Black and white images.
      >>> images = np.uint8(255 * labels)[:, None, None, None] * np.ones([1, 4, 4, 1], np.uint8)
      >>> metric = ClassificationAccuracyScore(steps=20, batch_size=8, width=2)
      >>> metric.value(
      ...     real={"images": images, "labels": 1 - labels},
      ...     fake={"images": images, "labels": labels},
      ... )
      {'': 0.0}
    """

    name = "cas"

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        predict = train_classifier(fake["images"], fake["labels"], **self._options)
        return {"": _accuracy(predict, real["images"], real["labels"])}


@registry.register("metric", "gan_test", paper="https://arxiv.org/abs/1807.09499")
class GanTest(_ClassifierMetric):
    """Accuracy on generated images of a classifier trained on real ones, in [0, 1].

    High if samples show their classes, even if they are few or copies of real images; compare with
    `cas`, which measures variety too.

    Args:
      steps: Number of updates of the classifier.
      batch_size: Images in each update.
      learning_rate: Initial learning rate, which decays to 0 along a cosine.
      width: Channels of the classifier's first convolution.
      seed: Seed of the weights and of the order of the images.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import GanTest
      >>> labels = np.arange(16) % 2  # Black and white images.
      >>> images = np.uint8(255 * labels)[:, None, None, None] * np.ones([1, 4, 4, 1], np.uint8)
      >>> samples = {"images": images, "labels": labels}
      >>> GanTest(steps=20, batch_size=8, width=2).value(real=samples, fake=samples)
      {'': 1.0}
    """

    name = "gan_test"

    _trained: tuple[Arrays, Classifier] | None = None  # A real set and its classifier.

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        # Several sets of samples are scored against one real set, with the same classifier.
        if self._trained is None or self._trained[0] is not real:
            predict = train_classifier(real["images"], real["labels"], **self._options)
            self._trained = (real, predict)
        return {"": _accuracy(self._trained[1], fake["images"], fake["labels"])}
