"""Labels that are not the data set's own: from files (gin scope `replace_labels`), or made up."""

import zlib
from collections.abc import Mapping, Sequence

import gin
import numpy as np
import tensorflow as tf

from compare_gan.datasets.label_files import images_hash, read_label_files
from compare_gan.datasets.labels import check_soft, to_hard_labels
from compare_gan.datasets.sources import Source
from compare_gan.datasets.views import RelabelledSource, images_digest
from compare_gan.errors import UserError


@gin.configurable("replace_labels", allowlist=["file_pattern", "num_classes"])
def replace_labels(
    source: Source,
    name: str,
    in_turn: bool = False,
    file_pattern: str | None = None,
    num_classes: int | None = None,
) -> Source:
    """The source with labels, hard or soft, from files (gin scope `replace_labels`).

    Args:
      source: The source.
      name: What messages call it.
      in_turn: Give the labels to the examples in turn, whatever they are called: for noise.
      file_pattern: The files, see `label_files`, for example `labels/{split}*.tfrecord`. They hold
        a label, or that there is none, for every image of the split `train`, and of each other
        split whose name in the place of `{split}` gives files. None = the source's own labels.
      num_classes: How many classes the labels in the files have; None = as many as the source,
        where that has none as many as the labels show.

    Raises:
      UserError: No file is found, one cannot be read, an image is missing in them, or the labels
        are not those of so many classes.
    """
    if file_pattern is None:
        return source
    new_labels = {}
    for split, size in source.splits.items():
        paths = label_paths(file_pattern, split)
        if not paths:
            continue
        keys, labels = read_label_files(paths)
        if in_turn:
            rows = np.arange(size) % len(keys)
        else:
            wanted = source.keys(split)  # Of a stream, a reading of all records.
            rows = _rows(wanted, name, split, keys)
            if split == "train" and _have_numbers_only(wanted):
                _check_images(source, name, paths)
        new_labels[split] = labels[rows]
    expected = num_classes or source.num_classes or _classes_of(new_labels["train"])
    for split, labels in new_labels.items():
        _check_classes(labels, expected, f"'{file_pattern}' ({split})", name)
    return RelabelledSource.of(source, new_labels, expected)


def label_paths(file_pattern: str, split: str) -> list[str]:
    """The label files of a split, in order; none where only those of `train` are asked for.

    Raises:
      UserError: There is none for `train`.
    """
    if split != "train" and "{split}" not in file_pattern:
        return []
    paths = sorted(tf.io.gfile.glob(file_pattern.replace("{split}", split)))
    if split == "train" and not paths:
        raise UserError(
            f"replace_labels.file_pattern = '{file_pattern}' matches no file for the split 'train'."
        )
    return paths


def single_label(source: Source) -> Source:
    """The source with one class, to which all images belong."""
    labels = {split: np.zeros(size, np.int32) for split, size in source.splits.items()}
    return RelabelledSource.of(source, labels, 1)


def random_labels(source: Source, seed: int) -> Source:
    """The source with a random label for each image, the same in every epoch and every run.

    They follow from `seed`, the split, and the image's place in the source alone.

    Raises:
      UserError: The source has no classes.
    """
    if not source.num_classes:
        raise UserError("Random labels need a data set that has classes.")

    def draw(split: str, size: int) -> np.ndarray:
        rng = np.random.default_rng([seed, zlib.crc32(split.encode())])
        return rng.integers(source.num_classes, size=size, dtype=np.int32)

    labels = {split: draw(split, size) for split, size in source.splits.items()}
    return RelabelledSource.of(source, labels, source.num_classes)


def smoothed_labels(source: Source) -> Source:
    """The source with soft labels: nine tenths for its own class, the rest for all alike."""
    classes = source.num_classes
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
    """For each image of the split the row of its label among `keys`."""
    place = {key: row for row, key in enumerate(keys)}
    missing = [key for key in wanted if key not in place]
    if missing:
        raise UserError(
            f"The label files hold no label of {len(missing)} of the {len(wanted)} images of the "
            f"split '{split}' of '{name}', such as '{missing[0]}' (they do of '{keys[0]}')."
        )
    if len(keys) > len(wanted) and _have_numbers_only(wanted):
        raise UserError(
            f"The label files hold {len(keys)} labels, but the split '{split}' of '{name}' has "
            f"{len(wanted)} images: they are of another data set."
        )
    return np.array([place[key] for key in wanted])


def _have_numbers_only(keys: Sequence[str]) -> bool:
    """Whether the images have no other names: those of another data set look the same."""
    return list(keys) == [str(i) for i in range(len(keys))]


def _check_images(source: Source, name: str, paths: Sequence[str]) -> None:
    """Raises UserError if labels that were inferred were so for other images of the same names."""
    for path in paths:
        expected = images_hash(path)
        if expected is not None and images_digest(source) != expected:
            raise UserError(
                f"The labels in '{path}' were inferred for other images than those of '{name}'."
            )


def _classes_of(labels: np.ndarray) -> int:
    return labels.shape[1] if labels.ndim == 2 else max(int(labels.max()) + 1, 1)


def _check_classes(labels: np.ndarray, expected: int, files: str, name: str) -> None:
    classes = _classes_of(labels)
    if classes > expected or (labels.ndim == 2 and classes != expected):
        raise UserError(
            f"The labels in {files} are of {classes} classes, but '{name}' has {expected}: set "
            "replace_labels.num_classes if they are classes of their own."
        )
    if labels.ndim == 1 and labels.min() < -1:
        raise UserError(
            f"The labels in {files} must be classes from 0 or, for none, -1; received "
            f"{labels.min()}."
        )
    if labels.ndim == 2:
        check_soft(labels, files)
