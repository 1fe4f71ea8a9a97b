"""Splits and classes that the images of a folder or archive form, and one line about them."""

import collections
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from compare_gan.folders.storage import Storage

WHOLE = "all"  # Name of the only split where there are no folders of splits.
_NAMED_CLASSES = 12  # The summary names so many classes.


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images of one split.

    Attributes:
      root: Their folder, with a final `/` unless it is empty.
      images: Their paths: where folders are the classes, by class, and in each class sorted; of a
        table in the order of its rows; otherwise sorted.
      labels: Their classes, int32 [n], -1 for none, or float32 [n, num_classes] for probabilities;
        None if there are no classes.
      empty: Folders in `root` without an image.
      unclassed: An image that lies beside folders of classes, for which reason none has a label;
        None if there is none.
    """

    root: str
    images: tuple[str, ...]
    labels: np.ndarray | None
    empty: tuple[str, ...] = ()
    unclassed: str | None = None

    @property
    def hard_labels(self) -> np.ndarray | None:
        """The classes, the most probable ones, int32 [n]; None if there are none."""
        if self.labels is None or self.labels.ndim == 1:
            return self.labels
        return self.labels.argmax(1).astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class Arrangement:
    """The splits and classes that the images of a folder or archive form.

    Attributes:
      storage: The files.
      splits: Images by split; `WHOLE` alone if there are no folders of splits.
      num_classes: Number of classes; 0 if there are none.
      class_names: Names of the classes, in the order of labels; None if they have no names.
      outside: Images that belong to none of the splits.
      others: Files that are no images.
      numbered: Whether the names of images look like those of `sample`, but are not labels, since
        nothing marks them as such.
      not_chosen: Classes that options leave out, in words.
    """

    storage: Storage
    splits: Mapping[str, Split]
    num_classes: int
    class_names: tuple[str, ...] | None
    outside: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    numbered: bool = False
    not_chosen: tuple[str, ...] = ()

    @property
    def has_splits(self) -> bool:
        """Whether there are folders of splits."""
        return WHOLE not in self.splits

    def summary(self) -> str:
        """One line: images, classes, splits, and what is left out."""
        count = sum(len(split.images) for split in self.splits.values())
        parts = [f"'{self.storage.place}': {counted(count, 'image')}, {self.describe_classes()}"]
        if self.has_splits:
            sizes = ((name, len(split.images)) for name, split in self.splits.items())
            parts.append(f"splits {named_counts(sizes)}")
        if unlabelled := self._unlabelled():
            parts.append(f"{counted(unlabelled, 'image')} without a class")
        if left_out := self.left_out():
            parts.append(f"left out: {', '.join(left_out)}")
        return "; ".join(parts) + "."

    def counts(self, split: str) -> np.ndarray:
        """Number of images of each class in a split, int64 [num_classes]."""
        labels = self.splits[split].hard_labels
        if labels is None:
            return np.zeros([self.num_classes], np.int64)
        return np.bincount(labels[labels >= 0], minlength=self.num_classes)

    def describe_classes(self) -> str:
        """The classes of all splits together with their numbers of images, in words."""
        if not self.num_classes:
            loose = [split.unclassed for split in self.splits.values() if split.unclassed]
            return f"no classes because '{loose[0]}' has none" if loose else "no classes"
        counts = np.sum([self.counts(split) for split in self.splits], axis=0)
        return describe_classes(self.class_names, counts)

    def _unlabelled(self) -> int:
        """Number of images without a class where others have one."""
        labels = [split.hard_labels for split in self.splits.values()]
        return sum(int((each < 0).sum()) for each in labels if each is not None)

    def left_out(self) -> list[str]:
        """Classes, files and folders that are not among the images, in words."""
        found = list(self.not_chosen)
        if self.storage.hidden:
            found.append(f"{self.storage.hidden:,} hidden")
        if self.others:
            endings = collections.Counter(os.path.splitext(name)[1] for name in self.others)
            shown = ", ".join(ending or "no ending" for ending, _ in endings.most_common(3))
            found.append(f"{counted(len(self.others), 'other file')} ({shown})")
        if self.outside:
            found.append(f"{counted(len(self.outside), 'image')} outside the splits")
        empty = [root + folder for root, folder in self._empty_folders()]
        if empty:
            found.append(f"{counted(len(empty), 'folder')} without images ('{empty[0]}')")
        return found

    def _empty_folders(self) -> list[tuple[str, str]]:
        return [(split.root, name) for split in self.splits.values() for name in split.empty]


def counted(count: int, noun: str, plural: str = "s") -> str:
    """A number of things.

    Example:
      >>> from compare_gan.folders.arrangement import counted
      >>> counted(1, "image"), counted(1200, "class", "es")
      ('1 image', '1,200 classes')
    """
    return f"{count:,} {noun}{'' if count == 1 else plural}"


def describe_classes(names: Sequence[str] | None, counts: Sequence[int]) -> str:
    """The classes with their numbers of images; of many only the numbers.

    Example:
      >>> from compare_gan.folders.arrangement import describe_classes
      >>> describe_classes(["cat", "dog"], [900, 1600])
      '2 classes (cat: 900, dog: 1,600)'
    """
    head = counted(len(counts), "class", "es")
    if len(counts) > _NAMED_CLASSES:
        return f"{head} of {min(counts):,} to {max(counts):,} images"
    names = names or tuple(map(str, range(len(counts))))
    return f"{head} ({named_counts(zip(names, counts, strict=True))})"


def named_counts(pairs: Iterable[tuple[str, int]]) -> str:
    """Names with numbers of images; names may be numbers themselves.

    Example:
      >>> from compare_gan.folders.arrangement import named_counts
      >>> named_counts([("2", 1200), ("10", 6)])
      '2: 1,200, 10: 6'
    """
    return ", ".join(f"{name}: {count:,}" for name, count in pairs)
