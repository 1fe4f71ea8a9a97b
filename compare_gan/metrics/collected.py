"""Statistics that keep a whole set, for metrics that compare single images."""

import numpy as np

from compare_gan.errors import UserError
from compare_gan.metrics.base import ImageBatch, Statistics


class CollectedFields(Statistics):
    """Fields of `ImageBatch` for every image of a set, in order.

    Args:
      *fields: Names of the fields: `images`, `labels`, `features` or `logits`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch
      >>> from compare_gan.metrics.collected import CollectedFields
      >>> statistics = CollectedFields("labels")
      >>> for labels in ([0, 1], [2]):
      ...     statistics.update(ImageBatch(labels=np.array(labels)))
      >>> statistics.result()["labels"].tolist()
      [0, 1, 2]
    """

    def __init__(self, *fields: str):
        self._parts: dict[str, list[np.ndarray]] = {field: [] for field in fields}
        self.name = f"collected-1-{'-'.join(fields)}"

    def update(self, batch: ImageBatch) -> None:
        for field, parts in self._parts.items():
            values = getattr(batch, field)
            if values is None:
                raise UserError(f"This metric needs {field}, but the images come without them.")
            values = np.asarray(values)
            if field in ("features", "logits") and not np.isfinite(values).all():
                raise UserError(f"The {field} must be finite, received NaN or inf.")
            parts.append(values)

    def result(self) -> dict[str, np.ndarray]:
        if not all(self._parts.values()):
            raise UserError("The set must hold at least 1 image, received none.")
        return {field: _concatenate(parts) for field, parts in self._parts.items()}


def _concatenate(parts: list[np.ndarray]) -> np.ndarray:
    """Joins the parts and replaces them by the whole; each is freed as soon as it is copied."""
    if len(parts) > 1:
        length = sum(map(len, parts))
        whole = np.empty([length, *parts[0].shape[1:]], np.result_type(*parts))
        while parts:
            part = parts.pop()
            np.concatenate([part], out=whole[length - len(part) : length])
            length -= len(part)
        parts.append(whole)
    return parts[0]
