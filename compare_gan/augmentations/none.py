"""No augmentation, for studies that compare with none."""

from compare_gan import registry
from compare_gan.augmentations.base import Augmentation


@registry.register("augmentation", "none")
class NoAugmentation(Augmentation):
    """Leaves images as they are, for studies with and without augmentation.

    Example:
      >>> from compare_gan.augmentations import NoAugmentation
      >>> NoAugmentation()([0.5], None, None, step=0)
      [0.5]
    """

    name = "none"
