"""Kernels for kernel distances."""

import dataclasses
from collections.abc import Callable

import numpy as np

from compare_gan.errors import UserError, check_number, check_positive_integer

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class PolynomialKernel:
    """Polynomial kernel (gamma x·y + coef0)^degree.

    Called with float64 [n, f] and [m, f], it returns float64 [n, m].

    Attributes:
      degree: Degree, a positive integer.
      gamma: Factor of the inner product; None = 1/f.
      coef0: Constant term.

    Raises:
      UserError: A value is not a number, or the degree is not a positive integer.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import PolynomialKernel
      >>> kernel = PolynomialKernel(degree=2, gamma=0.5)
      >>> kernel(np.array([[2.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 3.0]])).tolist()
      [[4.0, 1.0]]
    """

    degree: int = 3
    gamma: float | None = None
    coef0: float = 1.0

    def __post_init__(self) -> None:
        check_positive_integer("degree", self.degree)
        check_number("coef0", self.coef0)
        if self.gamma is not None:
            check_number("gamma", self.gamma)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        base = x @ y.T
        base *= 1.0 / x.shape[1] if self.gamma is None else self.gamma
        base += self.coef0
        power = base
        for _ in range(self.degree - 1):  # NumPy's power takes longer than the matrix product.
            power = power * base if power is base else np.multiply(power, base, out=power)
        return power


@dataclasses.dataclass(frozen=True)
class RbfKernel:
    """Gaussian kernel exp(-|x - y|² / (2 sigma²)).

    Called with float64 [n, f] and [m, f], it returns float64 [n, m].

    Attributes:
      sigma: Width of the kernel, above 0.

    Raises:
      UserError: `sigma` is not a number above 0.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import RbfKernel
      >>> x = np.array([[0.0], [1.0]])
      >>> RbfKernel(sigma=1.0)(x, x).round(4).tolist()
      [[1.0, 0.6065], [0.6065, 1.0]]
    """

    sigma: float = 10.0

    def __post_init__(self) -> None:
        check_number("sigma", self.sigma)
        if not self.sigma > 0:
            raise UserError(f"sigma must be above 0, received {self.sigma!r}.")

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        from sklearn.metrics.pairwise import rbf_kernel  # Takes a second.

        return rbf_kernel(x, y, gamma=0.5 / self.sigma**2)
