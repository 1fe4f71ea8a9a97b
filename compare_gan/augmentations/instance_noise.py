"""Noise on every image that the discriminator sees."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.augmentations.base import Augmentation
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor


@registry.register("augmentation", "instance_noise", paper="https://arxiv.org/abs/1610.04490")
class InstanceNoise(Augmentation):
    """Normal noise on real and generated images (Sønderby et al., 2017).

    It lets the distributions of real and generated images overlap, so that the discriminator cannot
    separate them by details. It is usually reduced to zero while a run trains, by a schedule. (See
    also Arjovsky and Bottou, https://arxiv.org/abs/1701.04862.)

    Paper: https://arxiv.org/abs/1610.04490.

    Args:
      sigma: Standard deviation for images in [0, 1], a number or a schedule; half of what it is for
        images in [-1, 1]. The default is 0.1 there.

    Raises:
      UserError: `sigma` is negative.

    Example:
      >>> import keras, numpy as np
      >>> from compare_gan.augmentations import InstanceNoise
      >>> from compare_gan.schedules import CosineDecay
      >>> noise = InstanceNoise(CosineDecay(0.1, 0.0, steps=1000))
      >>> images = np.full((2, 8, 8, 1), 0.5, "float32")
      >>> bool((noise(images, None, keras.random.normal, step=1000) == images).numpy().all())
      True
    """

    name = "instance_noise"

    def __init__(self, sigma: Scheduled = 0.05):
        super().__init__()
        check_range("instance_noise.sigma", sigma)
        self.sigma = sigma

    def __call__(
        self,
        images: Tensor,
        uniform: Callable[..., Any],
        normal: Callable[..., Any],
        step: Any = 0,
    ) -> Tensor:
        images = ops.convert_to_tensor(images)
        noise = value_at(self.sigma, step) * normal(tuple(images.shape))
        return images + ops.cast(noise, images.dtype)
