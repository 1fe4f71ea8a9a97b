"""JSON files beside images that say which class each of them has.

`classes.json`, which `compare_gan sample --num` writes beside its images:
  file_names   "<number>_<class>.png": the names of the images, in which <class> counts from 0
  class_names  names of the classes in this order; null if they have none

`dataset.json`, which StyleGAN's data set tool writes:
  labels       pairs of a path and a label, a class from 0 or a vector; null: there are no classes
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from compare_gan.errors import UserError
from compare_gan.folders.limits import check_largest, wrong_sums
from compare_gan.folders.storage import Storage
from compare_gan.terminal import in_utf_8
from compare_gan.unpacking import DAMAGED

CLASSES_FILE = "classes.json"
STYLEGAN_FILE = "dataset.json"
_PATTERN = "<number>_<class>.png"
_NUMBERED = re.compile(r"[0-9]{6,}_([0-9]{1,9})\.png")

Labels = np.ndarray  # int32 [n], or float32 [n, classes] for soft ones.


@dataclasses.dataclass(frozen=True)
class Mark:
    """A file that gives the classes of the images beside and below it.

    Attributes:
      root: Its folder, with a final `/` unless it is empty.
      name: `CLASSES_FILE` or `STYLEGAN_FILE`.
      content: What it holds.
    """

    root: str
    name: str
    content: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Its path among the files."""
        return self.root + self.name


class Labelling(NamedTuple):
    """The classes of images.

    Attributes:
      labels: int32 [n], or float32 [n, num_classes] where they are probabilities; None if there
        are no classes.
      num_classes: Number of classes, 0 if there are none.
      class_names: Names of the classes; None if they have no names.
    """

    labels: Labels | None
    num_classes: int
    class_names: tuple[str, ...] | None


def classes_text(class_names: Sequence[str] | None) -> str:
    """The content of `classes.json`.

    Example:
      >>> from compare_gan.folders import classes_text
      >>> print(classes_text(["cat", "dog"]), end="")
      {"file_names": "<number>_<class>.png", "class_names": ["cat", "dog"]}
    """
    names = None if class_names is None else list(map(str, class_names))
    content = {"file_names": _PATTERN, "class_names": names}
    return in_utf_8(json.dumps(content, ensure_ascii=False)) + "\n"


def looks_numbered(names: Sequence[str]) -> bool:
    """Whether all files have names as `sample` writes them: `<number>_<class>.png`."""
    return all(_NUMBERED.fullmatch(name.rsplit("/", 1)[-1]) for name in names)


def numbered_labels(names: Sequence[str], place: str) -> np.ndarray:
    """The classes in the names of files for which `looks_numbered` holds, int32 [n].

    Raises:
      UserError: A class is too large, see `limits.check_largest`.
    """
    found = [_NUMBERED.fullmatch(name.rsplit("/", 1)[-1]) for name in names]
    labels = [int(match[1]) for match in found if match]
    largest = max(range(len(labels)), key=labels.__getitem__)
    check_largest(labels[largest], f"the name of '{names[largest]}' in '{place}'")
    return np.array(labels, np.int32)


def find_mark(storage: Storage, root: str) -> Mark | None:
    """The file in `root` that gives the classes of the images there; None if there is none.

    A file of this name with other content was written by another program and is ignored.

    Args:
      storage: The files.
      root: The folder, with a final `/` unless it is empty.

    Raises:
      UserError: A file of such a name is damaged.
    """
    for name in (STYLEGAN_FILE, CLASSES_FILE):
        content = _read(storage, root + name) if root + name in storage.files else None
        if not isinstance(content, dict):
            continue
        if "labels" in content if name == STYLEGAN_FILE else content.get("file_names") == _PATTERN:
            return Mark(root, name, content)
    return None


def read_mark(storage: Storage, mark: Mark, images: Sequence[str]) -> Labelling:
    """The classes that a file gives to images.

    Args:
      storage: The files.
      mark: The file.
      images: All images in its folder and below.

    Raises:
      UserError: An image has no class, or the file is none of its kind.
    """
    if mark.name == STYLEGAN_FILE:
        return _read_stylegan(storage, mark, images)
    return _read_classes(storage, mark, images)


def _read_classes(storage: Storage, mark: Mark, images: Sequence[str]) -> Labelling:
    path = storage.path(mark.path)
    names = mark.content.get("class_names")
    if names is not None:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"The class_names in '{path}' must be a list of names.")
        if len(set(names)) < len(names):
            raise UserError(f"A class occurs twice in the class_names in '{path}'.")
    inside = [name.removeprefix(mark.root) for name in images]
    if without := [name for name in inside if not _NUMBERED.fullmatch(name)]:
        raise UserError(
            f"'{without[0]}' beside '{path}' has no class: that file gives classes to images "
            f"named {_PATTERN} in its own folder; move all others elsewhere."
        )
    labels = numbered_labels(images, storage.place)
    if names is not None and labels.max() >= len(names):
        raise UserError(
            f"A file in '{storage.path(mark.root)}' has the class {labels.max()} in its name, but "
            f"{CLASSES_FILE} there names the classes 0 to {len(names) - 1}."
        )
    num_classes = int(labels.max()) + 1 if names is None else len(names)
    return Labelling(labels, num_classes, None if names is None else tuple(names))


def _read_stylegan(storage: Storage, mark: Mark, images: Sequence[str]) -> Labelling:
    pairs, where = mark.content["labels"], f"'{storage.path(mark.path)}'"
    if pairs is None:
        return Labelling(None, 0, None)
    try:
        listed = [(str(name).replace("\\", "/"), label) for name, label in pairs]
    except (TypeError, ValueError) as error:
        raise UserError(
            f"The labels in {where} must be pairs of a path and a label, or null."
        ) from error
    label_of: dict[str, Any] = {}
    for name, label in listed:
        if label_of.setdefault(name, label) != label:
            raise UserError(f"{where} gives several labels to '{name}'.")
    names = [image.removeprefix(mark.root) for image in images]
    missing = [name for name in names if name not in label_of]
    if missing:
        raise UserError(
            f"{where} has no label for {len(missing)} of {len(names)} images, such as "
            f"'{missing[0]}'."
        )
    return _as_labels([label_of[name] for name in names], where)


def _as_labels(values: Sequence[Any], where: str) -> Labelling:
    try:
        labels = np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        labels = np.empty([0])
    if labels.ndim == 1 and len(labels) and (labels >= 0).all() and (labels % 1 == 0).all():
        largest = int(labels.max())
        check_largest(largest, where)
        return Labelling(labels.astype(np.int32), largest + 1, None)
    if labels.ndim == 2 and (labels >= 0).all() and not len(wrong_sums(labels)):
        is_hard = (labels.max(1) == 1).all() and (np.count_nonzero(labels, axis=1) == 1).all()
        hard = labels.argmax(1).astype(np.int32)
        return Labelling(hard if is_hard else labels.astype(np.float32), labels.shape[1], None)
    raise UserError(
        f"The labels in {where} must all be classes (integers from 0), or all be vectors of one "
        "length whose numbers are probabilities of the classes."
    )


def _read(storage: Storage, path: str) -> Any:
    try:
        with storage.opener(path) as file:
            content = file.read()
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"'{storage.path(path)}' cannot be read: {reason}.") from error
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"'{storage.path(path)}' is not a JSON file: {error}.") from error
