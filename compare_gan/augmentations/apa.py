"""APA: generated images among the real ones."""

from collections.abc import Callable
from typing import Any

from keras import ops

from compare_gan import registry
from compare_gan.augmentations.adaptive import AdaptiveAugmentation
from compare_gan.augmentations.base import Examples
from compare_gan.backend import other_rows


@registry.register("augmentation", "apa", paper="https://arxiv.org/abs/2111.06849")
class APA(AdaptiveAugmentation):
    """Generated images shown to D as real, more of them as it overfits (Jiang et al., 2021).

    In a discriminator step each real image is replaced with probability p by a generated one of the
    batch, with its label, which conditions the discriminator; to auxiliary tasks it is an image
    without a label. It is the neighbour of the one at the same place, with which losses of pairs
    (`rp_gan`) compare it. The others are not changed, nor are the images of generator steps. It may
    be combined with other augmentations, which come after it.

    Paper: https://arxiv.org/abs/2111.06849.

    Args:
      p: Probability, a number or a schedule; None = it adapts, beginning at 0.
      target: Mean sign of D's logits of the images shown as real at which p stays as it is.
      images: Number of images, shown to D as real, in which p can rise from 0 to 1.
      interval: Number of discriminator steps between two changes of p.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> import numpy as np
      >>> from compare_gan.augmentations import APA
      >>> real, fake = np.ones((2, 4, 4, 1), "float32"), np.zeros((2, 4, 4, 1), "float32")
      >>> draw = lambda shape: np.reshape(np.float32([0.1, 0.9]), shape)
      >>> images, _ = APA(p=0.5).replace_real((real, None), (fake, None), draw, step=0)
      >>> [float(image.mean()) for image in images.numpy()]
      [0.0, 1.0]
    """

    name = "apa"

    def replace_real(
        self, real: Examples, fake: Examples, uniform: Callable[..., Any], step: Any
    ) -> Examples:
        (images, labels), (fake_images, fake_labels) = real, fake
        fake_images = other_rows(fake_images)
        replaced = uniform((images.shape[0], 1, 1, 1)) < self.probability(step)
        images = ops.where(replaced, fake_images, images)
        if labels is not None and fake_labels is not None:
            labels = ops.where(replaced[:, :, 0, 0], other_rows(fake_labels), labels)
        return images, labels
