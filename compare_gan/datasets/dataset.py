"""A data set as training and evaluation see it."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from compare_gan.datasets.labels import hide
from compare_gan.datasets.sources import Source
from compare_gan.errors import UserError, unknown_name


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A source of images with what the config says of its use.

    Attributes:
      name: The name that the config gives.
      source: Where the images come from.
      seed: What the choice of hidden labels and, with the run's seed, the order follow from.
      labelled: bool [num_train], the training examples whose label training may see; None = all.
      pad_to: Images are padded with black, on all sides alike, to this height and width.
    """

    name: str
    source: Source
    seed: int = 547
    labelled: np.ndarray | None = dataclasses.field(default=None, repr=False)
    pad_to: int | None = None

    def __post_init__(self):
        height, width, channels = self.source.image_shape
        if channels not in (1, 3):
            raise UserError(
                f"The images of '{self.name}' have {channels} channels; gray ones (1) or colour "
                "ones (3) are needed."
            )
        if self.pad_to is not None and self.pad_to < max(height, width):
            raise UserError(
                f"dataset.pad_to = {self.pad_to} is less than the size of the images, "
                f"{height}x{width}."
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images as they are yielded."""
        height, width, channels = self.source.image_shape
        return (self.pad_to or height, self.pad_to or width, channels)

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None if there are none."""
        return self.source.num_classes

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, or None."""
        return self.source.class_names

    @property
    def splits(self) -> Mapping[str, int]:
        """Number of examples of each split."""
        return self.source.splits

    @property
    def num_train(self) -> int:
        """Number of examples to train on."""
        return self.splits["train"]

    @property
    def eval_split(self) -> str:
        """The split that is the reference for evaluation."""
        return self.source.eval_split

    @functools.cached_property
    def shown_labels(self) -> np.ndarray:
        """The labels that training may see, those that are hidden or absent being none.

        Hard, int32 [num_train], or soft, float32 [num_train, num_classes]; see `labels`.
        """
        labels = self.source.labels("train")
        return labels if self.labelled is None else hide(labels, self.labelled)

    def check_split(self, split: str) -> None:
        """Raises UserError if there is no such split."""
        if split not in self.splits:
            raise unknown_name(f"split of {self.name}", split, self.splits)
