"""The reference: real images of one split, and their cached statistics."""

import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from compare_gan import files
from compare_gan.datasets import eval_batches
from compare_gan.errors import UserError
from compare_gan.evaluation.gather import gather, statistics_name
from compare_gan.metrics import cache
from compare_gan.metrics.base import ImageBatch, Metric


class Reference:
    """Real images that generated ones are compared with.

    Args:
      dataset: The data set.
      split: Which split; None = the data set's `eval_split`.
      num_images: How many; None = all, which is also the most.
      batch_size: Images in one forward of the extractor.

    Attributes:
      split: Its name.
      count: Number of images.
      content_hash: Names the images and their labels.

    Raises:
      UserError: There is no such split.
    """

    def __init__(self, dataset, split: str | None, num_images: int | None, batch_size: int):
        self.split = split or dataset.eval_split
        self._dataset = dataset
        self._num_images = num_images
        self._batch_size = batch_size
        self.count, self.content_hash = _count_and_hash(dataset, self.split, num_images)

    def statistics(
        self, metrics: Sequence[Metric], extractor, watch: Callable = lambda batches: batches
    ) -> dict[str, dict[str, np.ndarray]]:
        """By name, the statistics of those metrics that compare with real images.

        Args:
          metrics: Metrics; the images are passed once for all of them, if any is not cached.
          extractor: The extractor.
          watch: From the iterator of batches to one that yields the same; to tell progress.
        """
        wanted = {
            statistics_name(metric, self.count): metric for metric in metrics if metric.uses_real
        }
        wanted.pop(None, None)
        compute = functools.cache(lambda: self._compute(list(wanted.values()), extractor, watch))
        return {
            name: cache.cached(self._key(name, extractor), lambda n=name: compute()[n])
            for name in wanted
        }

    def _key(self, name: str, extractor) -> dict[str, object]:
        return {
            "dataset": self._dataset.name,
            "content": self.content_hash,
            "split": self.split,
            "count": self.count,
            "resolution": [int(n) for n in self._dataset.image_shape],
            "resizer": extractor.resizer,
            "extractor": extractor.name,
            "weights": extractor.weights_hash,
            "statistics": name,
        }

    def _compute(
        self, metrics: Sequence[Metric], extractor, watch: Callable
    ) -> dict[str, dict[str, np.ndarray]]:
        batches = split_batches(self._dataset, self.split, self._num_images, self._batch_size)
        return gather(metrics, extractor, watch(ImageBatch(*pair) for pair in batches), self.count)


# Once a process: a run that is evaluated at many checkpoints has one reference.
@functools.lru_cache(maxsize=4)
def _count_and_hash(dataset, split: str, num_images: int | None) -> tuple[int, str]:
    count, image_digest, label_digest = 0, files.Digest(), files.Digest()
    for images, labels in split_batches(dataset, split, num_images, batch_size=256):
        count += len(images)
        image_digest.add(images)
        label_digest.add(np.asarray(labels, np.int32))
    if not count:
        raise UserError(f"The split '{split}' of '{dataset.name}' holds no images.")
    image_digest.add(label_digest.raw(), str(tuple(dataset.image_shape)))
    return count, image_digest.hex()[:16]


def split_batches(
    dataset, split: str, num_images: int | None, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of images uint8 [<= batch_size, H, W, C] and labels, as `eval_batches` orders them."""
    batches = eval_batches(dataset, split, batch_size=batch_size, num_examples=num_images)
    for images, labels in batches.as_numpy_iterator():
        if images.dtype != np.uint8:
            images = np.round(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
        yield images, labels
