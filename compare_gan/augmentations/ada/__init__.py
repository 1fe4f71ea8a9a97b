"""ADA's transformations: geometry, colour, frequency bands, noise and cutout."""

from compare_gan.augmentations.ada.augmentation import ADA

__all__ = ["ADA"]
