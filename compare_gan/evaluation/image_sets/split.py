"""Images of one split of a data set."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import numpy as np

from compare_gan import files
from compare_gan.datasets import Dataset, eval_batches
from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets.sets import ImageSet
from compare_gan.metrics.base import ImageBatch

_READ = 256  # Images in a batch where only their content counts.


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class SplitImages(ImageSet):
    """Images of one split of a data set, in the fixed order of evaluation.

    Attributes:
      dataset: The data set.
    """

    dataset: Dataset

    @classmethod
    def of(
        cls, dataset: Dataset, split: str, num: int | None = None, name: str | None = None
    ) -> "SplitImages":
        """The first images of a split.

        Example:
          >>> from compare_gan.datasets import get_dataset
          >>> from compare_gan.evaluation.image_sets import SplitImages
          >>> images = SplitImages.of(get_dataset("synthetic"), "test", num=30)
          >>> images.name, images.count
          ('synthetic:test', 30)

        Args:
          dataset: The data set.
          split: Name of the split.
          num: Number of images; None = all, which is also the most.
          name: Name in messages; `<data set>:<split>` if None.

        Raises:
          UserError: There is no such split.
        """
        dataset.check_split(split)
        size = dataset.splits[split]
        names = dataset.class_names or tuple(map(str, range(dataset.num_classes or 0)))
        return cls(
            name=name or f"{dataset.name}:{split}",
            count=size if num is None else min(num, size),
            shape=dataset.image_shape,
            has_labels=dataset.num_classes is not None,
            class_names=tuple(names) or None,
            dataset=dataset,
            split=split,
            background=dataset.source.background,
        )

    @property
    def dataset_name(self) -> str:
        """Name of the data set."""
        return self.dataset.name

    @property
    def num_classes(self) -> int:
        """Number of classes of the data set; 1 without labels."""
        return (self.dataset.num_classes or 1) if self.has_labels else 1

    def take(self, num: int, seed: int) -> "SplitImages":
        """The first `num` of the images; `seed` has no effect."""
        return dataclasses.replace(self, count=min(num, self.count))

    def batches(self, batch_size: int) -> Iterator[ImageBatch]:
        """See `ImageSet.batches`."""
        for images, labels in _read(self.dataset, self.split, self.count, batch_size):
            yield ImageBatch(images, labels if self.has_labels else None)

    def cached_under(self) -> Mapping[str, object]:
        """See `ImageSet.cached_under`; reads all images once per process to hash them.

        Raises:
          UserError: The split is empty.
        """
        count, content = _count_and_hash(self.dataset, self.split, self.count)
        return {
            "dataset": self.dataset.name,
            "content": content,
            "split": self.split,
            "count": count,
            "resolution": [int(n) for n in self.dataset.image_shape],
        }


# Once per process: a run that is evaluated at many checkpoints has one reference.
@functools.lru_cache(maxsize=4)
def _count_and_hash(dataset: Dataset, split: str, num: int) -> tuple[int, str]:
    count, image_digest, label_digest = 0, files.Digest(), files.Digest()
    for images, labels in _read(dataset, split, num, _READ):
        count += len(images)
        image_digest.add(images)
        label_digest.add(np.asarray(labels, np.int32))
    if not count:
        raise UserError(f"The split '{split}' of '{dataset.name}' holds no images.")
    image_digest.add(label_digest.raw(), str(tuple(dataset.image_shape)))
    return count, image_digest.hex()[:16]


def _read(
    dataset: Dataset, split: str, num: int, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    batches = eval_batches(dataset, split, batch_size=batch_size, num_examples=num)
    for images, labels in batches:
        if images.dtype != np.uint8:
            images = np.round(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)
        yield images, labels
