"""Kernels of kernel distances."""

import dataclasses
from collections.abc import Callable

import numpy as np

from compare_gan.errors import UserError, check_number, check_positive_integer

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class PolynomialKernel:
    """(gamma x·y + coef0)^degree of float64 [n, f] and [m, f].

    Attributes:
      degree: A positive integer.
      gamma: None = 1/f.
      coef0: A number.
    """

    degree: int = 3
    gamma: float | None = None
    coef0: float = 1.0

    def __post_init__(self):
        check_positive_integer("degree", self.degree)
        check_number("coef0", self.coef0)
        if self.gamma is not None:
            check_number("gamma", self.gamma)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        base = x @ y.T
        base *= 1.0 / x.shape[1] if self.gamma is None else self.gamma
        base += self.coef0
        power = base
        for _ in range(self.degree - 1):  # NumPy's own power takes longer than the product.
            power = power * base if power is base else np.multiply(power, base, out=power)
        return power


@dataclasses.dataclass(frozen=True)
class RbfKernel:
    """exp(-|x - y|² / (2 sigma²)) of float64 [n, f] and [m, f].

    Attributes:
      sigma: Above 0.
    """

    sigma: float = 10.0

    def __post_init__(self):
        check_number("sigma", self.sigma)
        if not self.sigma > 0:
            raise UserError(f"sigma must be above 0, received {self.sigma!r}.")

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        from sklearn.metrics.pairwise import rbf_kernel  # Takes a second.

        return rbf_kernel(x, y, gamma=0.5 / self.sigma**2)
