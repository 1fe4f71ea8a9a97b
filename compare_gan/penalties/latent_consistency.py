"""Consistency of latents: noise in z should change images, not logits."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import errors, registry
from compare_gan.penalties.base import Penalty
from compare_gan.penalties.consistency import Discriminator, Draw, change_when_shifted, distance
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor


class _LatentConsistency(Penalty):
    """Base of `ZCR` and `ICR`, which have the generator's term in common."""

    def __init__(
        self,
        weight_d: Scheduled = 20.0,
        weight_g: Scheduled = 2.0,
        sigma: float = 0.05,
        interval: int = 1,
    ):
        super().__init__(1.0, interval)
        self.weight = None
        check_range(f"{self.name}.weight_d", weight_d)
        check_range(f"{self.name}.weight_g", weight_g)
        errors.check_range(f"{self.name}.sigma", sigma)
        self.weight_d = weight_d
        self.weight_g = weight_g
        self.sigma = sigma

    def generator_term(
        self,
        generator: Callable[[Tensor], Tensor],
        x_fake: Tensor,
        z: Tensor,
        normal: Draw,
    ) -> Tensor:
        """Minus the mean squared change of pixels by noise in z, a scalar in [-1, 0].

        Args:
          generator: Function from latents to images.
          x_fake: Float [b, H, W, C] in [0, 1], the images of `z`.
          z: Float [b, z_dim].
          normal: Function from a shape, batch first, to standard normal draws.
        """
        return -distance(x_fake, generator(self._moved(z, normal)))

    def _change_when_moved(
        self,
        discriminator: Discriminator,
        generator: Callable[[Tensor], Tensor],
        logits: Tensor,
        z: Tensor,
        normal: Draw,
    ) -> Tensor:
        """Mean squared change of logits by noise in z."""
        images = ops.stop_gradient(generator(self._moved(z, normal)))
        return distance(logits, discriminator(images))

    def _moved(self, z: Tensor, normal: Draw) -> Tensor:
        z = ops.stop_gradient(ops.convert_to_tensor(z))
        return z + self.sigma * ops.cast(normal(tuple(z.shape)), z.dtype)


@registry.register("penalty", "zcr", paper="https://arxiv.org/abs/2002.04724")
class ZCR(_LatentConsistency):
    """Latent consistency: noise in z should change G's images, not D's logits (Zhao et al., 2020).

    D's term is the squared change of its logits by normal noise added to the latents; G's is minus
    the squared change of its images. Images are in [0, 1], where squared differences are a fourth
    of those in [-1, 1]: multiply a published weight of G's term by 4.

    Paper: https://arxiv.org/abs/2002.04724.

    Args:
      weight_d: Weight of D's term, a number or a schedule.
      weight_g: Weight of G's term, likewise; the usual 0.5 for images in [-1, 1].
      sigma: Standard deviation of the noise.
      interval: Number of updates of a network between two evaluations.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import ZCR
      >>> def generator(z):
      ...     return z[:, :, None, None] * 4
      >>> z = np.zeros((1, 1), "float32")
      >>> def normal(shape):
      ...     return np.ones(shape, "float32")
      >>> round(float(ZCR(sigma=0.5).generator_term(generator, generator(z), z, normal)), 2)
      -4.0
    """

    name = "zcr"
    compares_forwards = True

    def weight_at(self, step: Any, x: Tensor, network: str = "discriminator") -> Any:
        return value_at(self.weight_d if network == "discriminator" else self.weight_g, step)

    def discriminator_term(
        self,
        discriminator_of_fakes: Discriminator,
        generator: Callable[[Tensor], Tensor],
        fake_logits: Tensor,
        z: Tensor,
        normal: Draw,
    ) -> Tensor:
        """Mean squared change of logits, a scalar in [0, inf).

        Args:
          discriminator_of_fakes: Function from images to logits [b, 1].
          generator: Function from latents to images.
          fake_logits: Float [b, 1], logits of the images of `z`.
          z: Float [b, z_dim].
          normal: Function from a shape, batch first, to standard normal draws.
        """
        return self._change_when_moved(discriminator_of_fakes, generator, fake_logits, z, normal)


@registry.register("penalty", "icr", paper="https://arxiv.org/abs/2002.04724")
class ICR(_LatentConsistency):
    """Improved consistency: `BCR` and `ZCR` together (Zhao et al., 2020).

    The term of the discriminator's loss is the sum of theirs with their weights, and is logged so.

    Paper: https://arxiv.org/abs/2002.04724.

    Args:
      weight: Weight of the terms of `BCR`, a number or a schedule.
      weight_d: Weight of D's term of `ZCR`, likewise.
      weight_g: Weight of G's term of `ZCR`, likewise; the usual 0.5 for images in [-1, 1].
      sigma: Standard deviation of the noise added to latents.
      interval: Number of updates of a network between two evaluations.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.penalties import ICR
      >>> ICR(weight_d=5.0).weight_bcr
      10.0
    """

    name = "icr"
    compares_forwards = True

    def __init__(
        self,
        weight: Scheduled = 10.0,
        weight_d: Scheduled = 20.0,
        weight_g: Scheduled = 2.0,
        sigma: float = 0.05,
        interval: int = 1,
    ):
        check_range("icr.weight", weight)
        super().__init__(weight_d, weight_g, sigma, interval)
        self.weight_bcr = weight

    def weight_at(self, step: Any, x: Tensor, network: str = "discriminator") -> Any:
        return 1.0 if network == "discriminator" else value_at(self.weight_g, step)

    def discriminator_term(
        self,
        discriminator: Discriminator,
        discriminator_of_fakes: Discriminator,
        generator: Callable[[Tensor], Tensor],
        x: Tensor,
        x_fake: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
        z: Tensor,
        uniform: Draw,
        normal: Draw,
        step: Any,
    ) -> Tensor:
        """The weighted sum of the mean squared changes of logits, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1], with the labels of real images.
          discriminator_of_fakes: The same with those of generated images.
          generator: Function from latents to images.
          x: Float [b, H, W, C], real images.
          x_fake: Float [b, H, W, C], generated images.
          real_logits: Float [b, 1], logits of `x`.
          fake_logits: Float [b, 1], logits of `x_fake`.
          z: Float [b, z_dim], latents of `x_fake`.
          uniform: Function from a shape, batch first, to draws in [0, 1).
          normal: Function from a shape, batch first, to standard normal draws.
          step: Number of finished generator steps.
        """
        shifted = change_when_shifted(discriminator, x, real_logits, uniform)
        shifted = shifted + change_when_shifted(
            discriminator_of_fakes, x_fake, fake_logits, uniform
        )
        moved = self._change_when_moved(discriminator_of_fakes, generator, fake_logits, z, normal)
        return value_at(self.weight_bcr, step) * shifted + value_at(self.weight_d, step) * moved
