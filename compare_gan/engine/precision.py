"""Mixed precision: networks that compute in half precision, and the loss scale of float16.

Variables, optimizer slots, averages, spectral norm, batch moments and losses stay float32; so do
sampling and evaluation, which build networks of their own.
"""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def mixed_precision(precision: str | None) -> Iterator[None]:
    """Makes the networks built inside compute in another precision.

    Args:
      precision: `bfloat16` or `float16`; None leaves the choice to Keras's own setting.

    Example:
      >>> import keras
      >>> from compare_gan.engine import mixed_precision
      >>> with mixed_precision("bfloat16"):
      ...     layer = keras.layers.Dense(2)
      >>> layer.compute_dtype, layer.variable_dtype
      ('bfloat16', 'float32')
    """
    before = keras.config.dtype_policy()
    if precision is not None:
        keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def with_loss_scale(
    optimizer: keras.optimizers.Optimizer, network: keras.Model
) -> keras.optimizers.Optimizer:
    """The optimizer, with a dynamic loss scale where the network computes in float16.

    The scale starts at 2¹⁵. An update whose gradients overflow is skipped and halves the scale;
    2,000 updates in a row without an overflow double it. https://arxiv.org/abs/1710.03740

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> with engine.mixed_precision("float16"):
      ...     network = keras.Sequential([keras.layers.Dense(2)])
      >>> type(engine.with_loss_scale(keras.optimizers.SGD(0.1), network)).__name__
      'LossScaleOptimizer'
    """
    if network.compute_dtype != "float16":
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
