"""Types shared by signatures."""

from typing import Any, TypeAlias

# A tensor of the Keras backend that is in use, or what Keras converts to one: a NumPy array, a
# variable, a symbolic tensor. No static type covers TensorFlow, JAX and PyTorch; docstrings give
# shape, dtype and range.
Tensor: TypeAlias = Any

# Shape of a tensor; None is a size that is not known yet, such as that of the batch.
TensorShape: TypeAlias = tuple[Any, ...]
