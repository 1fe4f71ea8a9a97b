"""Features of the training images, batch by batch."""

from collections.abc import Iterator

import keras
import numpy as np

from compare_gan import backend
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.views import select
from compare_gan.engine import as_float, tracked
from compare_gan.errors import DivergenceError
from compare_gan.types import Tensor

_BATCH = 250


class BackboneFeatures:
    """A compiled function from images [n, H, W, C] to features float32 [n, width].

    Example:
      >>> import numpy as np
      >>> from compare_gan.labels import BackboneFeatures
      >>> pixels = BackboneFeatures(None, layer="", grid=1, image_shape=(2, 2, 1))
      >>> np.asarray(pixels(np.full([1, 2, 2, 1], 255, np.uint8))).tolist()
      [[1.0, 1.0, 1.0, 1.0]]

    Args:
      backbone: A network that `make_backbone` made; None = the features are the pixels.
      layer: A layer of the network, an item of `BackboneOptions.layers`.
      grid: Greatest number of rows and columns of the grid over whose cells feature maps are
        averaged.
      image_shape: (H, W, C).

    Attributes:
      width: Number of features.
    """

    def __init__(
        self,
        backbone: keras.Model | None,
        layer: str,
        grid: int,
        image_shape: tuple[int, int, int],
    ):
        images = keras.Input(image_shape) if backbone is None else backbone.input
        maps = images if backbone is None else backbone.output[layer]
        if backbone is not None and len(maps.shape) == 4:
            sizes = tuple(-(-side // grid) for side in maps.shape[1:3])
            maps = keras.layers.AveragePooling2D(sizes, padding="same")(maps)
        model = keras.Model(images, keras.layers.Flatten()(maps))
        self.width: int = model.output.shape[1]
        self._function = backend.compiled(
            lambda images: model(as_float(images), training=False), model.variables
        )

    def __call__(self, images: Tensor | np.ndarray) -> Tensor:
        """The features of images, uint8 or float in [0, 1]."""
        return self._function(images)


def iterate_features(
    dataset: Dataset, compute: BackboneFeatures, mask: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Computes the features of training images batch by batch, in the order of evaluation.

    Args:
      dataset: The data set; its images are taken as for evaluation, neither cropped at random nor
        padded.
      compute: The features.
      mask: bool [num_train], the images to take; None = all.

    Yields:
      Indices of images in the data set, int [n], and their features, float32 [n, width].

    Raises:
      DivergenceError: Features are not finite.
    """
    source, indices = dataset.source, np.arange(dataset.num_train, dtype=np.int32)
    if mask is not None:
        source, indices = select(source, mask), np.flatnonzero(mask).astype(np.int32)
    # Each image comes with its index in place of its label.
    batches = source.evaluation("train", _BATCH, len(indices), indices)
    for images, places in tracked(
        batches, "features of images", len(indices), lambda each: len(each[1])
    ):
        features = keras.ops.convert_to_numpy(compute(images))
        if not np.isfinite(features).all():
            raise DivergenceError(
                "The features that labels are inferred from are not finite: where a network learns "
                "them, lower pretext.learning_rate."
            )
        yield places, features


def compute_features(
    dataset: Dataset, compute: BackboneFeatures, mask: np.ndarray | None = None
) -> np.ndarray:
    """All features of `iterate_features` in one array, in the order of the data set.

    Args:
      dataset: The data set.
      compute: The features.
      mask: bool [num_train], the images to take; None = all.

    Returns:
      float32 [n, width], n the number of images.

    Raises:
      DivergenceError: Features are not finite.
    """
    mask = np.ones(dataset.num_train, bool) if mask is None else mask
    rows = np.cumsum(mask) - 1  # The row of each image in the result.
    features = np.empty([mask.sum(), compute.width], np.float32)
    for indices, batch in iterate_features(dataset, compute, mask):
        features[rows[indices]] = batch
    return features
