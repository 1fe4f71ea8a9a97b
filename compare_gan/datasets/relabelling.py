"""Labels that replace a data set's own: from files (gin scope `replace_labels`), or made up."""

import dataclasses
import zlib
from collections.abc import Mapping, Sequence

import gin
import numpy as np

from compare_gan.datasets.label_files import images_hash, read_label_files
from compare_gan.datasets.labels import check_soft, to_hard_labels
from compare_gan.datasets.remote_files import find
from compare_gan.datasets.sources import Source
from compare_gan.datasets.views import RelabelledSource, images_digest
from compare_gan.errors import UserError
from compare_gan.natural_order import in_natural_order


@gin.configurable("replace_labels")
@dataclasses.dataclass(frozen=True)
class ReplaceLabelsOptions:
    """Label files that replace a data set's own labels (gin scope `replace_labels`).

    Attributes:
      file_pattern: The files; see `replace_labels`. None = the data set's own labels.
      num_classes: Number of classes of the labels in the files; see `replace_labels`.

    Example:
      >>> from compare_gan.datasets import ReplaceLabelsOptions
      >>> ReplaceLabelsOptions("labels/{split}*", num_classes=50).num_classes
      50
    """

    file_pattern: str | None = None
    num_classes: int | None = None


def replace_labels(
    source: Source,
    name: str,
    file_pattern: str,
    num_classes: int | None = None,
    in_turn: bool = False,
) -> Source:
    """The source with hard or soft labels from files.

    Args:
      source: The source.
      name: Name of the data set in messages.
      file_pattern: The files, see `label_files`, for example `labels/{split}*.tfrecord`. They hold
        a label, or its absence, for every image of the split `train`, and of each other split that
        has files when its name replaces `{split}`.
      num_classes: Number of classes of the labels in the files; None = that of the source or, if it
        has no classes, as many as occur in the labels.
      in_turn: Whether to assign the labels to the examples in turn, regardless of their keys; for
        noise.

    Raises:
      UserError: No file is found, one cannot be read, an image is missing in them, or the labels
        have another number of classes.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets import ArraySource, write_label_file
      >>> from compare_gan.datasets.relabelling import replace_labels
      >>> source = ArraySource.from_arrays({"train": (np.zeros([3, 8, 8, 1], np.uint8), None)})
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "train.tfrecord")
      ...     _ = write_label_file(path, source.keys("train"), np.array([1, 0, 1]))
      ...     source = replace_labels(source, "mine", os.path.join(folder, "{split}.tfrecord"))
      >>> source.num_classes, source.labels("train").tolist()
      (2, [1, 0, 1])
    """
    new_labels = {}
    for split, size in source.splits.items():
        paths = label_paths(file_pattern, split)
        if not paths:
            continue
        keys, labels = read_label_files(paths)
        if in_turn:
            rows = np.arange(size) % len(keys)
        else:
            wanted = source.keys(split)  # For a stream, one pass over all records.
            rows = _rows(wanted, name, split, keys)
            if split == "train" and _have_numbers_only(wanted):
                _check_images(source, name, paths)
        new_labels[split] = labels[rows]
    expected = num_classes or source.num_classes or _count_classes(new_labels["train"])
    for split, labels in new_labels.items():
        _check_classes(labels, expected, f"'{file_pattern}' ({split})", name)
    if not in_turn and expected == source.num_classes:
        _check_order(source, new_labels["train"], file_pattern)
    return RelabelledSource.of(source, new_labels, expected)


def label_paths(file_pattern: str, split: str) -> list[str]:
    """The label files of a split, in order; without `{split}` the pattern is for `train` only.

    Hidden files, whose names start with a dot, are skipped.

    Raises:
      UserError: There is no file for `train`.
    """
    if split != "train" and "{split}" not in file_pattern:
        return []
    paths = find(file_pattern.replace("{split}", split))
    if split == "train" and not paths:
        raise UserError(
            f"replace_labels.file_pattern = '{file_pattern}' matches no file for the split 'train'."
        )
    return paths


def single_label(source: Source) -> Source:
    """The source with a single class, to which all images belong."""
    labels = {split: np.zeros(size, np.int32) for split, size in source.splits.items()}
    return RelabelledSource.of(source, labels, 1)


def random_labels(source: Source, seed: int) -> Source:
    """The source with a random label for each image, the same in every epoch and every run.

    They depend only on `seed`, the split and the image's position in the source.

    Raises:
      UserError: The source has no classes.
    """
    num_classes = source.num_classes
    if not num_classes:
        raise UserError("Random labels need a data set that has classes.")

    def draw(split: str, size: int) -> np.ndarray:
        rng = np.random.default_rng([seed, zlib.crc32(split.encode())])
        return rng.integers(num_classes, size=size, dtype="int32")

    labels = {split: draw(split, size) for split, size in source.splits.items()}
    return RelabelledSource.of(source, labels, num_classes)


def smoothed_labels(source: Source) -> Source:
    """The source with soft labels: 0.9 for the image's own class, 0.1 shared by all classes.

    Raises:
      UserError: The source has no classes.
    """
    classes = source.num_classes
    if not classes:
        raise UserError("Soft labels need a data set that has classes.")
    share = np.float32(0.1 / classes)
    true_labels = {split: to_hard_labels(source.labels(split)) for split in source.splits}
    labels = {
        split: 0.9 * np.eye(classes, dtype=np.float32)[y] + share
        for split, y in true_labels.items()
    }
    return RelabelledSource.of(source, labels, classes)


def has_soft_labels(source: Source) -> bool:
    """Whether the labels of the training images are soft; reads no data."""
    new_labels: Mapping = getattr(source, "new_labels", {})
    return "train" in new_labels and new_labels["train"].ndim == 2


def _rows(wanted: Sequence[str], name: str, split: str, keys: Sequence[str]) -> np.ndarray:
    """For each image of the split, the row of its label among `keys`."""
    row_of = {key: row for row, key in enumerate(keys)}
    missing = [key for key in wanted if key not in row_of]
    if missing:
        raise UserError(
            f"The label files hold no label for {len(missing)} of the {len(wanted)} images of the "
            f"split '{split}' of '{name}', such as '{missing[0]}' (they hold one for '{keys[0]}')."
        )
    if len(keys) > len(wanted) and _have_numbers_only(wanted):
        raise UserError(
            f"The label files hold {len(keys)} labels, but the split '{split}' of '{name}' has "
            f"{len(wanted)} images: they belong to another data set."
        )
    return np.array([row_of[key] for key in wanted])


def _have_numbers_only(keys: Sequence[str]) -> bool:
    """Whether the images have no names but their index, as those of any other data set may."""
    return list(keys) == [str(i) for i in range(len(keys))]


def _check_images(source: Source, name: str, paths: Sequence[str]) -> None:
    """Raises UserError if the labels were inferred for other images that have the same names."""
    for path in paths:
        expected = images_hash(path)
        if expected is not None and images_digest(source) != expected:
            raise UserError(
                f"The labels in '{path}' were inferred for other images than those of '{name}'."
            )


def _check_order(source: Source, labels: np.ndarray, file_pattern: str) -> None:
    """Raises UserError if the labels count the classes as text, 10 before 2, as they once were."""
    names = source.class_names or ()
    former = sorted(names)
    if list(names) == former or list(names) != in_natural_order(names):
        return
    given, own = to_hard_labels(labels), to_hard_labels(source.labels("train"))
    known = (given >= 0) & (own >= 0)
    number = np.array([names.index(name) for name in former])
    given, own = given[known], own[known]
    as_text = np.mean(number[given] == own) if len(own) else 0.0
    if as_text > 0.5 and as_text > np.mean(given == own):
        raise UserError(
            f"The labels in '{file_pattern}' count the classes in the order of an earlier version, "
            f"as text ({', '.join(former[:3])}, …), but the order is {', '.join(names[:3])}, … "
            "now: infer or write the labels again."
        )


def _count_classes(labels: np.ndarray) -> int:
    return labels.shape[1] if labels.ndim == 2 else max(int(labels.max()) + 1, 1)


def _check_classes(labels: np.ndarray, expected: int, files: str, name: str) -> None:
    classes = _count_classes(labels)
    if classes > expected or (labels.ndim == 2 and classes != expected):
        raise UserError(
            f"The labels in {files} have {classes} classes, but '{name}' has {expected}: set "
            "replace_labels.num_classes if the files define classes of their own."
        )
    if labels.ndim == 1 and labels.min() < -1:
        raise UserError(
            f"The labels in {files} must be classes from 0, or -1 for no label; received "
            f"{labels.min()}."
        )
    if labels.ndim == 2:
        check_soft(labels, files)
