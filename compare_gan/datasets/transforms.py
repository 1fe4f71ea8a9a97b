"""Transforms: square crops and resizing, from images of any size to images of one size.

A transform is a function of an image, uint8 [h, w, C], and a seed, int64 [2], that returns an
image, uint8 [H, W, C]. Images are resized bilinearly, with antialiasing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import gin

from compare_gan.datasets.lazy import tf
from compare_gan.errors import unknown_name
from compare_gan.types import Tensor

Transform = Callable[[Tensor, Tensor], Tensor]

CROP_METHODS = ("distorted", "random", "middle", "none")


@gin.configurable("train_imagenet_transform")
@dataclasses.dataclass(frozen=True)
class TrainCropOptions:
    """The crop of ImageNet's training images (gin scope `train_imagenet_transform`).

    Attributes:
      crop_method: A method of `imagenet_transform`.
    """

    crop_method: str = "distorted"

    def __post_init__(self) -> None:
        _check_crop_method("train_imagenet_transform.crop_method", self.crop_method)


@gin.configurable("eval_imagenet_transform")
@dataclasses.dataclass(frozen=True)
class EvalCropOptions:
    """The crop of ImageNet's images in evaluation (gin scope `eval_imagenet_transform`).

    Attributes:
      crop_method: A method of `imagenet_transform`.
    """

    crop_method: str = "middle"

    def __post_init__(self) -> None:
        _check_crop_method("eval_imagenet_transform.crop_method", self.crop_method)


@dataclasses.dataclass(frozen=True)
class ImagenetOptions:
    """Options of the crops of ImageNet's images.

    Attributes:
      train_crop: Options for training images.
      eval_crop: Options for evaluation images.
    """

    train_crop: TrainCropOptions = dataclasses.field(default_factory=TrainCropOptions)
    eval_crop: EvalCropOptions = dataclasses.field(default_factory=EvalCropOptions)

    def transforms(self, size: int) -> tuple[Transform, Transform]:
        """The transforms of training and of evaluation images to size x size."""
        return (
            imagenet_transform(size, self.train_crop.crop_method),
            imagenet_transform(size, self.eval_crop.crop_method),
        )


def resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """The image at size x size; the aspect ratio may change.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.transforms import resize
      >>> resize(np.full([8, 6, 3], 7, np.uint8), 4).shape.as_list()
      [4, 4, 3]
    """
    image = tf.image.resize(image, [size, size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def middle_square(size: int) -> Transform:
    """The largest square in the middle, resized to size x size.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.datasets.transforms import middle_square
      >>> transform = middle_square(2)
      >>> image = tf.constant([[[0], [1], [2], [3]], [[4], [5], [6], [7]]], tf.uint8)
      >>> transform(image, tf.zeros([2], tf.int64))[..., 0].numpy().tolist()
      [[1, 2], [5, 6]]
    """
    return lambda image, seed: resize(_square(image, 0.5), size)


def middle_crop(crop: int, size: int) -> Transform:
    """The middle crop x crop pixels (padded with black if the image is smaller), resized."""

    def transform(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        image = tf.image.resize_with_crop_or_pad(image, crop, crop)
        return image if crop == size else resize(image, size)

    return transform


def unchanged(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The image itself: the transform of data sets whose images all have the right size."""
    return image


def imagenet_transform(size: int, crop_method: str) -> Transform:
    """A square crop, resized.

    Args:
      size: Height and width of the result.
      crop_method: `distorted`: a square of 50 to 100 % of the image's area (if it fits) at a
        random position; `random`: the largest square, at a random position; `middle`: the largest
        square in the middle; `none`: the whole image, its aspect ratio changed.

    Raises:
      UserError: `crop_method` is none of these.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan.datasets.transforms import imagenet_transform
      >>> transform = imagenet_transform(16, "random")
      >>> image = tf.zeros([30, 40, 3], tf.uint8)
      >>> transform(image, tf.constant([1, 2], tf.int64)).shape.as_list()
      [16, 16, 3]
    """
    _check_crop_method("crop_method", crop_method)
    methods: dict[str, Transform] = {
        "distorted": _distorted,
        "random": lambda image, seed: _square(image, tf.random.stateless_uniform([], seed)),
        "middle": lambda image, seed: _square(image, 0.5),
        "none": unchanged,
    }
    return lambda image, seed: resize(methods[crop_method](image, seed), size)


def _check_crop_method(parameter: str, method: str) -> None:
    if method not in CROP_METHODS:
        raise unknown_name(parameter, method, CROP_METHODS)


def _square(image: tf.Tensor, position: tf.Tensor | float) -> tf.Tensor:
    """The largest square, from the top or left end (`position` 0) to the other end (1)."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width)
    top = tf.cast(position * tf.cast(height - side + 1, tf.float32), tf.int32)
    left = tf.cast(position * tf.cast(width - side + 1, tf.float32), tf.int32)
    return image[top : top + side, left : left + side]


def _distorted(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image),
        tf.zeros([1, 0, 4]),
        seed,
        min_object_covered=0.0,
        aspect_ratio_range=[1.0, 1.0],
        area_range=[0.5, 1.0],
        use_image_if_no_bounding_boxes=True,
    )
    return tf.slice(image, begin, extent)
