"""Extractors: fixed networks that turn uint8 images into features and class logits."""

from compare_gan.metrics.extractors.base import Extractor
from compare_gan.metrics.extractors.fashion_cnn import FashionCnn
from compare_gan.metrics.extractors.inception import Inception

__all__ = ["Extractor", "FashionCnn", "Inception"]
