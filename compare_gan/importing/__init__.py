"""Bringing back the weights of models that were trained with the 2019 library (TensorFlow 1)."""

from compare_gan.importing.importer import import_weights

__all__ = ["import_weights"]
