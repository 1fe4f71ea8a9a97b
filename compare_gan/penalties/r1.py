"""R1 and R2: the squared gradient of the discriminator at real and at generated images."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.backend import gradient, num_shares
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled, check_range
from compare_gan.types import Tensor


class _SquaredGradient(Penalty):
    """Base of these penalties, which have their weight, `gamma`, in common."""

    def __init__(self, gamma: Scheduled | None = None, interval: int = 1):
        if gamma is not None:
            check_range(f"{self.name}.gamma", gamma)
        super().__init__(0.0 if gamma is None else gamma, interval)
        self.weight = gamma

    def weight_at(self, step: Any, x: Tensor, network: str = "discriminator") -> Any:
        if self.weight is None:
            batch_size, height, width = x.shape[0] * num_shares(), x.shape[1], x.shape[2]
            return 0.00005 * height * width / batch_size
        return super().weight_at(step, x, network)


@registry.register("penalty", "r1", paper="https://arxiv.org/abs/1801.04406")
class R1(_SquaredGradient):
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

    def discriminator_term(
        self,
        discriminator: Callable[[Tensor], Tensor],
        x: Tensor,
        real_gradients: Tensor | None = None,
    ) -> Tensor:
        """Half the mean squared norm of D's gradient, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1].
          x: Float [b, H, W, C] in [0, 1], real images.
          real_gradients: The gradient at `x` if it is known, of the same shape.
        """
        return half_squared_gradient(discriminator, x, real_gradients)


@registry.register("penalty", "r2", paper="https://arxiv.org/abs/1801.04406")
class R2(_SquaredGradient):
    """Gamma / 2 times the squared norm of D's gradient at fakes (Mescheder et al., 2018).

    Like `R1`, at generated images; divide a published gamma by 4 here too.

    Paper: https://arxiv.org/abs/1801.04406.

    Args:
      gamma: Weight, of half the squared norm; a number or a schedule. None: the rule of `R1`.
      interval: Number of discriminator updates between two evaluations.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import R2
      >>> x_fake = np.zeros((2, 2, 2, 1), "float32")
      >>> float(R2(gamma=0.1).discriminator_term(lambda x: x[:, 0, 0] * 3, x_fake))
      4.5
    """

    name = "r2"

    def discriminator_term(
        self,
        discriminator_of_fakes: Callable[[Tensor], Tensor],
        x_fake: Tensor,
        fake_gradients: Tensor | None = None,
    ) -> Tensor:
        """Half the mean squared norm of D's gradient, a scalar in [0, inf).

        Args:
          discriminator_of_fakes: Function from images to logits [b, 1].
          x_fake: Float [b, H, W, C] in [0, 1], generated images.
          fake_gradients: The gradient at `x_fake` if it is known, of the same shape.
        """
        return half_squared_gradient(discriminator_of_fakes, x_fake, fake_gradients)


@registry.register("penalty", "r1_r2", paper="https://arxiv.org/abs/2501.05441")
class R1R2(_SquaredGradient):
    """R1 and R2 with the same gamma: gradients at real and at generated images (R3GAN, 2025).

    The sum of both, as in R3GAN (Huang et al.), where it makes training with `rp_gan` converge.
    Divide a published gamma by 4: images here are in [0, 1].

    Paper: https://arxiv.org/abs/2501.05441.

    Args:
      gamma: Weight, of half the squared norms; a number or a schedule. None: the rule of `R1`.
      interval: Number of discriminator updates between two evaluations; 1 in R3GAN.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import R1R2
      >>> x, critic = np.zeros((2, 2, 2, 1), "float32"), lambda x: x[:, 0, 0] * 3
      >>> float(R1R2(gamma=0.1).discriminator_term(critic, critic, x, x + 1))
      9.0
    """

    name = "r1_r2"

    def discriminator_term(
        self,
        discriminator: Callable[[Tensor], Tensor],
        discriminator_of_fakes: Callable[[Tensor], Tensor],
        x: Tensor,
        x_fake: Tensor,
        real_gradients: Tensor | None = None,
        fake_gradients: Tensor | None = None,
    ) -> Tensor:
        """Half the sum of both mean squared norms, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1], with the labels of real images.
          discriminator_of_fakes: The same with those of generated images.
          x: Float [b, H, W, C] in [0, 1], real images.
          x_fake: Float [b, H, W, C] in [0, 1], generated images.
          real_gradients: The gradient at `x` if it is known, of the same shape.
          fake_gradients: The gradient at `x_fake` likewise.
        """
        real = half_squared_gradient(discriminator, x, real_gradients)
        return real + half_squared_gradient(discriminator_of_fakes, x_fake, fake_gradients)


def half_squared_gradient(
    discriminator: Callable[[Tensor], Tensor], images: Tensor, known: Tensor | None = None
) -> Tensor:
    """Half the mean over images of the squared norm of D's gradient, float32.

    Args:
      discriminator: Function from images to logits [b, 1].
      images: Float [b, H, W, C].
      known: The gradient, which is computed if it is None.
    """
    slopes = gradient(discriminator, images) if known is None else known
    return 0.5 * ops.mean(ops.sum(ops.square(ops.cast(slopes, "float32")), axis=(1, 2, 3)))
