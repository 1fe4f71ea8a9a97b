"""Real images that a discriminator was not trained on, for its calibration."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from compare_gan.datasets import Dataset, eval_batches


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOutImages:
    """The images of a data set that a discriminator was not trained on.

    Attributes:
      dataset: The data set.
      num_classes: Number of classes of the discriminator; None for an unconditional one.

    Example:
      >>> from compare_gan import datasets
      >>> from compare_gan.sampling import HeldOutImages
      >>> held_out = HeldOutImages(datasets.get_dataset("fashion_mnist_10k"), num_classes=10)
      >>> held_out.missing
      "the data set 'fashion_mnist_10k' has no split besides the images to train on"
    """

    dataset: Dataset
    num_classes: int | None

    @property
    def missing(self) -> str | None:
        """Why there are no such images with the discriminator's classes; None if there are."""
        dataset = self.dataset
        if dataset.held_out_split is None:
            return f"the data set '{dataset.name}' has no split besides the images to train on"
        if self.num_classes is None:
            return None
        if dataset.inferred is not None and dataset.inferred.num_clusters is not None:
            return "the discriminator's labels are clusters, those of other images classes"
        if dataset.source.num_classes != self.num_classes:
            return (
                f"the discriminator has {self.num_classes} classes, the data set '{dataset.name}' "
                f"{dataset.source.num_classes or 'none'}"
            )
        return None

    def batches(
        self, count: int, batch_size: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The first images in the order of evaluation, those without a label left out.

        Args:
          count: Number of images, at most.
          batch_size: Images in a batch, at most.

        Yields:
          Images float32 [n, H, W, C] in [0, 1], and labels int32 [n] (None for an unconditional
          discriminator).
        """
        split = self.dataset.held_out_split
        if split is None:
            return
        for images, labels in eval_batches(self.dataset, split, batch_size, count):
            scale = np.float32(1 / 255 if images.dtype == np.uint8 else 1)
            images = images.astype(np.float32) * scale
            if self.num_classes is None:
                yield images, None
            elif (known := labels >= 0).any():
                yield images[known], labels[known]
