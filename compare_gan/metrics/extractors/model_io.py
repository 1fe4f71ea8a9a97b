"""Inputs and outputs of networks that come from elsewhere, as extractors need them."""

from collections.abc import Sequence

import keras
from keras import ops

from compare_gan.errors import UserError
from compare_gan.types import Tensor


def check_range(value: Sequence[float], parameter: str) -> tuple[float, float]:
    """Checks the range of values that a model expects.

    Args:
      value: The values that 0 and 255 are mapped to.
      parameter: Name of the gin parameter, for the error message.

    Raises:
      UserError: The range does not consist of two different numbers.

    Example:
      >>> from compare_gan.metrics.extractors import model_io
      >>> model_io.check_range([-1, 1], "keras_model.value_range")
      (-1.0, 1.0)
    """
    if not isinstance(value, (list, tuple)) or len(value) != 2 or value[0] == value[1]:
        raise UserError(f"{parameter} must be two different numbers, received {value!r}.")
    return float(value[0]), float(value[1])


def check_tensorflow(parameter: str, path: str, kind: str) -> None:
    """Checks that functions of TensorFlow can be part of an extractor.

    Args:
      parameter: Name of the gin parameter of the path, for the error message.
      path: Path of the functions.
      kind: Kind of the file, with an article.

    Raises:
      UserError: Keras runs on another backend.

    Example:
      >>> from compare_gan.metrics.extractors import model_io
      >>> model_io.check_tensorflow("saved_model.path", "model", "a SavedModel")
    """
    name = keras.backend.backend()
    if name != "tensorflow":
        raise UserError(
            f"{parameter}: '{path}' is {kind}, which needs KERAS_BACKEND=tensorflow; it is "
            f"'{name}'."
        )


def to_range(x: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Maps values from [0, 255] to a range.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import model_io
      >>> model_io.to_range(np.array([0.0, 255.0]), (-1.0, 1.0)).tolist()
      [-1.0, 1.0]
    """
    low, high = value_range
    return x * ((high - low) / 255.0) + low


def to_vectors(x: Tensor | None) -> Tensor | None:
    """Averages outputs over the axes between the first and the last one.

    Args:
      x: Outputs [n, …, f], or None.

    Returns:
      The vectors, float32 [n, f], or None.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import model_io
      >>> tuple(model_io.to_vectors(np.zeros([2, 7, 7, 96])).shape)
      (2, 96)
    """
    if x is None:
        return None
    x = ops.cast(x, "float32")
    return ops.mean(x, axis=tuple(range(1, len(x.shape) - 1)))
