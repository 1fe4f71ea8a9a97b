"""How images are brought to a network's size: scores move by whole points with it."""

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
import tensorflow as tf

from compare_gan.errors import UserError, unknown_name

# By name, what result rows say of them.
RESIZERS = {
    "tf1_bilinear": "TF1 bilinear, no antialiasing",
    "clean": "clean (Pillow's bicubic, antialiased, not rounded)",
}
_LUMA = (0.299, 0.587, 0.114)  # Rec. 601.


def check_resizer(name: str, parameter: str) -> None:
    """Raises UserError unless the value that a config gives for `parameter` names a resizer."""
    if name not in RESIZERS:
        raise unknown_name(parameter, name, RESIZERS)


def describe(name: str, size: Sequence[int], channels: int = 3) -> str:
    """What result rows say of a resizer, as one line."""
    colour = "gray repeated to RGB" if channels == 3 else "Rec. 601 luma if RGB"
    return f"{RESIZERS[name]}, to {size[0]}x{size[1]}; {colour}"


def tf1_bilinear(images: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """As TensorFlow 1 resized: without half-pixel centres, without antialiasing.

    What the first FID and Inception Score code did, and TF-GAN does.

    Args:
      images: [n, H, W, C].
      size: (height, width).

    Returns:
      float32 [n, height, width, C].
    """
    return tf.compat.v1.image.resize_bilinear(tf.cast(images, tf.float32), tuple(size))


def clean(images: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Pillow's bicubic, antialiased, each channel in float and cut off at 0 and 255.

    Paper: https://arxiv.org/abs/2104.11222, whose program this agrees with.

    Args:
      images: uint8 [n, H, W, C].
      size: (height, width).

    Returns:
      float32 [n, height, width, C] in [0, 255].
    """
    resized = np.empty([len(images), *size, images.shape[-1]], np.float32)

    def resize(i):
        for channel in range(images.shape[-1]):
            picture = PIL.Image.fromarray(images[i, ..., channel].astype(np.float32))
            picture = picture.resize((size[1], size[0]), PIL.Image.Resampling.BICUBIC)
            np.clip(picture, 0, 255, out=resized[i, ..., channel])

    # Pillow lets other threads run while it resizes.
    list(_pool().map(resize, range(len(images))))
    return resized


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "resize")


def to_channels(images: tf.Tensor, channels: int) -> tf.Tensor:
    """Gray images repeated to RGB, or RGB ones made gray, as a network of `channels` needs it.

    Raises:
      UserError: One of the two is neither 1 nor 3.
    """
    given = images.shape[-1]
    if given == channels:
        return images
    if (given, channels) == (1, 3):
        return tf.repeat(images, 3, axis=-1)
    if (given, channels) == (3, 1):
        return tf.tensordot(tf.cast(images, tf.float32), tf.constant(_LUMA), 1)[..., None]
    raise UserError(f"The extractor takes {channels} channels, the images have {given}.")
