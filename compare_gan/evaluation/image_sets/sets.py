"""The interface of a set of images, and sets of images that can be read one by one."""

import abc
import collections
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np

from compare_gan.datasets import image_headers
from compare_gan.evaluation.image_sets.npz import GivenStatistics
from compare_gan.metrics.base import ImageBatch
from compare_gan.metrics.extractors import Extractor


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ImageSet(abc.ABC):
    """Images in some order, and their labels if they have any.

    Only a few batches of them are in memory at a time.

    Attributes:
      name: Name in messages and results.
      count: Number of images.
      shape: (H, W, C) of all; None if they differ in size.
      has_labels: Whether every image has a label.
      class_names: Names of the classes, in the order of labels; None if they have no names.
      left_out: Broken files that are not among the images, each with the reason.
      seed: Seed that the images or their order follow from; None if from none.
      split: Split of a data set, folder or zip; `all` for other sets.
      background: Name of the colour that images with an alpha channel are composited over; None if
        there are none.
      stored: Statistics that were published with the images, perhaps of a larger set: FID in the
        features of the canonical Inception uses them; None if there are none.
      hashed: Whether the images are hashed while statistics are computed, to identify them.
    """

    name: str
    count: int
    shape: tuple[int, int, int] | None
    has_labels: bool = False
    class_names: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()
    seed: int | None = None
    split: str = "all"
    background: str | None = None
    stored: GivenStatistics | None = None
    hashed: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def num_classes(self) -> int:
        """Number of classes of the images; 1 without labels."""

    @abc.abstractmethod
    def take(self, num: int, seed: int) -> "ImageSet":
        """A set of `num` of the images, at most `count`.

        Args:
          num: Number of images.
          seed: Seed of their order; without effect on images in an order of their own.
        """

    @abc.abstractmethod
    def batches(self, batch_size: int) -> Iterator[ImageBatch]:
        """Yields the images uint8 [<= batch_size, H, W, C], lists of [H, W, C] if sizes differ.

        Raises:
          UserError: A file cannot be read as an image.
        """

    @property
    def dataset_name(self) -> str:
        """Name of the data set, or of the place that the images come from."""
        return self.name

    @property
    def shape_text(self) -> str:
        """The shape of the images, as messages and results give it."""
        return "several sizes" if self.shape is None else "x".join(map(str, self.shape))

    def cached_under(self) -> Mapping[str, object] | None:
        """The key of the images, their order and labels in the cache of statistics.

        Its `content` is the hash that results give; None if statistics are not cached.
        """
        return None

    def networks(self, extractor: Extractor) -> dict[str, Any]:
        """Networks that the images come from, for metrics that need them, by `Metric.needs`.

        Args:
          extractor: The extractor of the measurement.
        """
        return {}

    def origin(self) -> Mapping[str, Any]:
        """Fields of `Provenance` that only the maker of the images knows, as far as known."""
        return {}


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class IndexedImages(ImageSet):
    """Images that can be read one by one.

    Attributes:
      read: Function from an index to uint8 [H, W, C]; called in several threads.
      labels: int32 [n], labels by index, or None.
      order: int [count], the indices of the set's images.
      place: Path of the files, without a split; the name if None.
    """

    read: Callable[[int], np.ndarray]
    labels: np.ndarray | None = None
    order: np.ndarray
    place: str | None = None

    @property
    def dataset_name(self) -> str:
        """Path of the place that the images come from."""
        return self.place or self.name

    @property
    def num_classes(self) -> int:
        """Number of classes among the images; 1 without labels."""
        if self.labels is None or not self.has_labels:
            return 1
        return len(np.unique(self.labels[self.order]))

    def take(self, num: int, seed: int) -> "IndexedImages":
        """A set of `num` of the images, shuffled by `seed`."""
        order = np.random.default_rng(seed).permutation(self.order)[:num]
        # A choice of the images has other statistics.
        stored = self.stored if len(order) == self.count else None
        return dataclasses.replace(self, order=order, count=len(order), seed=seed, stored=stored)

    def batches(self, batch_size: int) -> Iterator[ImageBatch]:
        """See `ImageSet.batches`; images are read in threads."""

        def read(indices: np.ndarray) -> ImageBatch:
            images = [self.read(i) for i in indices]
            labels = None
            if self.labels is not None and self.has_labels:
                labels = self.labels[indices]
            stacked: Any = images if self.shape is None else np.stack(images)
            return ImageBatch(stacked, labels)

        workers = image_headers.threads()
        waiting: collections.deque[Future[ImageBatch]] = collections.deque()
        pool = ThreadPoolExecutor(workers, "decode")
        try:
            for start in range(0, self.count, batch_size):
                waiting.append(pool.submit(read, self.order[start : start + batch_size]))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def renumbered(images: ImageSet, numbers: np.ndarray | None) -> ImageSet:
    """The same images with other labels: `numbers[label]` instead of `label`.

    Args:
      images: Images with labels.
      numbers: int32 [classes]; None leaves the labels as they are.
    """
    if numbers is None:
        return images
    fields = {field.name: getattr(images, field.name) for field in dataclasses.fields(ImageSet)}
    return _RenumberedImages(**fields, images=images, numbers=numbers)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _RenumberedImages(ImageSet):
    images: ImageSet
    numbers: np.ndarray

    @property
    def num_classes(self) -> int:
        return self.images.num_classes

    @property
    def dataset_name(self) -> str:
        return self.images.dataset_name

    def take(self, num: int, seed: int) -> ImageSet:
        return renumbered(self.images.take(num, seed), self.numbers)

    def batches(self, batch_size: int) -> Iterator[ImageBatch]:
        for batch in self.images.batches(batch_size):
            yield dataclasses.replace(batch, labels=self.numbers[batch.labels])
