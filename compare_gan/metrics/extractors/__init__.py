"""Extractors: fixed networks that turn uint8 images into features and class logits.

Example:
  >>> import numpy as np
  >>> from compare_gan.metrics.extractors import FashionCnn
  >>> features, logits = FashionCnn()(np.zeros([2, 28, 28, 1], np.uint8))
  >>> features.shape, logits.shape
  ((2, 96), (2, 10))
"""

from compare_gan.metrics.extractors.base import Extractor, stream
from compare_gan.metrics.extractors.efficientnet_lite import EfficientNetLite0
from compare_gan.metrics.extractors.fashion_cnn import FashionCnn
from compare_gan.metrics.extractors.inception import Inception
from compare_gan.metrics.extractors.keras_models import KerasApplication, KerasModel
from compare_gan.metrics.extractors.saved_model import SavedModel
from compare_gan.metrics.extractors.stacked_digits import StackedDigits

__all__ = [
    "EfficientNetLite0",
    "Extractor",
    "FashionCnn",
    "Inception",
    "KerasApplication",
    "KerasModel",
    "SavedModel",
    "StackedDigits",
    "stream",
]
