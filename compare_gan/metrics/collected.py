"""Statistics that keep a whole set: for metrics that compare images one by one."""

import numpy as np

from compare_gan.errors import UserError
from compare_gan.metrics.base import Batch, Statistics


class Collected(Statistics):
    """Fields of `Batch` for every image of a set, in order.

    Args:
      *fields: Which: of `images`, `labels`, `features`, `logits`.
    """

    def __init__(self, *fields: str):
        self._parts: dict[str, list[np.ndarray]] = {field: [] for field in fields}
        self.name = f"collected-1-{'-'.join(fields)}"

    def update(self, batch: Batch) -> None:
        for field, parts in self._parts.items():
            values = getattr(batch, field)
            if values is None:
                raise UserError(f"This metric needs {field}, and the images come without.")
            values = np.asarray(values)
            if field in ("features", "logits") and not np.isfinite(values).all():
                raise UserError(f"The {field} are not all finite.")
            parts.append(values)

    def result(self) -> dict[str, np.ndarray]:
        if not all(self._parts.values()):
            raise UserError("The set holds no images.")
        return {field: np.concatenate(parts) for field, parts in self._parts.items()}
