"""Auxiliary tasks of the discriminator."""

from compare_gan.gans.tasks.base import AuxiliaryTask, Head, Seen
from compare_gan.gans.tasks.class_prediction import ClassPredictionTask, label_available
from compare_gan.gans.tasks.rotation import NUM_ROTATIONS, RotationTask, check_square, rotate_90

__all__ = [
    "NUM_ROTATIONS",
    "AuxiliaryTask",
    "ClassPredictionTask",
    "Head",
    "RotationTask",
    "Seen",
    "check_square",
    "label_available",
    "rotate_90",
]
