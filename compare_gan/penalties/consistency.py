"""Consistency: the discriminator should judge alike what looks alike."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import errors, registry
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor

_Discriminator = Callable[[Tensor], Tensor]
_Draw = Callable[..., Any]


@registry.register("penalty", "cr", paper="https://arxiv.org/abs/1910.12027")
class CR(Penalty):
    """Squared change of D's logits by a flip and shift of real images (Zhang et al., CR-GAN, 2019).

    Half of the images are flipped, and all are shifted by up to an eighth of each side, the
    uncovered border mirrored. Gradients flow through both logits.

    Paper: https://arxiv.org/abs/1910.12027.

    Args:
      weight: Weight of the term, a number or a schedule.
      interval: Number of discriminator updates between two evaluations.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import CR
      >>> x = np.float32([[[[0.0], [1.0]]] * 2])
      >>> def critic(x):  # The logit is the first pixel, which a flip makes 1.
      ...     return x[:, 0, 0]
      >>> float(CR().discriminator_term(critic, x, critic(x), lambda shape: np.full(shape, 0.4)))
      1.0
    """

    name = "cr"
    compares_forwards = True

    def __init__(self, weight: Scheduled = 10.0, interval: int = 1):
        super().__init__(weight, interval)

    def discriminator_term(
        self, discriminator: _Discriminator, x: Tensor, real_logits: Tensor, uniform: _Draw
    ) -> Tensor:
        """Mean squared change of logits, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1].
          x: Float [b, H, W, C], real images.
          real_logits: Float [b, 1], their logits.
          uniform: Function from a shape, batch first, to draws in [0, 1).
        """
        return _change_when_shifted(discriminator, x, real_logits, uniform)


@registry.register("penalty", "bcr", paper="https://arxiv.org/abs/2002.04724")
class BCR(Penalty):
    """Balanced consistency: `CR` on real and on generated images (Zhao et al., 2020).

    Paper: https://arxiv.org/abs/2002.04724.

    Args:
      weight: Weight of both terms, a number or a schedule.
      interval: Number of discriminator updates between two evaluations.

    Example:
      >>> import numpy as np
      >>> from compare_gan.penalties import BCR
      >>> x = np.float32([[[[0.0], [1.0]]] * 2])
      >>> def critic(x):
      ...     return x[:, 0, 0]
      >>> float(BCR().discriminator_term(
      ...     critic, critic, x, 3 * x, critic(x), critic(x), lambda shape: np.full(shape, 0.4)
      ... ))
      10.0
    """

    name = "bcr"
    compares_forwards = True

    def __init__(self, weight: Scheduled = 10.0, interval: int = 1):
        super().__init__(weight, interval)

    def discriminator_term(
        self,
        discriminator: _Discriminator,
        discriminator_of_fakes: _Discriminator,
        x: Tensor,
        x_fake: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
        uniform: _Draw,
    ) -> Tensor:
        """The sum of the mean squared changes of both kinds' logits, a scalar in [0, inf).

        Args:
          discriminator: Function from images to logits [b, 1], with the labels of real images.
          discriminator_of_fakes: The same with those of generated images.
          x: Float [b, H, W, C], real images.
          x_fake: Float [b, H, W, C], generated images.
          real_logits: Float [b, 1], logits of `x`.
          fake_logits: Float [b, 1], logits of `x_fake`.
          uniform: Function from a shape, batch first, to draws in [0, 1).
        """
        return _change_when_shifted(discriminator, x, real_logits, uniform) + _change_when_shifted(
            discriminator_of_fakes, x_fake, fake_logits, uniform
        )


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
        normal: _Draw,
    ) -> Tensor:
        """Minus the mean squared change of pixels by noise in z, a scalar in [-1, 0].

        Args:
          generator: Function from latents to images.
          x_fake: Float [b, H, W, C] in [0, 1], the images of `z`.
          z: Float [b, z_dim].
          normal: Function from a shape, batch first, to standard normal draws.
        """
        return -_distance(x_fake, generator(self._moved(z, normal)))

    def _change_when_moved(
        self,
        discriminator: _Discriminator,
        generator: Callable[[Tensor], Tensor],
        logits: Tensor,
        z: Tensor,
        normal: _Draw,
    ) -> Tensor:
        """Mean squared change of logits by noise in z."""
        images = ops.stop_gradient(generator(self._moved(z, normal)))
        return _distance(logits, discriminator(images))

    def _moved(self, z: Tensor, normal: _Draw) -> Tensor:
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
        discriminator_of_fakes: _Discriminator,
        generator: Callable[[Tensor], Tensor],
        fake_logits: Tensor,
        z: Tensor,
        normal: _Draw,
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
        discriminator: _Discriminator,
        discriminator_of_fakes: _Discriminator,
        generator: Callable[[Tensor], Tensor],
        x: Tensor,
        x_fake: Tensor,
        real_logits: Tensor,
        fake_logits: Tensor,
        z: Tensor,
        uniform: _Draw,
        normal: _Draw,
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
        shifted = _change_when_shifted(discriminator, x, real_logits, uniform)
        shifted = shifted + _change_when_shifted(
            discriminator_of_fakes, x_fake, fake_logits, uniform
        )
        moved = self._change_when_moved(discriminator_of_fakes, generator, fake_logits, z, normal)
        return value_at(self.weight_bcr, step) * shifted + value_at(self.weight_d, step) * moved


def flipped_and_shifted(images: Tensor, uniform: _Draw) -> Tensor:
    """Images half of which are flipped, then all shifted by up to an eighth of each side, mirrored.

    Args:
      images: Float [b, H, W, C].
      uniform: Function from a shape, batch first, to draws in [0, 1): one for each image for the
        flip, then for the shifts of rows and of columns.
    """
    images = ops.convert_to_tensor(images)
    b, height, width, _ = images.shape
    flip, rows, columns = (ops.convert_to_tensor(uniform((b, 1))) for _ in range(3))
    rows, columns = _mirrored_positions(rows, height), _mirrored_positions(columns, width)
    columns = ops.where(flip < 0.5, width - 1 - columns, columns)
    # Products with 0/1 matrices pick rows and columns: their gradient is faster than a gather's.
    picked_rows, picked_columns = (
        ops.one_hot(position, size, dtype=images.dtype)
        for position, size in ((rows, height), (columns, width))
    )
    images = ops.einsum("bij,bjwc->biwc", picked_rows, images)
    return ops.einsum("bij,bhjc->bhic", picked_columns, images)


def _mirrored_positions(draws: Tensor, size: int) -> Tensor:
    """For each row of a shifted image the row that it shows, int32 [b, size]; draws are [b, 1]."""
    most = size // 8
    shift = ops.cast(ops.floor(draws * (2 * most + 1)), "int32") - most
    position = ops.abs(ops.arange(size, dtype="int32")[None, :] + shift)
    return ops.where(position < size, position, 2 * (size - 1) - position)


def _change_when_shifted(
    discriminator: _Discriminator, images: Tensor, logits: Tensor, uniform: _Draw
) -> Tensor:
    """Mean squared change of logits by a flip and shift of the images."""
    return _distance(logits, discriminator(flipped_and_shifted(images, uniform)))


def _distance(one: Tensor, other: Tensor) -> Tensor:
    return ops.mean(ops.square(ops.cast(one, "float32") - ops.cast(other, "float32")))
