"""Inputs and outputs of networks that come from elsewhere, as extractors need them."""

from collections.abc import Sequence

import tensorflow as tf

from compare_gan.errors import UserError


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


def to_range(x: tf.Tensor, value_range: tuple[float, float]) -> tf.Tensor:
    """Maps values from [0, 255] to a range.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.metrics.extractors import model_io
      >>> model_io.to_range(tf.constant([0.0, 255.0]), (-1.0, 1.0)).numpy().tolist()
      [-1.0, 1.0]
    """
    low, high = value_range
    return x * ((high - low) / 255.0) + low


def to_vectors(x: tf.Tensor | None) -> tf.Tensor | None:
    """Averages outputs over the axes between the first and the last one.

    Args:
      x: Outputs [n, …, f], or None.

    Returns:
      The vectors, float32 [n, f], or None.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.metrics.extractors import model_io
      >>> tuple(model_io.to_vectors(tf.zeros([2, 7, 7, 96])).shape)
      (2, 96)
    """
    if x is None:
        return None
    x = tf.cast(x, tf.float32)
    return tf.reduce_mean(x, list(range(1, x.shape.rank - 1)))
