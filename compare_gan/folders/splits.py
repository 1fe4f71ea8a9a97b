"""One split of a set of images, `PATH:SPLIT`."""

import dataclasses
import os
from collections.abc import Iterable

from compare_gan.errors import unknown_name
from compare_gan.folders.arrangement import WHOLE, Arrangement


def divide_path(path: str) -> tuple[str, str | None]:
    """Divides `PATH:SPLIT` into the path and the split; None = no split is named.

    A file or folder of the whole name takes precedence.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.folders import divide_path
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     os.chdir(folder)
      ...     os.mkdir("photos")
      ...     divide_path("photos:test"), divide_path("photos"), divide_path("cifar10:test")
      (('photos', 'test'), ('photos', None), ('cifar10:test', None))
    """
    place, _, split = path.rpartition(":")
    if split and os.path.exists(place) and not os.path.exists(path):
        return place, split
    return path, None


def choose_split(found: Arrangement, split: str | None) -> Arrangement:
    """The images of one split.

    Args:
      found: All images.
      split: Name of the split; None or `WHOLE` = all of them.

    Raises:
      UserError: There is no such split.

    Example:
      >>> from compare_gan.folders import Storage, arrange, choose_split
      >>> files = ("test/0.png", "train/0.png", "train/1.png")
      >>> found = arrange(Storage("photos", files, (), 0, open))
      >>> choose_split(found, "train").splits["train"].images
      ('train/0.png', 'train/1.png')
    """
    check_split(found.storage.place, found.splits, split)
    if split is None or split == WHOLE:
        return found
    return dataclasses.replace(found, splits={split: found.splits[split]})


def check_split(place: str, splits: Iterable[str], split: str | None) -> None:
    """Raises UserError unless a set of images has a split of this name.

    Args:
      place: Path of the set.
      splits: Names of its splits.
      split: The name; None and `WHOLE` are all splits.
    """
    known = list(dict.fromkeys([*splits, WHOLE]))
    if split is not None and split not in known:
        raise unknown_name(f"split of '{place}'", split, known)
