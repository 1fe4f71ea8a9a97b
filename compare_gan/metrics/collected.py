"""Statistics that keep a whole set: for metrics that compare images one by one."""

import numpy as np

from compare_gan.errors import UserError
from compare_gan.metrics.base import ImageBatch, Statistics


class Collected(Statistics):
    """Fields of `ImageBatch` for every image of a set, in order.

    Args:
      *fields: Which: of `images`, `labels`, `features`, `logits`.
    """

    def __init__(self, *fields: str):
        self._parts: dict[str, list[np.ndarray]] = {field: [] for field in fields}
        self.name = f"collected-1-{'-'.join(fields)}"

    def update(self, batch: ImageBatch) -> None:
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
        return {field: _joined(parts) for field, parts in self._parts.items()}


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """The parts in one array, which takes their place: they are let go one after another."""
    if len(parts) > 1:
        length = sum(map(len, parts))
        whole = np.empty([length, *parts[0].shape[1:]], np.result_type(*parts))
        while parts:
            part = parts.pop()
            np.concatenate([part], out=whole[length - len(part) : length])
            length -= len(part)
        parts.append(whole)
    return parts[0]
