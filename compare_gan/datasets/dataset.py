"""A data set in the form in which training and evaluation use it."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from compare_gan.datasets.labels import hide_labels
from compare_gan.datasets.sources import Source
from compare_gan.datasets.views import ALL_TRAIN
from compare_gan.errors import UserError, unknown_name


@dataclasses.dataclass(frozen=True, eq=False)
class InferredLabels:
    """Labels that training sees instead of the given ones; see `labels/`.

    Attributes:
      num_clusters: Number of clusters where the labels are cluster indices; None = classes.
      labels: Hard labels, int32 [num_train], or soft ones, float32 [num_train, num_classes];
        None = pending: they have not been inferred or read yet.
      description: Method that infers the labels and, unless they are pending, accuracy and hash:
        values that JSON can hold, see `labels.files`.
    """

    num_clusters: int | None = None
    labels: np.ndarray | None = dataclasses.field(default=None, repr=False)
    description: Mapping[str, object] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A source of images together with the options of its use.

    Attributes:
      name: Name in messages and results.
      source: The source of the images.
      seed: Seed of the choice of hidden labels and, together with the run's seed, of the order.
      given_mask: The training examples whose label is given, bool [num_train]; None = all.
      pad_to: Height and width to which images are padded with black, equally on all sides.
      inferred: The inferred labels, possibly pending, that training sees; None = it sees the given
        ones.
      crop_methods: Crop methods that the config sets, by gin scope (`train_imagenet_transform`,
        `eval_imagenet_transform`); None or missing = not set.
      flip: Whether half of the images in batches of training are mirrored left to right.
      chosen: The examples of the whole training split that `source` trains on, bool [n], if options
        choose some; None = all.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import ArraySource, Dataset
      >>> images, labels = np.zeros([3, 28, 28, 1], np.uint8), np.array([0, 1, 1])
      >>> source = ArraySource.from_arrays({"train": (images, labels)})
      >>> dataset = Dataset("mine", source, given_mask=np.array([True, False, True]), pad_to=32)
      >>> dataset.image_shape, dataset.given_labels.tolist()
      ((32, 32, 1), [0, -1, 1])
    """

    name: str
    source: Source
    seed: int = 547
    given_mask: np.ndarray | None = dataclasses.field(default=None, repr=False)
    pad_to: int | None = None
    inferred: InferredLabels | None = None
    crop_methods: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    flip: bool = False
    chosen: np.ndarray | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        height, width, channels = self.source.image_shape
        if channels not in (1, 3):
            raise UserError(
                f"The images of '{self.name}' have {channels} channels; 1 (gray) or 3 (colour) are "
                "needed."
            )
        if self.pad_to is not None and self.pad_to < max(height, width):
            raise UserError(
                f"dataset.pad_to = {self.pad_to} is less than the size of the images, "
                f"{height}x{width}."
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images in batches, after padding."""
        height, width, channels = self.source.image_shape
        return (self.pad_to or height, self.pad_to or width, channels)

    @property
    def padding(self) -> list[tuple[int, int]]:
        """Numbers of black pixels before and after the images, for each axis of a batch."""
        pairs = zip(self.source.image_shape, self.image_shape, strict=True)
        return [(0, 0), *(((new - old) // 2, (new - old + 1) // 2) for old, new in pairs)]

    def pad(self, images: np.ndarray) -> np.ndarray:
        """Images of the source [n, h, w, C] as those of batches, [n, H, W, C]."""
        return np.pad(images, self.padding) if self.pad_to else images

    @property
    def num_classes(self) -> int | None:
        """Number of classes, or clusters, to condition on; None if there are none."""
        return self._num_clusters or self.source.num_classes

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, or None; clusters have none."""
        return None if self._num_clusters else self.source.class_names

    @property
    def splits(self) -> Mapping[str, int]:
        """Number of examples of each split."""
        return self.source.splits

    @property
    def num_train(self) -> int:
        """Number of examples to train on."""
        return self.splits["train"]

    @property
    def background(self) -> str | None:
        """Name of the colour that images are composited over; None if none is transparent."""
        return self.source.background

    @property
    def eval_split(self) -> str:
        """The split that is the reference for evaluation."""
        return self.source.eval_split

    @property
    def held_out_split(self) -> str | None:
        """A split without images to train on, that for evaluation if it is one; None without one.

        Example:
          >>> from compare_gan import datasets
          >>> datasets.get_dataset("synthetic", num_examples=4, image_size=8).held_out_split
          'test'
          >>> datasets.get_dataset("fashion_mnist_10k").held_out_split is None
          True
        """
        splits = (self.eval_split, *self.splits)
        return next((split for split in splits if split not in ("train", ALL_TRAIN)), None)

    @functools.cached_property
    def given_labels(self) -> np.ndarray:
        """The true labels that training may see; no label where they are hidden or absent.

        Hard, int32 [num_train], or soft, float32 [num_train, num_classes]; see `datasets.labels`.
        """
        labels = self.source.labels("train")
        return labels if self.given_mask is None else hide_labels(labels, self.given_mask)

    @property
    def shown_labels(self) -> np.ndarray:
        """The labels that training sees: the inferred ones if there are any, else the given ones.

        Raises:
          UserError: The inferred labels are pending.
        """
        if self.inferred is None:
            return self.given_labels
        if self.inferred.labels is None:
            raise UserError(
                "dataset.inferred_labels is True, but this data set has not been given its "
                "inferred labels: see compare_gan.labels.infer."
            )
        return self.inferred.labels

    @property
    def _num_clusters(self) -> int | None:
        return self.inferred.num_clusters if self.inferred else None

    def check_split(self, split: str) -> None:
        """Raises UserError if there is no such split."""
        if split not in self.splits:
            raise unknown_name(f"split of {self.name}", split, self.splits)
