"""Extractors: fixed networks that turn uint8 images into features and class logits."""

from compare_gan.metrics.extractors.base import Extractor, stream
from compare_gan.metrics.extractors.efficientnet_lite import EfficientNetLite0
from compare_gan.metrics.extractors.fashion_cnn import FashionCnn
from compare_gan.metrics.extractors.inception import Inception
from compare_gan.metrics.extractors.keras_models import KerasApplication, KerasModel, SavedModel

__all__ = [
    "EfficientNetLite0",
    "Extractor",
    "FashionCnn",
    "Inception",
    "KerasApplication",
    "KerasModel",
    "SavedModel",
    "stream",
]
