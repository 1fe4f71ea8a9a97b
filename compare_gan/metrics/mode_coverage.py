"""Mode coverage: how many classes of a classifier generated images fall into, and how evenly."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_matrix
from compare_gan.metrics.base import Arrays, ImageBatch, Metric, Statistics
from compare_gan.types import Direction

_PRIOR = 0.5  # Images added to each class of the reference, so that its share is never 0.


class ClassCounts(Statistics):
    """The number of images of each predicted class."""

    name = "class-counts-1"

    def __init__(self) -> None:
        self._counts: np.ndarray | None = None

    def update(self, batch: ImageBatch) -> None:
        logits = as_matrix(batch.logits, "logits")
        if not np.isfinite(logits).all():
            raise UserError("The logits must be finite to predict a class, received NaN or inf.")
        counts = np.bincount(logits.argmax(axis=1), minlength=logits.shape[1])
        self._counts = counts if self._counts is None else self._counts + counts

    def result(self) -> dict[str, np.ndarray]:
        if self._counts is None:
            raise UserError("Mode coverage needs at least 1 image, received 0.")
        return {"counts": self._counts}


def mode_coverage(real_logits: npt.ArrayLike, fake_logits: npt.ArrayLike) -> tuple[int, float]:
    """Number of classes that generated images are predicted as, and their divergence.

    Both depend on the number of generated images: with few of them, classes are missed by chance.

    Paper: https://arxiv.org/abs/1705.07761, section 4.1, where both are called after VEEGAN's
    experiment with 1,000 modes.

    Args:
      real_logits: Logits of a classifier for reference images, [n, k].
      fake_logits: Logits for generated images, [m, k].

    Returns:
      The number of classes in [1, k], and the Kullback-Leibler divergence of the predicted classes
      of generated images from those of the reference, in nats, to each of whose classes half an
      image is added.

    Raises:
      UserError: There are no images, or a logit is not finite.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import mode_coverage
      >>> modes, divergence = mode_coverage(np.eye(4), np.eye(4)[:2])
      >>> modes, round(divergence, 4)  # log 2: two of four equal classes.
      (2, 0.6931)
    """
    results = []
    for logits in (real_logits, fake_logits):
        statistics = ClassCounts()
        statistics.update(ImageBatch(logits=as_matrix(logits, "logits")))
        results.append(statistics.result()["counts"])
    return _scores(*results)


def _scores(real: np.ndarray, fake: np.ndarray) -> tuple[int, float]:
    reference = real + _PRIOR
    p, q = fake / fake.sum(), reference / reference.sum()
    seen = fake > 0
    return int(seen.sum()), float(np.sum(p[seen] * np.log(p[seen] / q[seen])))


@registry.register("metric", "mode_coverage", paper="https://arxiv.org/abs/1705.07761")
class ModeCoverage(Metric):
    """Number of classes that generated images are predicted as; `_kl`, their divergence, in nats.

    Made for data of many known modes, such as `stacked_digits` with the extractor of this name.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch, ModeCoverage
      >>> metric = ModeCoverage()
      >>> sets = []
      >>> for logits in (np.eye(4), np.eye(4)[:2]):
      ...     statistics = metric.statistics(num_images=len(logits))
      ...     statistics.update(ImageBatch(logits=logits))
      ...     sets.append(statistics.result())
      >>> metric.value(real=sets[0], fake=sets[1])[""]
      2.0
    """

    name = "mode_coverage"
    needs = frozenset({"logits"})
    uses_real = True
    better = "higher"
    better_by_suffix: ClassVar[Mapping[str, Direction]] = {"kl": "lower"}

    def statistics(self, num_images: int) -> ClassCounts:
        return ClassCounts()

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        modes, divergence = _scores(real["counts"], fake["counts"])
        return {"": float(modes), "kl": divergence}
