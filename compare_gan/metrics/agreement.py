"""Class agreement: whether a conditional generator draws the class that it was asked for."""

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.base import ImageBatch, Metric, Statistics


class AgreementStatistics(Statistics):
    """The number of images, and of those whose predicted class is the requested one."""

    name = "agreement-1"

    def __init__(self):
        self._count = self._agreeing = 0

    def update(self, batch: ImageBatch) -> None:
        if batch.labels is None:
            raise UserError("Class agreement needs the labels that the images were made for.")
        logits = np.asarray(batch.logits)
        if not np.isfinite(logits).all():
            raise UserError("The logits are not all finite, so no class can be predicted.")
        self._count += len(logits)
        self._agreeing += int(np.sum(logits.argmax(axis=1) == np.asarray(batch.labels)))

    def result(self) -> dict[str, np.ndarray]:
        if not self._count:
            raise UserError("Class agreement needs at least 1 image, received 0.")
        return {"count": np.array(self._count), "agreeing": np.array(self._agreeing)}


def class_agreement(logits, labels) -> float:
    """The share of images whose predicted class is the requested one, in [0, 1].

    Args:
      logits: [n, k], the classifier's.
      labels: int [n], the requested classes, numbered as the classifier does.

    Raises:
      UserError: No images, no labels, or a logit that is not finite.
    """
    statistics = AgreementStatistics()
    statistics.update(ImageBatch(logits=logits, labels=labels))
    return _share(statistics.result())


def _share(statistics) -> float:
    return float(statistics["agreeing"] / statistics["count"])


@registry.register(
    "metric",
    "class_agreement",
    paper="https://arxiv.org/abs/1610.09585",
)
class ClassAgreement(Metric):
    """Share of generated images whose predicted class is the requested one; higher is better.

    Only where the extractor's classes are the data set's. Called "discriminability" of
    class-conditional samples in the paper on AC-GANs, section 4.1.
    """

    name = "class_agreement"
    needs = frozenset({"logits", "labels"})

    def statistics(self, num_images):
        return AgreementStatistics()

    def value(self, fake):
        return {"": _share(fake)}

    def inapplicable(self, extractor, class_names):
        reason = super().inapplicable(extractor, class_names)
        if reason:
            return reason
        if extractor.class_names is None or _plain(extractor.class_names) != _plain(class_names):
            return f"the classes of '{extractor.name}' are not those of the data set"
        return None


def _plain(names) -> list[str]:
    """Names as compared: `T-shirt/top` and `t_shirt_top` are the same class."""
    return ["".join(filter(str.isalnum, str(name).lower())) for name in names]
