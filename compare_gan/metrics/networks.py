"""The small networks that some metrics train, and their training."""

import itertools
import math
from collections.abc import Callable, Iterable

import keras
import numpy as np
import tensorflow as tf

from compare_gan.errors import UserError

_COARSEST = 4  # Strides halve the image while it is larger than this.
_EXACT = {"dtype": "float32"}  # Also where the GAN is trained in mixed precision.


def build_cnn(
    image_shape, outputs: int, *, width: int, seed: int, num_classes: int | None = None, norm: bool
) -> keras.Model:
    """A convolutional network whose weights follow from the seed; its outputs begin at 0.

    A 3x3 convolution; then, while the image is larger than 4 pixels, one of stride 2 to twice the
    channels (8 · `width` at most); then two dense layers, the first of 8 · `width` units.

    Args:
      image_shape: (H, W, C).
      outputs: How many.
      width: Channels of the first convolution.
      seed: Of the weights.
      num_classes: The network also sees one-hot labels; None = it does not.
      norm: Batch norm after convolutions, which helps in classification.

    Returns:
      A model from images float [n, H, W, C] in [0, 1], or from (images, labels float
      [n, num_classes]), to float32 [n, outputs].
    """
    layers = keras.layers
    seeds = itertools.count(1000 * seed + 1)

    def he_normal():
        return keras.initializers.HeNormal(seed=next(seeds))

    def activated(x):
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
    loss: Callable[..., tf.Tensor],
    batches: Iterable[tuple],
    steps: int,
    learning_rate: float,
) -> None:
    """Minimizes `loss(*batch)` by Adam; the learning rate falls to 0 along a cosine.

    Args:
      model: What is trained; `loss` calls it with `training=True`.
      loss: From the tensors of a batch to a scalar.
      batches: At least `steps` tuples of arrays, all of one shape.
      steps: How many updates.
      learning_rate: Of the first update.

    Raises:
      UserError: The loss does not stay finite.
    """
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    optimizer = keras.optimizers.Adam(schedule)
    variables = model.trainable_variables
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step(*batch):
        with tf.GradientTape() as tape:
            value = loss(*batch)
        optimizer.apply(tape.gradient(value, variables), variables)
        return value

    value = tf.constant(0.0)
    for batch in itertools.islice(batches, steps):
        value = step(*(tf.convert_to_tensor(part) for part in batch))
    if not np.isfinite(value.numpy()):
        raise UserError(
            "The loss of a network that a metric trains is not finite: its learning_rate is too "
            "high, or an image is not finite."
        )
