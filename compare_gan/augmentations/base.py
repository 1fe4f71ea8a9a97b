"""The interface of augmentations."""

from collections.abc import Callable
from typing import Any

from compare_gan.memory import Memory
from compare_gan.types import Tensor

# Images, float [b, H, W, C] in [0, 1], and their labels, float [b, num_classes]; None without any.
Examples = tuple[Tensor, Tensor | None]


class Augmentation(Memory):
    """A random, differentiable change of images before the discriminator sees them.

    The GAN applies it to real and to generated images, in the steps of both networks. The draws
    follow from the seed of the batch; they are independent for the real and the generated half, and
    the same each time that a half is shown within one step. A gradient penalty differentiates
    through it, with respect to the images before it.

    A subclass sets `name` and overrides `__call__` or `replace_real`. It may own variables, which
    it creates in `build`.

    Attributes:
      name: Name in checkpoints.

    Example:
      >>> import numpy as np
      >>> from compare_gan.augmentations import Augmentation
      >>> class Fade(Augmentation):
      ...     name = "fade"
      ...
      ...     def __call__(self, images, uniform, normal, step):
      ...         return images * uniform((images.shape[0], 1, 1, 1))
      >>> images = Fade()(np.ones((2, 4, 4, 1)), lambda shape: np.full(shape, 0.5), None, step=0)
      >>> float(images.max())
      0.5
    """

    name: str

    def __call__(
        self,
        images: Tensor,
        uniform: Callable[..., Any],
        normal: Callable[..., Any],
        step: Any,
    ) -> Tensor:
        """Changes images: not at all unless overridden.

        Args:
          images: Float [b, H, W, C] in [0, 1].
          uniform: Function from a static shape, batch first, to float32 draws in [0, 1).
          normal: Function from a static shape, batch first, to standard normal float32 draws.
          step: Number of finished generator steps.

        Returns:
          Float [b, H, W, C]. Values outside [0, 1] are allowed.
        """
        return images

    def replace_real(
        self, real: Examples, fake: Examples, uniform: Callable[..., Any], step: Any
    ) -> Examples:
        """Replaces real examples of a discriminator step: none unless overridden.

        The result is what all terms of the discriminator's loss take for the real half. It is
        augmented afterwards. Tasks learn from the labels of a second call with the same draws, in
        which the generated images have no label.

        Args:
          real: Real images and their labels.
          fake: Generated images, through which no gradient flows, and their labels.
          uniform: Function from a static shape, batch first, to float32 draws in [0, 1).
          step: Number of finished generator steps.
        """
        return real

    def measures(self, step: Any) -> dict[str, Any]:
        """Numbers to log as `augmentation/<name>_<key>`, scalars: none unless overridden.

        Args:
          step: Number of finished generator steps.
        """
        return {}

    def update(self, real_logits: Tensor, fake_logits: Tensor, step: Any) -> None:
        """Adapts the variables: nothing unless overridden. Called once in a discriminator step.

        Args:
          real_logits: Float32 [b, 1], the discriminator's logits of this replica's real images.
          fake_logits: Float32 [b, 1], its logits of generated images.
          step: Number of finished generator steps.
        """
