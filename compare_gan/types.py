"""Types that signatures share."""

from typing import Any, Literal, TypeAlias

# A tensor of the current Keras backend, or a value that Keras converts to one: a NumPy array, a
# variable, a symbolic tensor. No static type covers TensorFlow, JAX and PyTorch; docstrings give
# shape, dtype and range.
Tensor: TypeAlias = Any

# Shape of a tensor; an unknown size, such as that of the batch, is None.
TensorShape: TypeAlias = tuple[Any, ...]

# Direction in which a score improves; None if neither lower nor higher values are better as such.
Direction: TypeAlias = Literal["lower", "higher"] | None
