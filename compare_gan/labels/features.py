"""Features of images, batch by batch, each with the number of its image."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.sources import with_fixed_threads
from compare_gan.datasets.views import select
from compare_gan.engine.loop import as_float
from compare_gan.errors import DivergenceError

_BATCH = 250


class Extractor:
    """From images [n, H, W, C] to features float32 [n, width], compiled.

    Args:
      model: The backbone; None = the pixels themselves.
      layer: One of its layers.
      grid: Maps are averaged over the cells of a grid of so many rows and columns, at most.
      image_shape: (H, W, C).

    Attributes:
      width: Number of features.
    """

    def __init__(
        self, model: keras.Model | None, layer: str, grid: int, image_shape: tuple[int, int, int]
    ):
        self._outputs = None if model is None else keras.Model(model.input, model.output[layer])
        self._grid = grid
        self._extract = tf.function(self._features, autograph=False, reduce_retracing=True)
        shape = tf.TensorSpec([1, *image_shape], tf.uint8)
        self.width = self._extract.get_concrete_function(shape).output_shapes[1]

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """The features; images uint8, or float in [0, 1]."""
        return self._extract(images)

    def _features(self, images):
        maps = as_float(images)
        if self._outputs is not None:
            maps = self._outputs(maps, training=False)
            if len(maps.shape) == 4:
                sizes = [-(-side // self._grid) for side in maps.shape[1:3]]
                maps = tf.nn.avg_pool2d(maps, sizes, sizes, "SAME")
        return tf.reshape(maps, [-1, int(np.prod(maps.shape[1:]))])


def in_batches(dataset: Dataset, extract, chosen: np.ndarray | None = None) -> Iterator:
    """The features of training images.

    Args:
      dataset: The data set; images as for evaluation, neither cropped at random nor padded.
      extract: An `Extractor`.
      chosen: bool [num_train], the images to take; None = all.

    Yields:
      Numbers of images, int [n], and their features float32 [n, d].

    Raises:
      DivergenceError: Features are not finite.
    """
    source, numbers = dataset.source, np.arange(dataset.num_train, dtype=np.int32)
    if chosen is not None:
        source, numbers = select(source, chosen), np.flatnonzero(chosen).astype(np.int32)
    # The number of the image takes the place of its label.
    batches = source.evaluation("train", _BATCH, len(numbers), numbers).prefetch(2)
    for images, places in with_fixed_threads(batches):
        features = extract(images).numpy()
        if not np.isfinite(features).all():
            raise DivergenceError(
                "The features that labels are inferred from are not finite: where a network learns "
                "them, lower pretext.learning_rate."
            )
        yield places.numpy(), features


def features_of(dataset: Dataset, extract, chosen: np.ndarray | None = None) -> np.ndarray:
    """All of `in_batches` in one array, float32 [n, d], in the order of the data set."""
    chosen = np.ones(dataset.num_train, bool) if chosen is None else chosen
    rows = np.cumsum(chosen) - 1  # Of an image, in the result.
    features = np.empty([chosen.sum(), extract.width], np.float32)
    for numbers, batch in in_batches(dataset, extract, chosen):
        features[rows[numbers]] = batch
    return features
