"""Mode seeking: images of different latents should differ."""

from collections.abc import Callable

from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean, other_rows
from compare_gan.errors import UserError
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor

# The value of the authors' program; the term is at most its inverse.
_EPSILON = 1e-5


@registry.register("penalty", "mode_seeking", paper="https://arxiv.org/abs/1903.05628")
class ModeSeeking(Penalty):
    """The distance of latents over that of their images, in G's loss (Mao et al., MSGAN, 2019).

    A second image is made for each label, from the latent of the neighbour in the batch. The term
    is the inverse of (mean absolute difference of both images / that of both latents), with means
    over the batch, or over a microbatch, whose neighbours are others than in the batch. Differences
    are of images in [0, 1], half of those in [-1, 1], so that the term is twice as large: halve a
    published weight.

    Paper: https://arxiv.org/abs/1903.05628.

    Args:
      weight: Weight of the term, a number or a schedule; the paper's is 1 for images in [-1, 1].
      interval: Number of generator updates between two evaluations; 1 on several replicas.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import ModeSeeking
      >>> z = np.float32([[0, 0], [2, 2]])
      >>> def generator(z):
      ...     return z[:, :, None, None] / 8
      >>> round(float(ModeSeeking().generator_term(generator, generator(z), z)), 2)
      8.0
    """

    name = "mode_seeking"

    def __init__(self, weight: Scheduled = 0.5, interval: int = 1):
        super().__init__(weight, interval)

    def check_batch_size(self, batch_size: int) -> None:
        if batch_size < 2:
            raise UserError(
                f"The penalty '{self.name}' needs batches of at least 2, received {batch_size}."
            )

    def generator_term(
        self, generator: Callable[[Tensor], Tensor], x_fake: Tensor, z: Tensor
    ) -> Tensor:
        """The term, a scalar in [0, 1e5].

        Args:
          generator: Function from latents to images, with the labels of the batch.
          x_fake: Float [b, H, W, C], the images of `z`.
          z: Float [b, z_dim]; b at least 2.

        Raises:
          UserError: The batch has one latent.
        """
        self.check_batch_size(z.shape[0])
        other_z = other_rows(z)
        distances = [
            ops.mean(ops.abs(ops.cast(one, "float32") - ops.cast(other, "float32")))
            for one, other in ((x_fake, generator(other_z)), (z, other_z))
        ]
        of_images, of_latents = cross_replica_mean(distances)
        return 1.0 / (of_images / of_latents + _EPSILON)
