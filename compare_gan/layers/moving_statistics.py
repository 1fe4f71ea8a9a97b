"""Moving statistics of other weights than the last ones of a training, estimated on batches.

Some layers average statistics of their batches in training: batch norms the moments, StyleGAN2's
mapping network the style. These belong to the weights of the last steps. For other weights, such as
an average over a long part of the training, forward passes estimate them anew:

    with estimating_moving_statistics(generator, len(batches)):
        for z, y in batches:
            generator((z, y), training=False)

A layer with such statistics has `moving_statistics`, a list of its variables, and `estimate_share`,
by which its forward passes with `training=False` add the statistics of a batch; 0 outside of this
context.
"""

import contextlib
from collections.abc import Iterator

import keras
from keras import ops


def moving_statistics(model: keras.Model) -> list[keras.Variable]:
    """The variables that the model's layers move to statistics of batches in training.

    Example:
      >>> import keras
      >>> from compare_gan.layers import BatchNorm, moving_statistics
      >>> model = keras.Sequential([keras.Input((4,)), BatchNorm()])
      >>> [variable.name for variable in moving_statistics(model)]
      ['moving_mean', 'moving_variance']
    """
    layers = model._flatten_layers()
    return [each for layer in layers for each in getattr(layer, "moving_statistics", ())]


@contextlib.contextmanager
def estimating_moving_statistics(model: keras.Model, num_batches: int) -> Iterator[None]:
    """Context in which forward passes replace the moving statistics by the mean over their batches.

    In it, batch norms standardize with the moments of the batch though `training` is False. A
    function that is compiled for these passes must be traced inside the context.

    Args:
      model: The model, built.
      num_batches: Number of passes, all with `training=False`.

    Example:
      >>> import keras, numpy as np
      >>> from compare_gan.layers import BatchNorm, estimating_moving_statistics
      >>> model = keras.Sequential([keras.Input((1,)), BatchNorm()])
      >>> with estimating_moving_statistics(model, 2):
      ...     for batch in ([[0.0], [2.0]], [[4.0], [8.0]]):
      ...         y = model(np.float32(batch), training=False)
      >>> [float(variable.value[0]) for variable in model.layers[0].moving_statistics]
      [3.5, 2.5]
    """
    layers = [each for each in model._flatten_layers() if getattr(each, "moving_statistics", ())]
    for layer in layers:
        for variable in layer.moving_statistics:
            variable.assign(ops.zeros_like(variable.value))
        layer.estimate_share = 1.0 / num_batches
    try:
        yield
    finally:
        for layer in layers:
            layer.estimate_share = 0.0
