"""Sources of image files, decoded by TensorFlow where Keras uses it, otherwise by Pillow.

PNG files decode to the same pixels either way. Of JPEG files TensorFlow computes an approximation
that is faster to compute and differs by some levels from the exact one, which Pillow computes.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import keras
import numpy as np
from PIL import Image

from compare_gan.datasets import resizing, sources
from compare_gan.datasets.image_headers import open_image
from compare_gan.datasets.lazy import tf
from compare_gan.datasets.prefetching import Prefetched
from compare_gan.datasets.sources import (
    ArraySource,
    Examples,
    Lazy,
    RandomAccessSource,
    Source,
    on_host,
    with_fixed_threads,
)
from compare_gan.datasets.transforms import middle_square
from compare_gan.errors import UserError
from compare_gan.startup import available_cores
from compare_gan.terminal import sentence_of

_log = logging.getLogger(__name__)

_PIECE = 256
# Begins TensorFlow's messages.
_PREFIX = re.compile(r"Error in user-defined function passed to .* iterator: \S+: ")

# The weights of red, green and blue in a gray level, of 2^15, as libpng rounds them.
_GRAY = np.array([9797, 19234, 3737], np.int32)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DecodingSource(RandomAccessSource):
    """Images decoded or computed one by one when they are needed.

    Attributes:
      load_tensor: Function of a split and an index (an int64 tensor) that returns an image, uint8
        [H, W, C]; TensorFlow operations only.
      load_array: Function of a split and an index that returns the image as an array; several
        threads call it.
      true_labels: Labels of each split, int32 [n], -1 for no label.
    """

    load_tensor: Callable[[str, tf.Tensor], tf.Tensor]
    load_array: Callable[[str, int], np.ndarray]
    true_labels: Mapping[str, np.ndarray]

    def labels(self, split: str) -> np.ndarray:
        return self.true_labels[split]

    def read(self, split: str, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        images = indices.unbatch().map(lambda i: self.load_tensor(split, i), available_cores())
        return images.batch(size)

    def gather(self, split: str, indices: np.ndarray) -> np.ndarray:
        load = functools.partial(self.load_array, split)
        return np.stack(list(_threads().map(load, indices.tolist())))

    def evaluation(
        self, split: str, batch_size: int, count: int, labels: np.ndarray | None
    ) -> Iterator[Examples]:
        if keras.backend.backend() != "tensorflow":
            yield from Prefetched(super().evaluation(split, batch_size, count, labels))
            return
        labels = self.labels(split) if labels is None else labels
        order = list(self.evaluation_order(split, batch_size, count))
        indices = tf.data.Dataset.from_tensor_slices(np.concatenate(order)).batch(batch_size)
        batches = self.read(split, indices, batch_size).prefetch(2)
        batches = with_fixed_threads(batches).as_numpy_iterator()
        for indices in order:
            try:
                images = next(batches)
            except tf.errors.OpError as error:
                self._raise_for_broken(split, indices, error)
            yield images, labels[indices]

    @contextlib.contextmanager
    def broken_files_named(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if "decode_image" not in str(error):  # As TensorFlow names the operation.
                raise
            count = self.splits["train"]
            _log.warning("Looking for the image that cannot be decoded, among %d.", count)
            self._raise_for_broken("train", np.arange(count), error)

    def _raise_for_broken(self, split: str, indices: np.ndarray, error: Exception) -> NoReturn:
        """Raises the UserError of the first of these images that is broken, else `error`."""
        for start in range(0, len(indices), _PIECE):
            self.gather(split, indices[start : start + _PIECE])
        raise error


def source_of_files(
    paths: Mapping[str, Sequence[str]], image_size: int | None, **attributes: Any
) -> Source:
    """A source of image files.

    The images are held in memory if they take at most `sources.MEMORY_LIMIT` bytes; otherwise they
    are decoded when needed.

    Args:
      paths: The PNG and JPEG files of each split.
      image_size: Size to which the middle square of each image is resized; None = no resizing.
      **attributes: The other attributes of the source, including `true_labels`.
    """
    shape = attributes["image_shape"]
    if sum(attributes["splits"].values()) * np.prod(shape) > sources.MEMORY_LIMIT:
        tensors = Lazy(lambda split: on_host(np.array(paths[split])))
        return DecodingSource(
            load_tensor=lambda split, i: _decode_tensor(tensors[split][i], shape, image_size),
            load_array=lambda split, i: decode(paths[split][i], shape, image_size),
            **attributes,
        )

    def read_all(split: str) -> np.ndarray:
        images = np.empty([len(paths[split]), *shape], np.uint8)
        for index, image in enumerate(_decode_all(paths[split], shape, image_size)):
            images[index] = image
        return images

    images = {split: functools.partial(read_all, split) for split in paths}
    return ArraySource(images=images, **attributes)


def decode(path: str, shape: tuple[int, int, int], image_size: int | None) -> np.ndarray:
    """Decodes a PNG or JPEG file with Pillow, to the pixels that TensorFlow makes of it.

    Args:
      path: The file.
      shape: (H, W, C) of the result, C 1 (gray) or 3 (colour).
      image_size: Size to which the middle square is resized; None = no resizing.

    Returns:
      uint8 [H, W, C].

    Raises:
      UserError: The file cannot be decoded.

    Example:
      >>> import os, tempfile
      >>> from PIL import Image
      >>> from compare_gan.datasets.decoding import decode
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.png")
      ...     Image.new("RGB", (2, 1), "red").save(path)
      ...     decode(path, (1, 2, 3), None).tolist()
      [[[255, 0, 0], [255, 0, 0]]]
    """
    try:
        with open_image(path) as image:
            pixels = _to_gray(image) if shape[-1] == 1 else _to_colour(image)
    except (OSError, SyntaxError, ValueError) as error:  # SyntaxError: a damaged PNG.
        raise UserError(f"'{path}' cannot be decoded: {error}") from error
    if image_size:
        pixels = resizing.middle_square(pixels, image_size)
    if pixels.shape != tuple(shape):
        raise UserError(f"'{path}' has changed: it is {pixels.shape[1]}x{pixels.shape[0]} now.")
    return pixels


def _to_colour(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        return np.repeat(_to_gray(image), 3, axis=-1)
    return np.asarray(image.convert("RGB"))


def _to_gray(image: Image.Image) -> np.ndarray:
    if image.format == "JPEG":
        image.draft("L", None)  # The brightness as the file holds it, instead of its colours' mean.
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
    if image.mode in ("1", "L", "LA"):
        return np.asarray(image.convert("L"))[..., None]
    colours = np.asarray(image.convert("RGB")).astype(np.int32)
    gray = colours @ _GRAY >> 15
    # What is gray already stays as it is.
    same = (colours == colours[..., :1]).all(-1)
    return np.where(same, colours[..., 0], gray).astype(np.uint8)[..., None]


def _decode_tensor(
    path: tf.Tensor, shape: tuple[int, int, int], image_size: int | None
) -> tf.Tensor:
    content = tf.io.read_file(path)
    image = tf.io.decode_image(content, channels=shape[-1], expand_animations=False)
    if image_size:
        image = middle_square(image_size)(image, None)
    return tf.ensure_shape(image, shape)


def _decode_all(
    paths: Sequence[str], shape: tuple[int, int, int], image_size: int | None
) -> Iterator[np.ndarray]:
    """The images of files, in their order."""
    if keras.backend.backend() != "tensorflow":
        yield from _threads().map(lambda path: decode(path, shape, image_size), paths)
        return
    dataset = tf.data.Dataset.from_tensor_slices(np.array(paths))
    decoded = dataset.map(lambda path: _decode_tensor(path, shape, image_size), available_cores())
    remaining = iter(paths)
    try:
        for image in with_fixed_threads(decoded).as_numpy_iterator():
            next(remaining)
            yield image
    except tf.errors.OpError as error:
        # Elements arrive in order: the failed one is the next.
        reason = _PREFIX.sub("", sentence_of(error))
        raise UserError(f"'{next(remaining)}' cannot be decoded: {reason}") from error


@functools.cache
def _threads() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(available_cores(), "decode")
