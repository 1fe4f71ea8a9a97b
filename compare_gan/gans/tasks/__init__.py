"""Auxiliary tasks of the discriminator."""

from compare_gan.gans.tasks.auxiliary_classifiers import ACGANTask, ADCGANTask, TACGANTask
from compare_gan.gans.tasks.base import AuxiliaryTask, Head, Seen
from compare_gan.gans.tasks.class_prediction import ClassPredictionTask
from compare_gan.gans.tasks.contrastive import ContraGANTask, ReACGANTask
from compare_gan.gans.tasks.info import InfoTask
from compare_gan.gans.tasks.labelled import label_available
from compare_gan.gans.tasks.rotation import NUM_ROTATIONS, RotationTask, check_square, rotate_90

__all__ = [
    "NUM_ROTATIONS",
    "ACGANTask",
    "ADCGANTask",
    "AuxiliaryTask",
    "ClassPredictionTask",
    "ContraGANTask",
    "Head",
    "InfoTask",
    "ReACGANTask",
    "RotationTask",
    "Seen",
    "TACGANTask",
    "check_square",
    "label_available",
    "rotate_90",
]
