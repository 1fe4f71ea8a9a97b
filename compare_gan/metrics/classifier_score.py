"""Inception Score: how sure a classifier is of each image, and how varied its answers are."""

import numpy as np
from scipy.special import log_softmax

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.base import Batch, Metric, Statistics


class EntropyStatistics(Statistics):
    """For each split: the number of images, the sum of p and of p·log p, float64.

    Split i holds the images [i·n // splits, (i + 1)·n // splits) of n, in the order they come.

    Args:
      num_images: n.
      splits: How many splits.
    """

    def __init__(self, num_images: int, splits: int = 1):
        if splits < 1 or num_images < splits:
            raise UserError(
                f"The Inception Score needs 1 split at least and no more splits than images, "
                f"received {splits} splits of {num_images} images."
            )
        self.name = f"entropy-1-of-{num_images}-in-{splits}"
        self._num_images = num_images
        self._ends = [(i + 1) * num_images // splits for i in range(splits)]
        self._seen = 0
        self._count = np.zeros(splits)
        self._p_log_p = np.zeros(splits)
        self._p = None

    def update(self, batch: Batch) -> None:
        logits = np.asarray(batch.logits, np.float64)
        if not np.isfinite(logits).all():
            raise UserError("The logits are not all finite, so there is no Inception Score.")
        log_p = log_softmax(logits, axis=1)
        if self._p is None:
            self._p = np.zeros([len(self._ends), log_p.shape[1]])
        index = self._seen + np.arange(len(log_p))
        self._seen += len(log_p)
        if self._seen > self._num_images:
            raise UserError(f"Received more than the {self._num_images} images announced.")
        split = np.searchsorted(self._ends, index, side="right")
        p = np.exp(log_p)
        for i in np.unique(split):
            rows = split == i
            self._count[i] += rows.sum()
            self._p[i] += p[rows].sum(axis=0)
            # Where p underflows to 0 its term is 0, though log p may be -inf.
            self._p_log_p[i] += np.sum(p[rows] * np.where(p[rows] > 0, log_p[rows], 0.0))

    def result(self) -> dict[str, np.ndarray]:
        if self._seen != self._num_images:
            raise UserError(f"Received {self._seen} images, announced were {self._num_images}.")
        return {"count": self._count, "p": self._p, "p_log_p": self._p_log_p}


def inception_score(logits, splits: int = 1) -> tuple[float, float]:
    """The exponential of the mean KL divergence of p(class | image) from p(class).

    Paper: https://arxiv.org/abs/1606.03498.

    Args:
      logits: [n, k], the classifier's.
      splits: The images are cut into so many parts in order, each scored by itself.

    Returns:
      Mean and standard deviation (ddof 0) over the splits; the score is in [1, k].

    Raises:
      UserError: Fewer images than splits, or a logit is not finite.
    """
    statistics = EntropyStatistics(len(logits), splits)
    statistics.update(Batch(logits=logits))
    scores = _scores(statistics.result())
    return float(scores.mean()), float(scores.std())


def _scores(statistics) -> np.ndarray:
    """The score of each split."""
    marginal = statistics["p"] / statistics["count"][:, None]
    entropy = -np.sum(marginal * np.log(np.where(marginal > 0, marginal, 1.0)), axis=1)
    return np.exp(entropy + statistics["p_log_p"] / statistics["count"])


@registry.register("metric", "inception_score", paper="https://arxiv.org/abs/1606.03498")
class InceptionScore(Metric):
    """Certainty and variety of a classifier's answers to generated images; higher is better.

    Args:
      splits: The score is the mean over so many parts of the images.
    """

    name = "is"
    canonical_name = "inception_score"
    needs = frozenset({"logits"})

    def __init__(self, splits: int = 1):
        self.splits = splits

    def statistics(self, num_images):
        return EntropyStatistics(num_images, self.splits)

    def value(self, fake):
        return {"": _scores(fake).mean()}

    def options(self):
        return {"splits": self.splits}
