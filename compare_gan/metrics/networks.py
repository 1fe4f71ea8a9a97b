"""Small networks that some metrics train, and their training."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from compare_gan import backend, engine
from compare_gan.errors import UserError
from compare_gan.types import Tensor

_COARSEST = 4  # Strides halve the image while it is larger than this.
_EXACT = {"dtype": "float32"}  # Even if the GAN is trained in mixed precision.


def build_cnn(
    image_shape: Sequence[int],
    outputs: int,
    *,
    width: int,
    seed: int,
    num_classes: int | None = None,
    norm: bool,
) -> keras.Model:
    """Builds a convolutional network, with zero outputs.

    The network consists of a 3x3 convolution, of convolutions with stride 2 that double the
    channels (up to 8 · `width`) while the image is larger than 4 pixels, and of two dense layers,
    the first with 8 · `width` units.

    Args:
      image_shape: Shape (H, W, C) of the images.
      outputs: Number of outputs.
      width: Channels of the first convolution.
      seed: Seed of the weights, which depend on the Keras backend too.
      num_classes: Number of classes of one-hot labels, a second input; None = no labels.
      norm: Whether batch norm follows each convolution, which helps in classification.

    Returns:
      A model from images float [n, H, W, C] in [0, 1], or from (images, labels float
      [n, num_classes]), to float32 [n, outputs].

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.networks import build_cnn
      >>> model = build_cnn((8, 8, 3), outputs=10, width=2, seed=0, norm=False)
      >>> tuple(model(np.zeros([5, 8, 8, 3])).shape)
      (5, 10)
    """
    layers = keras.layers
    seeds = itertools.count(1000 * seed + 1)

    def he_normal() -> keras.Initializer:
        return keras.initializers.HeNormal(seed=next(seeds))

    def activated(x: Tensor) -> Tensor:
        x = layers.BatchNormalization(momentum=0.9, **_EXACT)(x) if norm else x
        return layers.LeakyReLU(0.2, **_EXACT)(x)

    images = keras.Input(tuple(image_shape), **_EXACT)
    inputs, x = [images], layers.Rescaling(2.0, offset=-1.0, **_EXACT)(images)
    halvings = max(0, math.ceil(math.log2(max(image_shape[:2]) / _COARSEST)))
    for i in range(halvings + 1):
        filters, strides = width * 2 ** min(i, 3), 2 if i else 1
        convolution = layers.Conv2D(
            filters, 3, strides, padding="same", kernel_initializer=he_normal(), **_EXACT
        )
        x = activated(convolution(x))
    x = layers.Flatten(**_EXACT)(x)
    if num_classes is not None:
        inputs.append(keras.Input((num_classes,), **_EXACT))
        x = layers.Concatenate(**_EXACT)([x, inputs[1]])
    x = layers.Dense(8 * width, kernel_initializer=he_normal(), **_EXACT)(x)
    x = layers.LeakyReLU(0.2, **_EXACT)(x)
    x = layers.Dense(outputs, kernel_initializer="zeros", **_EXACT)(x)
    return keras.Model(inputs if len(inputs) > 1 else images, x)


def train(
    model: keras.Model,
    loss: Callable[..., Tensor],
    batches: Iterable[tuple[Any, ...]],
    steps: int,
    learning_rate: float,
) -> None:
    """Minimizes `loss(*batch)` by Adam, with a learning rate that decays to 0 along a cosine.

    Args:
      model: Model to train; `loss` calls it with `training=True`.
      loss: Function from the tensors of a batch to a scalar.
      batches: At least `steps` tuples of arrays, all with the same shapes.
      steps: Number of updates.
      learning_rate: Initial learning rate.

    Raises:
      UserError: The loss does not stay finite.
    """
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.Adam(schedule)
    variables = model.trainable_variables
    optimizer.build(variables)

    def step(*batch: Tensor) -> Tensor:
        return engine.update(lambda: (loss(*batch), None), variables, optimizer).loss

    step = backend.compiled(step, [*model.variables, *optimizer.variables])
    value: Tensor = 0.0
    for batch in itertools.islice(batches, steps):
        value = step(*batch)
    if not np.isfinite(float(value)):
        raise UserError(
            "The loss of the network that a metric trains is not finite: its learning_rate is too "
            "high, or an image is not finite."
        )
