"""Instance selection: training on the images in the densest regions of a data set."""

from collections.abc import Callable
from typing import Any

import numpy as np

from compare_gan import registry
from compare_gan.array_cache import cached
from compare_gan.datasets.sources import Source
from compare_gan.datasets.views import images_digest
from compare_gan.digests import digest
from compare_gan.engine.progress import tracked

_BATCH = 100
_BLOCK = 4096  # Images whose features are in float64 at a time.
_RIDGE = 1e-5  # Added to the variances of features, as in the authors' program.


def gaussian_scores(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The density of each image: the log-likelihood of a normal distribution fitted to its class.

    Paper: https://arxiv.org/abs/2007.15255.

    Args:
      features: float [n, d].
      labels: int [n]; images without a label, -1, count as a class.

    Returns:
      float64 [n].

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.instance_selection import gaussian_scores
      >>> features = np.array([[0.0], [0.1], [-0.1], [5.0]])
      >>> int(gaussian_scores(features, np.zeros(4, int)).argmin())
      3
    """
    scores, size = np.empty(len(features)), features.shape[1]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        # In blocks: the features of a large class in float64 may not fit into memory.
        blocks = [members[i : i + _BLOCK] for i in range(0, len(members), _BLOCK)]
        mean = sum(features[block].sum(axis=0, dtype=np.float64) for block in blocks) / len(members)
        covariance = _RIDGE * np.eye(size)
        for block in blocks:
            centred = features[block] - mean
            covariance += centred.T @ centred / len(members)
        lower = np.linalg.cholesky(covariance)
        volume = 2 * np.log(np.diag(lower)).sum() + size * np.log(2 * np.pi)
        for block in blocks:
            distances = np.sum(np.linalg.solve(lower, (features[block] - mean).T) ** 2, axis=0)
            scores[block] = -0.5 * (distances + volume)
    return scores


def densest(scores: np.ndarray, labels: np.ndarray, fraction: float) -> np.ndarray:
    """The images with the highest scores of their class.

    Args:
      scores: float [n].
      labels: int [n]; images without a label, -1, count as a class.
      fraction: Fraction of each class; those above the percentile 100 - 100 * `fraction`, at least
        one.

    Returns:
      bool [n].

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.instance_selection import densest
      >>> densest(np.array([1.0, 3.0, 2.0, 4.0]), np.zeros(4, int), fraction=0.5).tolist()
      [False, True, False, True]
    """
    chosen = np.zeros(len(scores), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        own = scores[members]
        chosen[members] = own > np.percentile(own, 100 * (1 - fraction))
        chosen[members[own.argmax()]] = True
    return chosen


def choose_densest(
    source: Source, name: str, labels: np.ndarray, fraction: float, extractor: Any
) -> np.ndarray:
    """Chooses the training images in the densest regions of their class (DeVries et al., 2020).

    Training on fewer, more typical images makes samples better and less diverse, in less time. The
    paper keeps half of ImageNet. The scores are stored in the cache.

    Paper: https://arxiv.org/abs/2007.15255.

    Args:
      source: The data set.
      name: Its name.
      labels: int [n], the class of each training image, -1 for no label.
      fraction: Fraction of each class in (0, 1].
      extractor: Registered name, or class, of an extractor of features.

    Returns:
      bool [n].

    Raises:
      UserError: The extractor is unknown, or its weights are missing.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import get_dataset
      >>> from compare_gan.datasets.instance_selection import choose_densest
      >>> source = get_dataset("fashion_mnist_10k", fraction=0.01).source
      >>> labels = source.labels("train")
      >>> int(choose_densest(source, "a part", labels, 0.5, "fashion_cnn").sum())
      50
    """
    extract = registry.get("extractor", extractor)()
    key = {
        "dataset": name,
        "statistics": "gaussian_scores-1",
        "count": len(labels),
        "content": images_digest(source),
        "labels": digest(labels.astype(np.int32)),
        "extractor": extract.name,
        "weights": extract.weights_hash,
        "resizer": extract.resizer,
    }

    def score() -> dict[str, np.ndarray]:
        return {"scores": gaussian_scores(_features(source, extract), labels)}

    return densest(cached(key, score)["scores"], labels, fraction)


def _features(source: Source, extract: Callable[..., Any]) -> np.ndarray:
    """The features of all training images, float32 [n, d], in the order of the data set."""
    count = source.splits["train"]
    # Each image comes with its index in place of its label.
    batches = source.evaluation("train", _BATCH, count, np.arange(count, dtype=np.int32))
    features = None
    for images, places in tracked(batches, "features of images", count, lambda each: len(each[1])):
        if images.dtype != np.uint8:
            images = np.round(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
        batch, _ = extract(images)
        if features is None:
            features = np.empty((count, batch.shape[1]), np.float32)
        features[places] = batch
    assert features is not None
    return features
