"""Augmentations: differentiable changes of every image that the discriminator sees."""

from compare_gan.augmentations.base import Augmentation
from compare_gan.augmentations.diff_augment import DiffAugment

__all__ = ["Augmentation", "DiffAugment"]
