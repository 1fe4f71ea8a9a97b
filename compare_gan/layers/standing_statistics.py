"""Standing statistics: batch-norm moments accumulated before sampling instead of during training.

BigGAN evaluates with means over many batches of fakes (https://arxiv.org/abs/1809.11096,
appendix C). A `StandardizeBatch` with `use_moving_averages=False` keeps sums and a count:

    reset_standing_statistics(generator)
    with accumulating_standing_statistics(generator):
        for z, y in batches:
            generator((z, y), training=False)
"""

import contextlib

import keras


def uses_standing_statistics(model: keras.Model) -> bool:
    """Whether any layer of the model keeps standing statistics."""
    return bool(_layers(model))


def reset_standing_statistics(model: keras.Model) -> None:
    """Forgets what the model's layers have accumulated."""
    for layer in _layers(model):
        layer.reset()


@contextlib.contextmanager
def accumulating_standing_statistics(model: keras.Model):
    """Inside, forwards with `training=False` add their batch's moments to the accumulators."""
    layers = _layers(model)
    for layer in layers:
        layer.update_accus.assign(1.0)
    try:
        yield
    finally:
        for layer in layers:
            layer.update_accus.assign(0.0)


def _layers(model: keras.Model) -> list:
    return [layer for layer in model._flatten_layers() if hasattr(layer, "accu_counter")]
