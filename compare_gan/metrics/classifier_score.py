"""Inception Score: confidence and variety of a classifier's predictions.

Error budget: within 1e-6 (relative) of a float64 reference for any division into batches and, with
one split, for any order of the images.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy  # It imports its parts when they are first used.

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_matrix
from compare_gan.metrics.base import Arrays, ImageBatch, Metric, Statistics
from compare_gan.types import Direction


class EntropyStatistics(Statistics):
    """Number of images and sums of p and of p·log p in each split, float64.

    Split i holds the images [i·n // splits, (i + 1)·n // splits) of n, in the given order or a
    random one.

    Args:
      num_images: Number of images in the set, n.
      splits: Number of splits.
      shuffle_seed: Seed of the order `RandomState(shuffle_seed).permutation(n)` in which the
        images are split; None = the given order.
      first: Index of the first image that this object sees, if others see those before it.
    """

    def __init__(
        self, num_images: int, splits: int = 1, shuffle_seed: int | None = None, first: int = 0
    ):
        if splits < 1 or num_images < splits:
            raise UserError(
                "The Inception Score needs at least 1 split and no more splits than images, "
                f"received {splits} splits of {num_images} images."
            )
        self.name = f"entropy-1-of-{num_images}-in-{splits}"
        self._num_images = num_images
        ends = [(i + 1) * num_images // splits for i in range(splits)]
        self._split = np.searchsorted(ends, np.arange(num_images), side="right")
        if shuffle_seed is not None:
            self.name += f"-shuffled-{shuffle_seed}"
            order = np.random.RandomState(shuffle_seed).permutation(num_images)
            self._split = self._split[np.argsort(order)]
        self._next = first
        self._count = np.zeros(splits)
        self._p_log_p = np.zeros(splits)
        self._p: np.ndarray | None = None

    def update(self, batch: ImageBatch) -> None:
        logits = as_matrix(batch.logits, "logits").astype(np.float64)
        if not np.isfinite(logits).all():
            raise UserError("The logits of an Inception Score must be finite, received NaN or inf.")
        log_p = scipy.special.log_softmax(logits, axis=1)
        if self._p is None:
            self._p = np.zeros([len(self._count), log_p.shape[1]])
        splits = self._split[self._next : self._next + len(log_p)]
        self._next += len(log_p)
        if self._next > self._num_images:
            raise UserError(f"Expected {self._num_images} images, received more.")
        p = np.exp(log_p)
        for i in np.unique(splits):
            rows = splits == i
            self._count[i] += rows.sum()
            self._p[i] += p[rows].sum(axis=0)
            # If p underflows to 0, its term is 0 although log p may be -inf.
            self._p_log_p[i] += np.sum(p[rows] * np.where(p[rows] > 0, log_p[rows], 0.0))

    def merge(self, other: "EntropyStatistics") -> None:
        """Adds the images of another object with the same options and another `first`."""
        if self.name != other.name:
            raise UserError(
                f"Statistics can be merged only with the same options, received '{self.name}' and "
                f"'{other.name}'."
            )
        self.add_state(other.state())

    def state(self) -> dict[str, np.ndarray]:
        """Returns the sums as arrays that can be sent to another process or host."""
        p = np.zeros([len(self._count), 0]) if self._p is None else self._p
        return {"count": self._count.copy(), "p": p.copy(), "p_log_p": self._p_log_p.copy()}

    def add_state(self, state: Arrays) -> None:
        """Adds the `state` of another object with the same options."""
        if not state["count"].any():
            return
        if self._p is None:
            self._p = np.zeros_like(state["p"])
        self._count += state["count"]
        self._p += state["p"]
        self._p_log_p += state["p_log_p"]

    def result(self) -> dict[str, np.ndarray]:
        seen = int(self._count.sum())
        if seen != self._num_images:
            raise UserError(f"Expected {self._num_images} images, received {seen}.")
        return self.state()


def inception_score(
    logits: npt.ArrayLike, splits: int = 1, shuffle_seed: int | None = None
) -> tuple[float, float]:
    """Inception Score: exponential of the mean KL divergence of p(class | image) from p(class).

    Paper: https://arxiv.org/abs/1606.03498.

    Args:
      logits: Logits of a classifier, [n, k].
      splits: Number of consecutive parts that are scored separately.
      shuffle_seed: Seed of a random order in which the images are split (2020 in torch-fidelity);
        None = the given order.

    Returns:
      Mean and standard deviation (ddof 0) over the splits; each score is in [1, k].

    Raises:
      UserError: There are fewer images than splits, or a logit is not finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import inception_score
      >>> mean, std = inception_score(100.0 * np.eye(3))  # Three images of three classes.
      >>> round(mean, 6), std
      (3.0, 0.0)
    """
    logits = as_matrix(logits, "logits")
    statistics = EntropyStatistics(len(logits), splits, shuffle_seed)
    statistics.update(ImageBatch(logits=logits))
    scores = _scores(statistics.result())
    return float(scores.mean()), float(scores.std())


def _scores(statistics: Arrays) -> np.ndarray:
    """Computes the score of each split."""
    marginal = statistics["p"] / statistics["count"][:, None]
    entropy = -np.sum(marginal * np.log(np.where(marginal > 0, marginal, 1.0)), axis=1)
    return np.exp(entropy + statistics["p_log_p"] / statistics["count"])


@registry.register("metric", "inception_score", paper="https://arxiv.org/abs/1606.03498")
class InceptionScore(Metric):
    """Confidence and variety of a classifier's predictions on generated images; higher is better.

    With several splits, their standard deviation (ddof 0) is reported as `_std_over_splits`.

    Args:
      splits: Number of parts of the set; the score is the mean over them.
      shuffle_seed: Seed of a random order in which the images are split; None = the given order.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch, InceptionScore
      >>> metric = InceptionScore()
      >>> statistics = metric.statistics(num_images=3)
      >>> statistics.update(ImageBatch(logits=100.0 * np.eye(3)))
      >>> round(metric.value(fake=statistics.result())[""], 6)
      3.0
    """

    name = "is"
    canonical_name = "inception_score"
    needs = frozenset({"logits"})
    better = "higher"
    better_by_suffix: ClassVar[Mapping[str, Direction]] = {"std_over_splits": None}

    def __init__(self, splits: int = 1, shuffle_seed: int | None = None):
        self.splits = splits
        self.shuffle_seed = shuffle_seed

    def statistics(self, num_images: int) -> EntropyStatistics:
        return EntropyStatistics(num_images, self.splits, self.shuffle_seed)

    def value(self, fake: Arrays) -> dict[str, float]:
        scores = _scores(fake)
        spread = {"std_over_splits": float(scores.std())} if self.splits > 1 else {}
        return {"": float(scores.mean())} | spread

    def options(self) -> dict[str, object]:
        options: dict[str, object] = {"splits": self.splits}
        if self.shuffle_seed is not None:
            options["shuffle_seed"] = self.shuffle_seed
        return options
