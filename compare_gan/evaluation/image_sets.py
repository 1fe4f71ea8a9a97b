"""Sets of images: in some order, batch by batch, only a few of them in memory at a time."""

import abc
import collections
import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from compare_gan.datasets.dataset import Dataset
from compare_gan.evaluation import image_files
from compare_gan.evaluation.reference import split_batches
from compare_gan.metrics.base import ImageBatch


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ImageSet(abc.ABC):
    """Images in some order, and their labels if they have any.

    Attributes:
      name: What messages and results call it.
      count: Number of images.
      shape: (H, W, C) of all; None where they are of several sizes.
      has_labels: Whether every image has one.
      class_names: What the labels stand for, in their order; None if they have no names.
      left_out: Broken files that are not among the images, each with the reason.
    """

    name: str
    count: int
    shape: tuple[int, int, int] | None
    has_labels: bool = False
    class_names: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()

    @property
    @abc.abstractmethod
    def num_classes(self) -> int:
        """How many classes the images are of; 1 without labels."""

    @abc.abstractmethod
    def take(self, num: int, seed: int) -> "ImageSet":
        """So many of the images, at most `count`, in an order of their own."""

    @abc.abstractmethod
    def batches(self, batch_size: int) -> Iterator[ImageBatch]:
        """The images uint8 [<= batch_size, H, W, C], a list of [H, W, C] where sizes differ.

        Only a few batches are in memory at a time.

        Raises:
          UserError: A file cannot be read as an image.
        """


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class IndexedImages(ImageSet):
    """Images that can be read one by one.

    Attributes:
      read: From an index to uint8 [H, W, C]; called in several threads.
      labels: int32 [n], of all indices, or None.
      order: int [count], the indices.
    """

    read: Callable[[int], np.ndarray]
    labels: np.ndarray | None = None
    order: np.ndarray

    @property
    def num_classes(self):
        return len(np.unique(self.labels[self.order])) if self.has_labels else 1

    def take(self, num, seed):
        order = np.random.default_rng(seed).permutation(self.order)[:num]
        return dataclasses.replace(self, order=order, count=len(order))

    def batches(self, batch_size):
        def read(indices):
            images = [self.read(i) for i in indices]
            labels = self.labels[indices] if self.has_labels else None
            return ImageBatch(images if self.shape is None else np.stack(images), labels)

        workers = image_files.threads()
        waiting: collections.deque = collections.deque()
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


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SplitImages(ImageSet):
    """Images of one split of a data set, in the order that evaluation always has.

    Attributes:
      dataset: The data set.
      split: Name of the split.
    """

    dataset: Dataset
    split: str

    @property
    def num_classes(self):
        return self.dataset.num_classes if self.has_labels else 1

    def take(self, num, seed):
        return dataclasses.replace(self, count=min(num, self.count))

    def batches(self, batch_size):
        for images, labels in split_batches(self.dataset, self.split, self.count, batch_size):
            yield ImageBatch(images, labels if self.has_labels else None)
