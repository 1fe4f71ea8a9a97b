"""Crops and sizes: from an image of any size to one of a given size.

A transform is a function of an image, uint8 [h, w, C], and a seed, int64 [2], and returns
uint8 [H, W, C]. Images are made smaller with antialiasing, bilinearly.
"""

from collections.abc import Callable

import gin
import tensorflow as tf

from compare_gan.errors import unknown_name

Transform = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def resize(image: tf.Tensor, size: int) -> tf.Tensor:
    """To size x size; the aspect ratio is not kept."""
    image = tf.image.resize(image, [size, size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)


def middle_square(size: int) -> Transform:
    """The greatest square in the middle, resized."""
    return lambda image, seed: resize(_square(image, 0.5), size)


def middle_crop(crop: int, size: int) -> Transform:
    """The middle crop x crop pixels (black where the image is smaller), resized."""

    def transform(image, seed):
        image = tf.image.resize_with_crop_or_pad(image, crop, crop)
        return image if crop == size else resize(image, size)

    return transform


def as_it_is(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """The image itself."""
    return image


@gin.configurable("train_imagenet_transform", denylist=["size"])
def train_imagenet_transform(size: int, crop_method: str = "distorted") -> Transform:
    """The transform of ImageNet's training images; see `imagenet_transform`."""
    return imagenet_transform(size, crop_method)


@gin.configurable("eval_imagenet_transform", denylist=["size"])
def eval_imagenet_transform(size: int, crop_method: str = "middle") -> Transform:
    """The transform of ImageNet's images in evaluation; see `imagenet_transform`."""
    return imagenet_transform(size, crop_method)


def imagenet_transform(size: int, crop_method: str) -> Transform:
    """A square crop, resized.

    Args:
      size: Height and width of the result.
      crop_method: `distorted`: a square of 50 to 100 % of the image's area (where it fits) in a
        random place; `random`: the greatest square, in a random place; `middle`: the greatest
        square in the middle; `none`: the whole image, its aspect ratio changed.

    Raises:
      UserError: `crop_method` is none of these.
    """
    methods = {
        "distorted": _distorted,
        "random": lambda image, seed: _square(image, tf.random.stateless_uniform([], seed)),
        "middle": lambda image, seed: _square(image, 0.5),
        "none": as_it_is,
    }
    if crop_method not in methods:
        raise unknown_name("crop_method", crop_method, methods)
    return lambda image, seed: resize(methods[crop_method](image, seed), size)


def _square(image: tf.Tensor, place) -> tf.Tensor:
    """The greatest square, from the top or left end (`place` 0) to the other (1)."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(height, width)
    top = tf.cast(place * tf.cast(height - side + 1, tf.float32), tf.int32)
    left = tf.cast(place * tf.cast(width - side + 1, tf.float32), tf.int32)
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
