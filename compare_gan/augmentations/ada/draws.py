"""The random numbers of one call of ADA: which transformations apply to each image, and how."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras import ops

from compare_gan.types import Tensor


class Count(NamedTuple):
    """How many numbers a transformation needs for each image.

    Attributes:
      gates: Uniform draws that decide whether it applies.
      uniform: Uniform draws of its values.
      normal: Normal draws of its values.
    """

    gates: int = 1
    uniform: int = 0
    normal: int = 0


# In the order in which they are applied.
COUNTS = {
    "xflip": Count(uniform=1),
    "rotate90": Count(uniform=1),
    "xint": Count(uniform=2),
    "scale": Count(normal=1),
    "prerotate": Count(uniform=1),
    "aniso": Count(normal=1),
    "postrotate": Count(uniform=1),
    "xfrac": Count(normal=2),
    "brightness": Count(normal=1),
    "contrast": Count(normal=1),
    "lumaflip": Count(uniform=1),
    "hue": Count(uniform=1),
    "saturation": Count(normal=1),
    "filter": Count(gates=4, normal=4),
    "noise": Count(normal=1),
    "cutout": Count(uniform=2),
}
# An image is rotated if one of the two rotations applies, so each has less than its probability.
_HALVES = ("prerotate", "postrotate")


class Draws:
    """The draws for a batch: one uniform and one normal array, with columns by transformation.

    Args:
      strengths: Factor of the probability of each transformation that may apply.
      p: Probability, a number or a scalar.
      uniform: As for `Augmentation`.
      normal: Likewise.
      b: Number of images.
    """

    def __init__(
        self,
        strengths: Mapping[str, float],
        p: Any,
        uniform: Callable[..., Any],
        normal: Callable[..., Any],
        b: int,
    ):
        self.names = [name for name in COUNTS if name in strengths]
        counts = [COUNTS[name] for name in self.names]
        uniforms = uniform((b, sum(count.gates + count.uniform for count in counts)))
        normals = normal((b, max(1, sum(count.normal for count in counts))))
        self._applied: dict[str, Tensor] = {}
        self._values: dict[str, Tensor] = {}
        u = n = 0
        for name, count in zip(self.names, counts, strict=True):
            chance = strengths[name] * p
            if name in _HALVES:
                chance = 1.0 - ops.sqrt(1.0 - chance)
            self._applied[name] = uniforms[:, u : u + count.gates] < chance
            u += count.gates
            if count.uniform:
                self._values[name] = uniforms[:, u : u + count.uniform]
            else:
                self._values[name] = normals[:, n : n + count.normal]
            u, n = u + count.uniform, n + count.normal

    def values(self, name: str) -> Tensor:
        """The values of a transformation: uniform in [0, 1) or normal, float32 [b, k]."""
        return self._values[name]

    def value(self, name: str) -> Tensor:
        """The single value of a transformation for each image, float32 [b]."""
        return self._values[name][:, 0]

    def gated(self, name: str, amounts: Tensor, identity: float) -> Tensor:
        """The amounts where the transformation applies, elsewhere the one that changes nothing.

        Args:
          name: Name of the transformation.
          amounts: float32 [b], or [b, k].
          identity: The amount that changes nothing.
        """
        applied = self._applied[name]
        return ops.where(applied if amounts.ndim == 2 else applied[:, 0], amounts, identity)
