"""Sources of images that are decoded or computed one by one."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from compare_gan.datasets import decoding, resizing, sources
from compare_gan.datasets.decoding import Colour, ImageFile
from compare_gan.datasets.image_headers import ImageError
from compare_gan.datasets.lazy import tf
from compare_gan.datasets.prefetching import Prefetched
from compare_gan.datasets.sources import (
    ArraySource,
    Examples,
    RandomAccessSource,
    Source,
    with_fixed_threads,
)
from compare_gan.errors import UserError
from compare_gan.startup import available_cores

_Shape = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class DecodingSource(RandomAccessSource):
    """Images decoded or computed one by one when they are needed.

    Attributes:
      load_array: Function of a split and an index that returns the image, uint8 [H, W, C]; several
        threads call it.
      load_tensor: Function of a split and an index (an int64 tensor) that computes the same image
        by TensorFlow's operations; None = there is none, and pipelines call `load_array`.
      true_labels: Labels of each split, int32 [n], -1 for no label.
    """

    load_array: Callable[[str, int], np.ndarray]
    load_tensor: Callable[[str, tf.Tensor], tf.Tensor] | None = None
    true_labels: Mapping[str, np.ndarray]
    # What `load_array` has raised inside of a pipeline, which only reports that something was.
    _errors: list[UserError] = dataclasses.field(default_factory=list, init=False, repr=False)

    def labels(self, split: str) -> np.ndarray:
        return self.true_labels[split]

    def read(self, split: str, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        if self.load_tensor is None:
            return indices.map(functools.partial(self._gather_tensor, split))
        load_tensor = self.load_tensor
        images = indices.unbatch().map(lambda i: load_tensor(split, i), available_cores())
        return images.batch(size)

    def gather(self, split: str, indices: np.ndarray) -> np.ndarray:
        load = functools.partial(self.load_array, split)
        return np.stack(list(_threads().map(load, indices.tolist())))

    def evaluation(
        self, split: str, batch_size: int, count: int, labels: np.ndarray | None
    ) -> Iterator[Examples]:
        if self.load_tensor is None or keras.backend.backend() != "tensorflow":
            yield from Prefetched(super().evaluation(split, batch_size, count, labels))
            return
        labels = self.labels(split) if labels is None else labels
        order = list(self.evaluation_order(split, batch_size, count))
        indices = tf.data.Dataset.from_tensor_slices(np.concatenate(order)).batch(batch_size)
        batches = self.read(split, indices, batch_size).prefetch(2)
        images = with_fixed_threads(batches).as_numpy_iterator()
        yield from zip(images, (labels[indices] for indices in order), strict=True)

    @contextlib.contextmanager
    def broken_files_named(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            for each in self._errors:
                if str(each) in str(error):  # Another error may end training before this one.
                    raise each from error
            raise

    def _gather_tensor(self, split: str, indices: tf.Tensor) -> tf.Tensor:
        def gather(indices: np.ndarray) -> np.ndarray:
            try:
                return self.gather(split, indices)
            except UserError as error:
                self._errors.append(error)
                raise

        images = tf.numpy_function(gather, [indices], tf.uint8, stateful=False)
        return tf.ensure_shape(images, [indices.shape[0], *self.image_shape])


def source_of_files(
    files: Mapping[str, Sequence[ImageFile]],
    image_size: int | None,
    over: Colour = decoding.WHITE,
    **attributes: Any,
) -> Source:
    """A source of image files.

    The images are held in memory if they take at most `sources.MEMORY_LIMIT` bytes; otherwise they
    are decoded when needed.

    Args:
      files: The files of each split.
      image_size: Size to which the middle square of each image is resized; None = no resizing.
      over: Colour that transparent images are composited over.
      **attributes: The attributes of the source, including `true_labels`.
    """
    shape = attributes["image_shape"]
    load = functools.partial(read_image, shape=shape, image_size=image_size, background=over)
    if sum(attributes["splits"].values()) * np.prod(shape) > sources.MEMORY_LIMIT:
        return DecodingSource(load_array=lambda split, i: load(files[split][i]), **attributes)

    def read_all(split: str) -> np.ndarray:
        images = np.empty([len(files[split]), *shape], np.uint8)
        for index, image in enumerate(_threads().map(load, files[split])):
            images[index] = image
        return images

    images = {split: functools.partial(read_all, split) for split in files}
    return ArraySource(images=images, **attributes)


def read_image(
    file: ImageFile, shape: _Shape, image_size: int | None, background: Colour = decoding.WHITE
) -> np.ndarray:
    """Reads an image as training sees it: decoded, and cropped and resized if it is to be.

    Args:
      file: The file.
      shape: (H, W, C) of the result, C 1 (gray) or 3 (colour).
      image_size: Size to which the middle square is resized; None = no resizing.
      background: Colour that transparent images are composited over.

    Returns:
      uint8 [H, W, C].

    Raises:
      UserError: The file cannot be decoded, or the image has another size.

    Example:
      >>> import os, tempfile
      >>> from PIL import Image
      >>> from compare_gan.datasets.decoding import file_at
      >>> from compare_gan.datasets.image_source import read_image
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.png")
      ...     Image.new("RGB", (2, 1), "red").save(path)
      ...     read_image(file_at(path), (1, 2, 3), image_size=None).tolist()
      [[[255, 0, 0], [255, 0, 0]]]
    """
    try:
        pixels = decoding.decode(file.open, shape[-1], background)
    except ImageError as error:
        raise UserError(f"'{file.name}' cannot be decoded: {error}.") from error
    if image_size:
        pixels = resizing.middle_square(pixels, image_size)
    if pixels.shape != tuple(shape):
        raise UserError(
            f"'{file.name}' has changed: it is {pixels.shape[1]}x{pixels.shape[0]} now."
        )
    return pixels


@functools.cache
def _threads() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(available_cores(), "decode")
