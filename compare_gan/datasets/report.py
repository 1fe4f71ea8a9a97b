"""Findings about a set of images, in words and as rows of a contact sheet."""

import collections
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from compare_gan.datasets import resizing
from compare_gan.folders import EVERYTHING, WHOLE, ClassChoice
from compare_gan.folders.arrangement import counted

_LISTED = 50  # Classes that are named.
_FAULTS = 10  # Files of each kind of fault that are named.
_ROWS, _COLUMNS = 10, 10
_SIDES = (32, 128)  # The smallest and largest images of the contact sheet.
_NO_CLASS = "(no class)"


@dataclasses.dataclass(frozen=True)
class Image:
    """Properties of one image.

    Attributes:
      name: Its name in the set.
      split: Its split; `folders.WHOLE` if there are none.
      label: Its class; -1 without one.
      kind: Its format and mode, such as `PNG RGB`; empty if it is broken.
      size: (width, height), upright.
      transparent: Whether it has an alpha channel or a transparent colour.
      digest: Hash of its pixels, as training sees them.
      error: The reason why it cannot be read; empty if it can.
    """

    name: str
    split: str
    label: int
    kind: str = ""
    size: tuple[int, int] = (0, 0)
    transparent: bool = False
    digest: str = ""
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Inspection:
    """Findings about a set of images.

    Attributes:
      place: Path of the set.
      images: All images.
      num_classes: Number of classes; 0 if there are none.
      class_names: Names of the classes, in the order of labels.
      background: Name of the colour that transparent images are composited over.
      left_out: Classes and files that are not among the images, in words.
      refusal: The reason why no model can be trained on folders like these; empty if there is none.
      read: Function from the place of an image in `images` to its pixels, uint8 [H, W, 3].
      choice: The classes that were to be taken.
      split: The only split that was looked at; None if all were.
    """

    place: str
    images: Sequence[Image]
    num_classes: int
    class_names: Sequence[str]
    background: str
    left_out: Sequence[str]
    refusal: str
    read: Callable[[int], np.ndarray]
    choice: ClassChoice = EVERYTHING
    split: str | None = None

    def report(self) -> str:
        """The findings in words, a line for each property."""
        rows = list(self._rows())
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {text}".rstrip() for name, text in rows]
        head = self.place if self.split is None else f"{self.place}:{self.split}"
        return "\n".join([head, *(f"  {line}" for line in lines)])

    def why_not_trained(self) -> str:
        """The reason why no model can be trained on the images; empty if there is none."""
        whole = sum(not image.error for image in self.images)
        if self.refusal:
            return self.refusal
        if not whole:
            return "no image can be read"
        if broken := len(self.images) - whole:
            return f"{broken:,} of {len(self.images):,} images cannot be read"
        return ""

    def contact_sheet(self) -> tuple[list[np.ndarray], list[str]]:
        """Rows of images, uint8 [n, side, side, 3], and the names of the rows, which are classes.

        A row has at most 10 images of one of the first 10 classes, at equal distances in the order
        of the set. Without classes there are at most 10 rows of any images, without names. To fit
        into the sheet, images are cropped to the middle square and resized (bilinear), whatever
        crop, filter and size a training would use.
        """
        whole = [i for i, image in enumerate(self.images) if not image.error]
        if not whole:
            return [], []
        smallest = min(min(self.images[i].size) for i in whole)
        side = int(np.clip(smallest, *_SIDES))
        of_class: dict[int, list[int]] = collections.defaultdict(list)
        for i in whole:
            of_class[self.images[i].label].append(i)
        labels = sorted(of_class)[:_ROWS]
        chosen = [_spread(of_class[label], _COLUMNS) for label in labels]
        names = [self._name(label) for label in labels]
        if not self.num_classes:
            everything = _spread(whole, _ROWS * _COLUMNS)
            pieces = range(0, len(everything), _COLUMNS)
            chosen, names = [everything[start : start + _COLUMNS] for start in pieces], []

        def draw(i: int) -> np.ndarray:
            return resizing.resize(resizing.middle_square(self.read(i)), side)

        return [np.stack([draw(i) for i in row]) for row in chosen], names

    def _name(self, label: int) -> str:
        return self.class_names[label] if label >= 0 else _NO_CLASS

    def _rows(self) -> Iterator[tuple[str, str]]:
        whole = [image for image in self.images if not image.error]
        yield "images", f"{len(self.images):,}"
        yield from _named("classes", self._classes())
        if any(image.split != WHOLE for image in self.images):
            yield "splits", _counted(image.split for image in self.images)
        yield "sizes", _counted(f"{w}x{h}" for w, h in (image.size for image in whole))
        yield "kinds", _counted(image.kind for image in whole)
        transparent = sum(image.transparent for image in whole)
        yield (
            "alpha",
            f"{counted(transparent, 'image')}, composited over {self.background}"
            if transparent
            else "none",
        )
        yield from _named("broken", _some([f"{i.name}: {i.error}" for i in self.images if i.error]))
        yield from _named("duplicates", self._duplicates(whole))
        yield from _named("left out", self.left_out)
        yield "training", self._training(whole)

    def _classes(self) -> list[str]:
        if not self.num_classes:
            return []
        splits = list(dict.fromkeys(image.split for image in self.images))
        counts = {split: [0] * (self.num_classes + 1) for split in splits}
        for image in self.images:
            counts[image.split][image.label] += 1  # -1 is the last.
        lines = []
        for label, name in enumerate([*self.class_names, _NO_CLASS]):
            numbers = [counts[split][label] for split in splits]
            if name == _NO_CLASS and not any(numbers):
                continue
            if splits == [WHOLE]:
                lines.append(f"{name}: {numbers[0]:,}")
            else:
                pairs = zip(splits, numbers, strict=True)
                lines.append(f"{name}: {', '.join(f'{split} {n:,}' for split, n in pairs)}")
        return _some(lines, _LISTED)

    def _duplicates(self, whole: Sequence[Image]) -> list[str]:
        same: dict[str, list[Image]] = collections.defaultdict(list)
        for image in whole:
            same[image.digest].append(image)
        groups = [group for group in same.values() if len(group) > 1]
        # Those that make scores or labels doubtful come first.
        groups.sort(key=lambda group: (-len(_splits(group)), -len(_labels(group))))
        lines = []
        for group in groups:
            across = "of several splits" if len(_splits(group)) > 1 else ""
            if not across and len(_labels(group)) > 1:
                across = "of several classes"
            names = " = ".join(image.name for image in group[:4])
            more = f" = … ({len(group):,})" if len(group) > 4 else ""
            lines.append(f"{names}{more}{f' ({across})' if across else ''}")
        return _some(lines)

    def _training(self, whole: Sequence[Image]) -> str:
        if self.split is not None:
            return f"reads all splits: look at '{self.place}'"
        refusal = self.why_not_trained()
        return f"refused: {refusal}" if refusal else self._advice(whole)

    def _advice(self, whole: Sequence[Image]) -> str:
        sizes = {image.size for image in whole}
        place = json.dumps(self.place, ensure_ascii=False)
        lines = ['dataset.name = "image_folder"', f"dataset.data_dir = {place}"]
        if self.choice.classes is not None:
            lines.append(f"image_folder.classes = {list(self.choice.classes)}")
        if self.choice.min_images:
            lines.append(f"image_folder.min_images = {self.choice.min_images}")
        size = _power_of_two(min(map(min, sizes)))
        if sizes != {(size, size)}:
            lines.append(f"dataset.image_size = {size}")
        return "; ".join(lines)


def _spread(indices: Sequence[int], count: int) -> list[int]:
    """At most `count` of the indices, at equal distances."""
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return [indices[i] for i in places]


def _named(name: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Rows of a report: the first line beside the name, the others below it."""
    for i, line in enumerate(lines or ["none"]):
        yield "" if i else name, line


def _some(lines: Sequence[str], count: int = _FAULTS) -> list[str]:
    more = len(lines) - count
    return [*lines[:count], *([f"… and {more:,} more"] if more > 0 else [])]


def _counted(values: Iterable[str]) -> str:
    counts = collections.Counter(values)
    if len(counts) == 1:
        return next(iter(counts))
    shown = ", ".join(f"{value} ({count:,})" for value, count in counts.most_common(5))
    more = len(counts) - 5
    return f"{shown}, … and {more:,} more" if more > 0 else shown or "none"


def _splits(group: Sequence[Image]) -> set[str]:
    return {image.split for image in group}


def _labels(group: Sequence[Image]) -> set[int]:
    return {image.label for image in group}


def _power_of_two(size: int) -> int:
    """The largest power of two up to 8/7 of a size (28 becomes 32): all architectures take it."""
    return 1 << max((size * 8 // 7).bit_length() - 1, 0)
