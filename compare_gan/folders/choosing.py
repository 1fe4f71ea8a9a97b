"""The classes that a data set takes of those that were found.

Classes keep their order. Images without a class stay, unless classes are chosen by name.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from compare_gan.errors import UserError, with_known_names
from compare_gan.folders.arrangement import WHOLE, Arrangement, Split, counted, named_counts
from compare_gan.natural_order import in_natural_order

_NAMED = 12  # Classes that are named among those left out.


@dataclasses.dataclass(frozen=True)
class ClassChoice:
    """A choice of classes: by name, by their number of images, or both.

    Attributes:
      classes: Names of the classes; None = all.
      min_images: Least number of images to train on that a class must have.

    Example:
      >>> from compare_gan.folders import ClassChoice
      >>> kept, left_out = ClassChoice(min_images=10).kept("pets", ["cat", "dog"], [30, 4])
      >>> kept.tolist(), left_out
      ([0], ['1 class with fewer than 10 images (dog: 4)'])
    """

    classes: tuple[str, ...] | None = None
    min_images: int = 0

    @property
    def is_everything(self) -> bool:
        """Whether no class can be left out."""
        return self.classes is None and self.min_images == 0

    def kept(
        self,
        place: str,
        names: Sequence[str],
        counts: Sequence[int] | np.ndarray,
        what: str = "image",
    ) -> tuple[np.ndarray, list[str]]:
        """The numbers of the classes to take, and those left out, in words.

        Args:
          place: Path of the data set, for messages.
          names: Names of all classes.
          counts: Number of images of each to train on.
          what: Noun for one of the images that are counted.

        Raises:
          UserError: There is no class of a name that was chosen, or no class is left.
        """
        if not names:
            raise UserError(f"Classes cannot be chosen: '{place}' has no classes.")
        for name in self.classes or ():
            if name not in names:
                raise UserError(with_known_names(f"'{place}' has no class '{name}'.", name, names))
        chosen = [self.classes is None or name in self.classes for name in names]
        large = [count >= self.min_images for count in counts]
        kept = np.flatnonzero(np.logical_and(chosen, large))
        if not len(kept):
            most = max((i for i, each in enumerate(chosen) if each), key=lambda i: counts[i])
            raise UserError(
                f"No class of '{place}' has {counted(self.min_images, what)} (min_images): "
                f"'{names[most]}' has most, {counts[most]:,}."
            )
        pairs = list(zip(names, counts, chosen, large, strict=True))
        others = [(name, count) for name, count, is_chosen, _ in pairs if not is_chosen]
        few = [(name, count) for name, count, is_chosen, ok in pairs if is_chosen and not ok]
        left_out = []
        if others:
            left_out.append(f"{counted(len(others), 'other class', 'es')} ({_listed(others)})")
        if few:
            least = counted(self.min_images, what)
            left_out.append(
                f"{counted(len(few), 'class', 'es')} with fewer than {least} ({_listed(few)})"
            )
        return kept, left_out

    def rows(self, labels: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """The indices of the images to take.

        Args:
          labels: Their classes, int [n], -1 for none.
          kept: Numbers of the classes to take.
        """
        stays = np.isin(labels, kept)
        if self.classes is None:
            stays |= labels < 0
        return np.flatnonzero(stays)


EVERYTHING = ClassChoice()


def renumbered(labels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Labels that count only some classes.

    Example:
      >>> import numpy as np
      >>> from compare_gan.folders.choosing import renumbered
      >>> renumbered(np.array([3, -1, 1], np.int32), np.array([1, 3]))
      array([ 1, -1,  0], dtype=int32)

    Args:
      labels: Classes int32 [n], each one of `kept` or -1, or probabilities float32 [n, classes].
      kept: Numbers of the classes, ascending.

    Returns:
      int32 [n], or float32 [n, len(kept)] that add up to 1.
    """
    if labels.ndim == 1:
        return np.where(labels < 0, -1, np.searchsorted(kept, labels)).astype(np.int32)
    own = labels[:, kept]
    return (own / own.sum(1, keepdims=True)).astype(np.float32)


def choose_classes(found: Arrangement, choice: ClassChoice) -> Arrangement:
    """The images of the classes to take.

    A split without an image of them is left out; so are empty folders of other classes.

    Args:
      found: All images.
      choice: The classes to take; images of `train` count if there are splits.

    Raises:
      UserError: There are no classes, or see `ClassChoice.kept`.

    Example:
      >>> from compare_gan.folders import ClassChoice, Storage, arrange, choose_classes
      >>> files = ("cat/0.png", "cat/1.png", "dog/0.png", "owl/0.png")
      >>> found = arrange(Storage("pets", files, (), 0, open))
      >>> choose_classes(found, ClassChoice(("owl", "cat"))).summary()
      "'pets': 3 images, 2 classes (cat: 2, owl: 1); left out: 1 other class (dog: 1)."
    """
    counting = WHOLE if WHOLE in found.splits else "train"
    if choice.is_everything or counting not in found.splits:
        return found
    place = found.storage.place
    if not found.num_classes:
        raise UserError(f"Classes cannot be chosen: '{place}' has {found.describe_classes()}.")
    names = list(found.class_names or map(str, range(found.num_classes)))
    empty = {name for own in found.splits.values() for name in own.empty}.difference(names)
    everything = [*names, *in_natural_order(empty)]
    counts = [*found.counts(counting).tolist(), *[0] * len(empty)]
    what = "image" if counting == WHOLE else "training image"
    kept, left_out = choice.kept(place, everything, counts, what)
    known = {everything[i] for i in kept}
    kept = kept[kept < len(names)]
    splits, unlabelled = {}, 0
    for split, own in found.splits.items():
        hard, labels = own.hard_labels, own.labels
        if hard is None or labels is None:
            continue
        rows = choice.rows(hard, kept)
        unlabelled += np.count_nonzero(hard < 0) - np.count_nonzero(hard[rows] < 0)
        if not len(rows) and split != counting:
            left_out.append(f"the split '{split}'")
            continue
        splits[split] = Split(
            own.root,
            tuple(own.images[i] for i in rows),
            renumbered(labels[rows], kept),
            tuple(name for name in own.empty if name in known),
        )
    if unlabelled:
        left_out.append(f"{counted(unlabelled, 'image')} without a class")
    return dataclasses.replace(
        found,
        splits=splits,
        num_classes=len(kept),
        # Classes without names keep their former numbers as names.
        class_names=found.class_names if len(kept) == len(names) else tuple(names[i] for i in kept),
        not_chosen=tuple(left_out),
    )


def _listed(pairs: Sequence[tuple[str, int]]) -> str:
    more = len(pairs) - _NAMED
    return named_counts(pairs[:_NAMED]) + (f", … and {more:,} more" if more > 0 else "")
