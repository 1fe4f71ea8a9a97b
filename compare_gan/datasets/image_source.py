"""Sources of images that are decoded or computed one by one."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import PIL
from PIL import features

from compare_gan.datasets import decoding, resizing, sources
from compare_gan.datasets.colours import WHITE, Colour
from compare_gan.datasets.decoding import ImageFile
from compare_gan.datasets.image_cache import open_cache
from compare_gan.datasets.image_headers import ImageError
from compare_gan.datasets.lazy import tf, without_autograph
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

_PIECE = 64  # Files that a thread reads in one task.
# Another decoder makes other pixels of the same files.
_VERSION = 2
_DECODER = (PIL.__version__, features.version("libjpeg_turbo"))


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

    load_array: Callable[[str, int], np.ndarray] = dataclasses.field(repr=False)
    load_tensor: Callable[[str, tf.Tensor], tf.Tensor] | None = dataclasses.field(
        default=None, repr=False
    )
    true_labels: Mapping[str, np.ndarray] = dataclasses.field(repr=False)
    # What `load_array` has raised inside of a pipeline, which only reports that something was.
    _errors: list[UserError] = dataclasses.field(default_factory=list, init=False, repr=False)

    def labels(self, split: str) -> np.ndarray:
        return self.true_labels[split]

    def read(self, split: str, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        if self.load_tensor is None:
            return indices.map(without_autograph(functools.partial(self._gather_tensor, split)))
        load_tensor = self.load_tensor
        images = indices.unbatch().map(lambda i: load_tensor(split, i), available_cores())
        return images.batch(size)

    def gather(self, split: str, indices: np.ndarray) -> np.ndarray:
        # In pieces, because each task has a cost.
        pieces = np.array_split(indices, min(len(indices), 4 * available_cores()) or 1)

        def load(piece: np.ndarray) -> list[np.ndarray]:
            return [self.load_array(split, i) for i in piece.tolist()]

        try:
            parts = _threads().map(load, pieces)
        except RuntimeError:  # No thread starts, as while the process ends and a pipeline works on.
            parts = map(load, pieces)
        return np.stack([image for part in parts for image in part])

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


@dataclasses.dataclass(frozen=True)
class Preparation:
    """The way from a file to an image of a data set.

    Attributes:
      shape: (H, W, C) of the image, C 1 (gray) or 3 (colour).
      image_size: Height and width to which images are cropped and resized; None = neither.
      background: Colour that transparent images are composited over.
      crop: `middle`: the largest square in the middle; `none`: the whole image, whose aspect ratio
        may change.
      resample: The filter, one of `resizing.FILTERS`.

    Example:
      >>> import os, tempfile
      >>> from PIL import Image
      >>> from compare_gan.datasets.decoding import file_at
      >>> from compare_gan.datasets.image_source import Preparation
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.png")
      ...     Image.new("RGB", (2, 1), "red").save(path)
      ...     Preparation((1, 2, 3)).read(file_at(path)).tolist()
      [[[255, 0, 0], [255, 0, 0]]]
    """

    shape: _Shape
    image_size: int | None = None
    background: Colour = WHITE
    crop: str = "middle"
    resample: str = "bilinear"

    def read(self, file: ImageFile) -> np.ndarray:
        """Reads an image, uint8 [H, W, C].

        Raises:
          UserError: The file cannot be decoded, or the image has another size.
        """
        try:
            pixels = decoding.decode(file.open, self.shape[-1], self.background)
        except ImageError as error:
            raise UserError(f"'{file.name}' cannot be decoded: {error}.") from error
        pixels = self.fit(pixels)
        if pixels.shape != tuple(self.shape):
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            raise UserError(f"'{file.name}' has changed: it is {size} now.")
        return pixels

    def fit(self, pixels: np.ndarray) -> np.ndarray:
        """Crops and resizes an image, uint8 [h, w, C], if that is asked for."""
        if not self.image_size:
            return pixels
        square = resizing.middle_square(pixels) if self.crop == "middle" else pixels
        return resizing.resize(square, self.image_size, self.resample)


def source_of_files(
    images: Mapping[str, Sequence[ImageFile]],
    preparation: Preparation,
    versions: Sequence[str] | None = None,
    **attributes: Any,
) -> Source:
    """A source of image files.

    The images are held in memory if they take at most `sources.MEMORY_LIMIT` bytes; otherwise they
    are decoded when needed, and cached on disk.

    Args:
      images: The files of each split.
      preparation: The way from a file to an image.
      versions: The version of each file, in the order of `images` (see `image_headers.Header`);
        None = nothing is cached on disk.
      **attributes: The attributes of the source besides `image_shape`, including `true_labels`.
    """
    attributes["image_shape"] = preparation.shape
    if sum(map(len, images.values())) * np.prod(preparation.shape) > sources.MEMORY_LIMIT:
        load = _load_when_needed(images, preparation, versions)
        return DecodingSource(load_array=load, **attributes)

    def read_all(split: str) -> np.ndarray:
        listed = images[split]
        array = np.empty([len(listed), *preparation.shape], np.uint8)

        def read(start: int) -> None:
            for index, file in enumerate(listed[start : start + _PIECE], start):
                array[index] = preparation.read(file)

        for _ in _threads().map(read, range(0, len(listed), _PIECE)):
            pass  # Raises the error of the first broken file.
        return array

    arrays = {split: functools.partial(read_all, split) for split in images}
    return ArraySource(images=arrays, **attributes)


def _load_when_needed(
    images: Mapping[str, Sequence[ImageFile]],
    preparation: Preparation,
    versions: Sequence[str] | None,
) -> Callable[[str, int], np.ndarray]:
    """See `DecodingSource.load_array`."""
    names = [file.name for listed in images.values() for file in listed]
    cache = None
    if versions is not None:
        identity = [_VERSION, *_DECODER, preparation, *_real_paths(names), *versions]
        cache = open_cache(identity, len(names), preparation.shape)
    starts = dict(zip(images, np.cumsum([0, *map(len, images.values())]).tolist(), strict=False))

    def load(split: str, index: int) -> np.ndarray:
        if cache is None:
            return preparation.read(images[split][index])
        place = starts[split] + index
        image = cache.read(place)
        if image is None:
            image = preparation.read(images[split][index])
            cache.write(place, image)
        return image

    return load


def _real_paths(names: Sequence[str]) -> list[str]:
    """Paths that mean the same files in every working directory; in archives too."""
    folder = functools.cache(os.path.realpath)  # Looks at every folder above: once for each.
    paths = [os.path.join(folder(os.path.dirname(name)), os.path.basename(name)) for name in names]
    return [os.path.realpath(path) if os.path.islink(path) else path for path in paths]


@functools.cache
def _threads() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(available_cores(), "decode")
