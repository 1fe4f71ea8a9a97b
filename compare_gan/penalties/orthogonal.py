"""Orthogonal regularization: the filters of a layer should be perpendicular."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.errors import unknown_name
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor

_NETWORKS = ("generator", "discriminator", "both")


@registry.register("penalty", "orthogonal", paper="https://arxiv.org/abs/1809.11096")
class Orthogonal(Penalty):
    """Squared products of different columns of the kernels (Brock et al., BigGAN, 2018).

    For each kernel W as a matrix [inputs, units] the sum of the squared entries off the diagonal of
    WᵀW; lengths are free. In BigGAN it makes the generator amenable to truncated latents. The
    kernels of equalized layers count as they are scaled at run time. In a grouped convolution only
    units of the same group are compared: those of different groups see different channels.

    Paper: https://arxiv.org/abs/1809.11096.

    Args:
      weight: Weight of the term, a number or a schedule.
      network: The network whose kernels count: `generator`, `discriminator` or `both`.
      interval: Number of updates of the network between two evaluations.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import Orthogonal
      >>> kernel = np.float32([[1, 1], [0, 2]])  # Of the columns (1, 0) and (1, 2).
      >>> float(Orthogonal().generator_term([kernel]))
      2.0
    """

    name = "orthogonal"

    def __init__(self, weight: Scheduled = 1e-4, network: str = "generator", interval: int = 1):
        super().__init__(weight, interval)
        if network not in _NETWORKS:
            raise unknown_name("orthogonal.network", network, _NETWORKS)
        self.network = network

    def term(self, network: str) -> Callable[..., Any] | None:
        return super().term(network) if self.network in (network, "both") else None

    def generator_term(
        self, kernels: Sequence[Tensor], kernel_groups: Sequence[int] | None = None
    ) -> Tensor:
        """The sum over kernels, a scalar in [0, inf).

        Args:
          kernels: Kernels of a network, [..., units] each.
          kernel_groups: Number of groups of each kernel; None = 1 each.
        """
        groups = [1] * len(kernels) if kernel_groups is None else kernel_groups
        terms = [
            _correlation(ops.convert_to_tensor(w), n) for w, n in zip(kernels, groups, strict=True)
        ]
        return sum(terms, ops.zeros(()))

    discriminator_term = generator_term


def _correlation(kernel: Tensor, groups: int) -> Tensor:
    units = kernel.shape[-1] // groups
    matrices = ops.cast(ops.reshape(kernel, (-1, groups, units)), "float32")
    matrices = ops.transpose(matrices, (1, 0, 2))  # [groups, inputs, units].
    transposed = ops.transpose(matrices, (0, 2, 1))
    if units <= matrices.shape[1]:
        products = ops.matmul(transposed, matrices)
        return ops.sum(ops.square(products * (1.0 - ops.eye(units))))
    # WWᵀ is smaller than WᵀW, and its squares have the same sum; the diagonal is taken away.
    products = ops.matmul(matrices, transposed)
    diagonal = ops.sum(ops.square(matrices), axis=1)
    return ops.sum(ops.square(products)) - ops.sum(ops.square(diagonal))
