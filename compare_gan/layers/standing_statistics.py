"""Standing statistics: batch-norm moments accumulated before sampling instead of during training.

BigGAN evaluates with means over many batches of generated images
(https://arxiv.org/abs/1809.11096, appendix C). A `StandardizeBatch` with
`use_moving_averages=False` stores sums and a count:

    reset_standing_statistics(generator)
    with accumulating_standing_statistics(generator):
        for z, y in batches:
            generator((z, y), training=False)
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


def uses_standing_statistics(model: keras.Model) -> bool:
    """Whether any layer of the model has standing statistics.

    Example:
      >>> import keras
      >>> from compare_gan.layers import BatchNorm, uses_standing_statistics
      >>> layer = BatchNorm(statistics={"use_moving_averages": False})
      >>> uses_standing_statistics(keras.Sequential([keras.Input((4,)), layer]))
      True
      >>> uses_standing_statistics(keras.Sequential([keras.Input((4,)), BatchNorm()]))
      False
    """
    return bool(_layers(model))


def reset_standing_statistics(model: keras.Model) -> None:
    """Discards the moments that the model's layers have accumulated.

    Example:
      >>> import keras
      >>> from compare_gan.layers import BatchNorm, reset_standing_statistics
      >>> layer = BatchNorm(statistics={"use_moving_averages": False})
      >>> model = keras.Sequential([keras.Input((4,)), layer])
      >>> _ = layer.accu.accu_counter.assign(8.0)
      >>> reset_standing_statistics(model)
      >>> bool(layer.accu.accu_counter < 1)
      True
    """
    for layer in _layers(model):
        layer.reset()


@contextlib.contextmanager
def accumulating_standing_statistics(model: keras.Model) -> Iterator[None]:
    """Context in which forward passes with `training=False` accumulate the moments of their batch.

    Example:
      >>> import keras
      >>> from keras import ops
      >>> from compare_gan.layers import BatchNorm, accumulating_standing_statistics
      >>> layer = BatchNorm(statistics={"use_moving_averages": False})
      >>> model = keras.Sequential([keras.Input((4,)), layer])
      >>> with accumulating_standing_statistics(model):
      ...     for _ in range(3):
      ...         y = model(ops.ones((2, 4)), training=False)
      >>> float(layer.accu.accu_counter)
      3.0
    """
    layers = _layers(model)
    for layer in layers:
        layer.update_accus.assign(1.0)
    try:
        yield
    finally:
        for layer in layers:
            layer.update_accus.assign(0.0)


def _layers(model: keras.Model) -> list[Any]:
    return [layer for layer in model._flatten_layers() if hasattr(layer, "accu_counter")]
