"""Class agreement: whether a conditional generator draws the requested class."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.base import Arrays, ExtractorInfo, ImageBatch, Metric, Statistics


class AgreementStatistics(Statistics):
    """The number of images, and of those whose predicted class is the requested one."""

    name = "agreement-1"

    def __init__(self) -> None:
        self._count = self._agreeing = 0

    def update(self, batch: ImageBatch) -> None:
        if batch.labels is None:
            raise UserError("Class agreement needs the requested class of each image.")
        logits = np.asarray(batch.logits)
        if not np.isfinite(logits).all():
            raise UserError("The logits must be finite to predict a class, received NaN or inf.")
        self._count += len(logits)
        self._agreeing += int(np.sum(logits.argmax(axis=1) == np.asarray(batch.labels)))

    def result(self) -> dict[str, np.ndarray]:
        if not self._count:
            raise UserError("Class agreement needs at least 1 image, received 0.")
        return {"count": np.array(self._count), "agreeing": np.array(self._agreeing)}


def class_agreement(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Share of images whose predicted class is the requested one.

    Args:
      logits: Logits of a classifier, [n, k].
      labels: Requested classes, int [n], numbered as in the classifier.

    Returns:
      The share, in [0, 1].

    Raises:
      UserError: There are no images or no labels, or a logit is not finite.

    Example:
      >>> from compare_gan.metrics import class_agreement
      >>> logits = [[2.0, 1.0], [0.0, 1.0], [3.0, -1.0], [0.0, 0.5]]
      >>> class_agreement(logits, labels=[0, 1, 1, 1])
      0.75
    """
    statistics = AgreementStatistics()
    labels = None if labels is None else np.asarray(labels)
    statistics.update(ImageBatch(logits=np.asarray(logits), labels=labels))
    return _share(statistics.result())


def _share(statistics: Arrays) -> float:
    return float(statistics["agreeing"] / statistics["count"])


@registry.register(
    "metric",
    "class_agreement",
    paper="https://arxiv.org/abs/1610.09585",
)
class ClassAgreement(Metric):
    """Share of generated images whose predicted class is the requested one; higher is better.

    Applicable only if the extractor predicts the classes of the data set. Section 4.1 of the paper
    on AC-GANs calls it the "discriminability" of class-conditional samples.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ClassAgreement, ImageBatch
      >>> metric = ClassAgreement()
      >>> statistics = metric.statistics(num_images=2)
      >>> statistics.update(ImageBatch(logits=np.eye(2), labels=np.array([0, 0])))
      >>> metric.value(fake=statistics.result())
      {'': 0.5}
    """

    name = "class_agreement"
    needs = frozenset({"logits", "labels"})
    better = "higher"

    def statistics(self, num_images: int) -> AgreementStatistics:
        return AgreementStatistics()

    def value(self, fake: Arrays) -> dict[str, float]:
        return {"": _share(fake)}

    def inapplicable(
        self, extractor: ExtractorInfo, class_names: Sequence[str] | None
    ) -> str | None:
        reason = super().inapplicable(extractor, class_names)
        if reason or class_names is None:
            return reason
        if extractor.class_names is None or _plain(extractor.class_names) != _plain(class_names):
            return f"the classes of '{extractor.name}' are not those of the data set"
        return None


def _plain(names: Iterable[str]) -> list[str]:
    """Names in a form to be compared: `T-shirt/top` and `t_shirt_top` are the same class."""
    return ["".join(filter(str.isalnum, str(name).lower())) for name in names]
