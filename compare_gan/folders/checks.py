"""Whether a model can be trained on the images that were found."""

from collections.abc import Sequence

import numpy as np

from compare_gan.errors import UserError
from compare_gan.folders.arrangement import WHOLE, Arrangement


def check_for_training(found: Arrangement) -> None:
    """Raises UserError unless there is a split to train on, and every image has a class or none.

    Args:
      found: The images.
    """
    storage, splits = found.storage, found.splits
    if found.has_splits and "train" not in splits:
        raise UserError(
            f"'{storage.place}' holds the split '{next(iter(splits))}', but no 'train'."
        )
    for split, own in splits.items():
        if own.unclassed:
            raise UserError(
                f"'{storage.path(own.root)}' holds both subfolders (classes) and images "
                f"without a class, such as '{own.unclassed.rsplit('/', 1)[-1]}': move these into "
                "the folders of their classes, or out of the data set."
            )
        if split in (WHOLE, "train") and own.empty and own.labels is not None:
            raise UserError(
                f"The class '{own.empty[0]}' has no images: "
                f"'{storage.path(own.root + own.empty[0])}' holds none. If it is no class, "
                "move it out of the data set or set image_folder.min_images = 1."
            )
    if found.has_splits and found.class_names:
        _check_classes(found, found.class_names)


def _check_classes(found: Arrangement, names: Sequence[str]) -> None:
    """Raises UserError if a split has a class that cannot be trained."""
    counts = found.counts("train")
    for split in found.splits:
        lacking = np.flatnonzero((found.counts(split) > 0) & (counts == 0))
        if len(lacking):
            raise UserError(
                f"The split '{split}' of '{found.storage.place}' has the class "
                f"'{names[lacking[0]]}', which the split 'train' lacks: move it out of the data "
                "set or set image_folder.min_images = 1."
            )
