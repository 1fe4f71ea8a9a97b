"""How images are brought to a network's size: scores move by whole points with it."""

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
import tensorflow as tf

from compare_gan.errors import UserError, unknown_name
from compare_gan.metrics.extractors.base import Extractor

# By name, what result rows say of them.
RESIZERS = {
    "tf1_bilinear": "TF1 bilinear, no antialiasing",
    "clean": "clean (Pillow's bicubic, antialiased, not rounded)",
}
_LUMA = (0.299, 0.587, 0.114)  # Rec. 601.


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


class ResizingExtractor(Extractor):
    """An extractor whose network takes images of one size, or of any."""

    def resize_to(self, shape: Sequence[int | None], resizer: str, parameter: str) -> None:
        """Notes the [height, width, channels] that the network takes; None = any.

        Raises:
          UserError: The value that a config gives for `parameter` names no resizer.
        """
        if resizer not in RESIZERS:
            raise unknown_name(parameter, resizer, RESIZERS)
        *size, channels = shape
        self._size = tuple(size) if all(size) else None
        self._channels = channels or 3
        self._clean = resizer == "clean" and self._size is not None
        self.takes_floats = not self._clean
        self.resizer = "none"
        if self._size:
            colour = "gray repeated to RGB" if self._channels == 3 else "Rec. 601 luma if RGB"
            self.resizer = f"{RESIZERS[resizer]}, to {size[0]}x{size[1]}; {colour}"

    def prepare(self, images):
        return clean(images, self._size) if self._clean else images

    def resized(self, images: tf.Tensor) -> tf.Tensor:
        """What `prepare` returned, as float32 in [0, 255] of the network's size and channels."""
        x = tf.cast(to_channels(images, self._channels), tf.float32)
        return tf1_bilinear(x, self._size) if self._size and not self._clean else x
