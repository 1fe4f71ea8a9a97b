"""Augmentations: differentiable changes of every image that the discriminator sees."""

from compare_gan.augmentations.ada import ADA
from compare_gan.augmentations.adaptive import AdaptiveAugmentation
from compare_gan.augmentations.apa import APA
from compare_gan.augmentations.base import Augmentation, Examples
from compare_gan.augmentations.diff_augment import DiffAugment
from compare_gan.augmentations.instance_noise import InstanceNoise
from compare_gan.augmentations.none import NoAugmentation

__all__ = [
    "ADA",
    "APA",
    "AdaptiveAugmentation",
    "Augmentation",
    "DiffAugment",
    "Examples",
    "InstanceNoise",
    "NoAugmentation",
]
