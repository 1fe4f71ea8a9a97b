"""Resizing of images to a network's input size, which changes scores by whole points."""

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import PIL.Image
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError, unknown_name
from compare_gan.metrics.extractors.base import Extractor
from compare_gan.types import Tensor

# Descriptions in result rows, by name.
RESIZERS = {
    "tf1_bilinear": "TF1 bilinear, no antialiasing",
    "clean": "clean (Pillow's bicubic, antialiased, not rounded)",
}
_LUMA = (0.299, 0.587, 0.114)  # Rec. 601.


def tf1_bilinear(images: Tensor, size: Sequence[int]) -> Tensor:
    """Resizes as TensorFlow 1 did: bilinear, without half-pixel centres and antialiasing.

    Used by the first FID and Inception Score code and by TF-GAN.

    Args:
      images: Images [n, H, W, C].
      size: New size (height, width).

    Returns:
      The resized images, float32 [n, height, width, C].

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import resizing
      >>> images = np.arange(4.0).reshape(1, 1, 4, 1)
      >>> np.asarray(resizing.tf1_bilinear(images, (1, 2))).ravel().tolist()
      [0.0, 2.0]
    """
    return backend.tf1_bilinear(images, size)


def clean(images: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Resizes with Pillow's antialiased bicubic filter, in float, clipped to [0, 255].

    Paper: https://arxiv.org/abs/2104.11222; the results are those of its program, clean-fid.

    Args:
      images: Images, uint8 [n, H, W, C].
      size: New size (height, width).

    Returns:
      The resized images, float32 [n, height, width, C] in [0, 255].

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import resizing
      >>> images = np.full([2, 8, 8, 3], 7, np.uint8)
      >>> resized = resizing.clean(images, (4, 6))
      >>> resized.shape, float(resized.max())
      ((2, 4, 6, 3), 7.0)
    """
    resized = np.empty([len(images), *size, images.shape[-1]], np.float32)

    def resize(i: int) -> None:
        for channel in range(images.shape[-1]):
            picture = PIL.Image.fromarray(images[i, ..., channel].astype(np.float32))
            picture = picture.resize((size[1], size[0]), PIL.Image.Resampling.BICUBIC)
            np.clip(np.asarray(picture), 0, 255, out=resized[i, ..., channel])

    # Pillow releases the interpreter lock while it resizes.
    list(_pool().map(resize, range(len(images))))
    return resized


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count(), "resize")


def to_channels(images: Tensor, channels: int) -> Tensor:
    """Converts gray images to RGB, or RGB images to gray, if `channels` requires it.

    Args:
      images: Images [n, H, W, C], C = 1 or 3.
      channels: Number of channels that the network takes, 1 or 3.

    Raises:
      UserError: The numbers differ, and one of them is neither 1 nor 3.
    """
    given = images.shape[-1]
    if given == channels:
        return images
    if (given, channels) == (1, 3):
        return ops.repeat(images, 3, axis=-1)
    if (given, channels) == (3, 1):
        luma = np.array(_LUMA, np.float32)
        return ops.tensordot(ops.cast(images, "float32"), luma, 1)[..., None]
    raise UserError(f"The extractor needs images with {channels} channels, received {given}.")


class ResizingExtractor(Extractor):
    """Base class of extractors whose networks take images of one size, or of any size.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors.resizing import ResizingExtractor
      >>> class Pixels(ResizingExtractor):
      ...     name, weights_hash, has_logits = "pixels", "", False
      ...     def __init__(self):
      ...         self.resize_to((1, 2, 3), "tf1_bilinear", "pixels.resizer")
      ...     def forward(self, images):
      ...         return self.resized(images)[:, 0, :, 0], None
      >>> features, _ = Pixels()(np.full([5, 8, 8, 1], 7, np.uint8))
      >>> features.shape, Pixels().resizer
      ((5, 2), 'TF1 bilinear, no antialiasing, to 1x2; gray repeated to RGB')
    """

    def resize_to(self, shape: Sequence[int | None], resizer: str, parameter: str) -> None:
        """Sets the input shape of the network and the resizer.

        Args:
          shape: Shape [height, width, channels]; None = any.
          resizer: Name of the resizer, see `RESIZERS`.
          parameter: Name of the gin parameter of the resizer, for the error message.

        Raises:
          UserError: The resizer is unknown.
        """
        if resizer not in RESIZERS:
            raise unknown_name(parameter, resizer, RESIZERS)
        height, width, channels = shape
        self._size = (height, width) if height and width else None
        self._channels = channels or 3
        self._clean = resizer == "clean" and self._size is not None
        self.takes_floats = not self._clean
        self.resizer = "none"
        if self._size:
            colour = "gray repeated to RGB" if self._channels == 3 else "Rec. 601 luma if RGB"
            self.resizer = f"{RESIZERS[resizer]}, to {height}x{width}; {colour}"

    def prepare(self, images: np.ndarray) -> np.ndarray:
        return clean(images, self._size) if self._size and self._clean else images

    def resized(self, images: Tensor) -> Tensor:
        """Converts the result of `prepare` to the input shape, as float32 in [0, 255]."""
        x = ops.cast(to_channels(images, self._channels), "float32")
        return tf1_bilinear(x, self._size) if self._size and not self._clean else x
