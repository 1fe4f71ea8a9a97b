"""R1: the squared gradient of the discriminator at real images."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.backend import gradient, num_shares
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled, check_range
from compare_gan.types import Tensor


@registry.register("penalty", "r1", paper="https://arxiv.org/abs/1801.04406")
class R1(Penalty):
    """Gamma / 2 times the squared norm of D's gradient at real images (Mescheder et al., 2018).

    The gradient is taken through the augmentations, with respect to the images before them. Images
    here are in [0, 1], where squared gradients are four times those with respect to images in
    [-1, 1]: divide a published gamma by 4.

    Papers: https://arxiv.org/abs/1801.04406; lazy form https://arxiv.org/abs/1912.04958.

    Args:
      gamma: Weight, of half the squared norm; a number or a schedule. None: 0.00005 * H * W / batch
        size, the rule of StyleGAN2-ADA (https://arxiv.org/abs/2006.06676) for images in [0, 1].
      interval: Number of discriminator updates between two evaluations; 16 in StyleGAN2.

    Example:
      >>> from compare_gan.penalties import R1
      >>> R1(gamma=0.1, interval=16).weight
      0.1
    """

    name = "r1"

    def __init__(self, gamma: Scheduled | None = None, interval: int = 1):
        if gamma is not None:
            check_range("r1.gamma", gamma)
        super().__init__(0.0 if gamma is None else gamma, interval)
        self.weight = gamma

    def weight_at(self, step: Any, x: Tensor) -> Any:
        if self.weight is None:
            batch_size, height, width = x.shape[0] * num_shares(), x.shape[1], x.shape[2]
            return 0.00005 * height * width / batch_size
        return super().weight_at(step, x)

    def discriminator_term(self, discriminator: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Half the mean squared norm of D's gradient, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1].
          x: Float [b, H, W, C] in [0, 1], real images.
        """
        slopes = ops.cast(gradient(discriminator, ops.convert_to_tensor(x)), "float32")
        return 0.5 * ops.mean(ops.sum(ops.square(slopes), axis=(1, 2, 3)))
