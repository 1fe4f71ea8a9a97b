"""Whether a model can be trained on the images that were found."""

import os

import numpy as np

from compare_gan.errors import UserError
from compare_gan.folders.arrangement import Arrangement


def check_for_training(found: Arrangement) -> None:
    """Raises UserError unless there is a split to train on, and every image has a class or none.

    Args:
      found: The images.
    """
    place, splits = found.storage.place, found.splits
    if found.has_splits and "train" not in splits:
        raise UserError(f"'{place}' holds the split '{next(iter(splits))}', but no 'train'.")
    for own in splits.values():
        if own.unclassed:
            raise UserError(
                f"'{os.path.join(place, own.root)}' holds both subfolders (classes) and images "
                f"without a class, such as '{own.unclassed.rsplit('/', 1)[-1]}'."
            )
        if own.empty and own.labels is not None:
            raise UserError(
                f"The class '{own.empty[0]}' has no images: "
                f"'{found.storage.path(own.root + own.empty[0])}' holds none. If it is no class, "
                "move it out of the data set."
            )
    if found.has_splits and found.class_names:
        _check_classes(found)


def _check_classes(found: Arrangement) -> None:
    """Raises UserError if a split has a class that cannot be trained."""
    counts = found.counts("train")
    for split, own in found.splits.items():
        lacking = np.flatnonzero((found.counts(split) > 0) & (counts == 0))
        if len(lacking) and found.class_names:
            place = os.path.join(found.storage.place, own.root)
            name = found.class_names[lacking[0]]
            raise UserError(f"'{place}' has the class '{name}', which the split 'train' lacks.")
