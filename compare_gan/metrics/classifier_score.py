"""Inception Score: how sure a classifier is of each image, and how varied its answers are.

Error budget: within 1e-6 (relative) of a float64 reference, for any batches; with one split, in any
order of the images too.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import log_softmax

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_matrix
from compare_gan.metrics.base import ImageBatch, Metric, Statistics


class EntropyStatistics(Statistics):
    """For each split: the number of images, the sum of p and of p·log p, float64.

    Split i holds the images [i·n // splits, (i + 1)·n // splits) of n, in the order they come or
    in a random one.

    Args:
      num_images: n.
      splits: How many splits.
      shuffle_seed: The images are put in the order of `RandomState(shuffle_seed).permutation(n)`
        before they are split; None = in the order they come.
      first: The number of the first image that comes, where other objects see those before.
    """

    def __init__(
        self, num_images: int, splits: int = 1, shuffle_seed: int | None = None, first: int = 0
    ):
        if splits < 1 or num_images < splits:
            raise UserError(
                f"The Inception Score needs 1 split at least and no more splits than images, "
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
        self._p = None

    def update(self, batch: ImageBatch) -> None:
        logits = as_matrix(batch.logits, "logits").astype(np.float64)
        if not np.isfinite(logits).all():
            raise UserError("The logits are not all finite, so there is no Inception Score.")
        log_p = log_softmax(logits, axis=1)
        if self._p is None:
            self._p = np.zeros([len(self._count), log_p.shape[1]])
        splits = self._split[self._next : self._next + len(log_p)]
        self._next += len(log_p)
        if self._next > self._num_images:
            raise UserError(f"Received more than the {self._num_images} images announced.")
        p = np.exp(log_p)
        for i in np.unique(splits):
            rows = splits == i
            self._count[i] += rows.sum()
            self._p[i] += p[rows].sum(axis=0)
            # Where p underflows to 0 its term is 0, though log p may be -inf.
            self._p_log_p[i] += np.sum(p[rows] * np.where(p[rows] > 0, log_p[rows], 0.0))

    def merge(self, other: "EntropyStatistics") -> None:
        """Adds what another object has seen: of the same `num_images`, from another `first` on."""
        if self.name != other.name:
            raise UserError(f"Statistics '{self.name}' and '{other.name}' do not merge.")
        self.add_state(other.state())

    def state(self) -> dict[str, np.ndarray]:
        """All that has been seen, as arrays that can be sent to another process or host."""
        p = np.zeros([len(self._count), 0]) if self._p is None else self._p
        return {"count": self._count.copy(), "p": p.copy(), "p_log_p": self._p_log_p.copy()}

    def add_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Adds what another object of the same options has seen, see `state`."""
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
            raise UserError(f"Received {seen} images, announced were {self._num_images}.")
        return self.state()


def inception_score(
    logits, splits: int = 1, shuffle_seed: int | None = None
) -> tuple[float, float]:
    """The exponential of the mean KL divergence of p(class | image) from p(class).

    Paper: https://arxiv.org/abs/1606.03498.

    Args:
      logits: [n, k], the classifier's.
      splits: The images are cut into so many parts in order, each scored by itself.
      shuffle_seed: The images are put into a random order first (torch-fidelity's seed is 2020);
        None = the order they have.

    Returns:
      Mean and standard deviation (ddof 0) over the splits; the score is in [1, k].

    Raises:
      UserError: Fewer images than splits, or a logit is not finite.
    """
    statistics = EntropyStatistics(len(logits), splits, shuffle_seed)
    statistics.update(ImageBatch(logits=logits))
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

    With several splits also their standard deviation (`_std_over_splits`, ddof 0).

    Args:
      splits: The score is the mean over so many parts of the images.
      shuffle_seed: The images are put into a random order first; None = the order they come in.
    """

    name = "is"
    canonical_name = "inception_score"
    needs = frozenset({"logits"})

    def __init__(self, splits: int = 1, shuffle_seed: int | None = None):
        self.splits = splits
        self.shuffle_seed = shuffle_seed

    def statistics(self, num_images):
        return EntropyStatistics(num_images, self.splits, self.shuffle_seed)

    def value(self, fake):
        scores = _scores(fake)
        spread = {"std_over_splits": scores.std()} if self.splits > 1 else {}
        return {"": scores.mean()} | spread

    def options(self):
        shuffled = self.shuffle_seed is not None
        return {"splits": self.splits} | ({"shuffle_seed": self.shuffle_seed} if shuffled else {})
