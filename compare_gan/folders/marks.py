"""JSON files beside images that say which class each of them has.

`classes.json`, which `compare_gan sample --num` writes beside its images:
  file_names   "<number>_<class>.png": the names of the images, in which <class> counts from 0
  class_names  names of the classes in this order; null if they have none

`dataset.json`, which StyleGAN's data set tool writes:
  labels       pairs of a path and a label, a class from 0 or a vector; null: there are no classes
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from compare_gan.errors import UserError
from compare_gan.folders.storage import Storage

CLASSES_FILE = "classes.json"
STYLEGAN_FILE = "dataset.json"
_PATTERN = "<number>_<class>.png"
_NUMBERED = re.compile(r"[0-9]{6,}_([0-9]{1,9})\.png")
# Allows for probabilities that were stored with few digits.
_TOLERANCE = 0.01

Labels = np.ndarray  # int32 [n], or float32 [n, classes] for soft ones.


def classes_text(class_names: Sequence[str] | None) -> str:
    """The content of `classes.json`.

    Example:
      >>> from compare_gan.folders import classes_text
      >>> print(classes_text(["cat", "dog"]), end="")
      {"file_names": "<number>_<class>.png", "class_names": ["cat", "dog"]}
    """
    names = None if class_names is None else list(map(str, class_names))
    return json.dumps({"file_names": _PATTERN, "class_names": names}, ensure_ascii=False) + "\n"


def looks_numbered(names: Sequence[str]) -> bool:
    """Whether all files have names as `sample` writes them: `<number>_<class>.png`."""
    return all(_NUMBERED.fullmatch(name.rsplit("/", 1)[-1]) for name in names)


def numbered_labels(names: Sequence[str]) -> np.ndarray:
    """The classes in the names of files for which `looks_numbered` holds, int32 [n]."""
    found = [_NUMBERED.fullmatch(name.rsplit("/", 1)[-1]) for name in names]
    return np.array([int(match[1]) for match in found if match], np.int32)


def read_classes(storage: Storage, root: str) -> tuple[tuple[str, ...] | None] | None:
    """The names of the classes in `classes.json`, in a tuple; None if there is no such file.

    A file of this name with other content is somebody else's and does not count.

    Raises:
      UserError: Its names are no list of different strings.
    """
    path = root + CLASSES_FILE
    content = _read(storage, path) if path in storage.files else None
    if not isinstance(content, dict) or content.get("file_names") != _PATTERN:
        return None
    names = content.get("class_names")
    if names is None:
        return (None,)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"The class_names in '{storage.path(path)}' must be a list of names.")
    if len(set(names)) < len(names):
        raise UserError(f"A class occurs twice in the class_names in '{storage.path(path)}'.")
    return (tuple(names),)


def check_numbered(labels: np.ndarray, class_names: Sequence[str] | None, place: str) -> None:
    """Raises UserError if a class in a file's name is beyond the names in `classes.json`."""
    if class_names is not None and len(labels) and labels.max() >= len(class_names):
        raise UserError(
            f"A file in '{place}' has the class {labels.max()} in its name, but {CLASSES_FILE} "
            f"there names the classes 0 to {len(class_names) - 1}."
        )


def read_stylegan(
    storage: Storage, root: str, images: Sequence[str]
) -> tuple[Labels | None, int] | None:
    """The labels of images in `dataset.json`, and their number of classes; None without the file.

    Args:
      storage: The files.
      root: Folder of the file, which its paths are relative to, with a final `/` unless empty.
      images: The images, in `root`.

    Returns:
      Labels int32 [n], or float32 [n, classes] where they are probabilities; None if the file says
      that there are none.

    Raises:
      UserError: An image has no label, or labels are neither classes nor probabilities.
    """
    path = root + STYLEGAN_FILE
    content = _read(storage, path) if path in storage.files else None
    if not isinstance(content, dict) or "labels" not in content:
        return None
    pairs, where = content["labels"], f"'{storage.path(path)}'"
    if pairs is None:
        return None, 0
    try:
        label_of = {str(name).replace("\\", "/"): label for name, label in pairs}
    except (TypeError, ValueError) as error:
        raise UserError(
            f"The labels in {where} must be pairs of a path and a label, or null."
        ) from error
    names = [image.removeprefix(root) for image in images]
    missing = [name for name in names if name not in label_of]
    if missing:
        raise UserError(
            f"{where} has no label for {len(missing)} of {len(names)} images, such as "
            f"'{missing[0]}'."
        )
    return _as_labels([label_of[name] for name in names], where)


def _as_labels(values: Sequence[Any], where: str) -> tuple[Labels, int]:
    try:
        labels = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        labels = np.empty([0])
    if labels.ndim == 1 and len(labels) and (labels >= 0).all() and (labels % 1 == 0).all():
        return labels.astype(np.int32), int(labels.max()) + 1
    if labels.ndim == 2 and (labels >= 0).all() and _add_up(labels):
        is_hard = (labels.max(1) == 1).all() and (np.count_nonzero(labels, axis=1) == 1).all()
        hard = labels.argmax(1).astype(np.int32)
        return (hard if is_hard else labels.astype(np.float32)), labels.shape[1]
    raise UserError(
        f"The labels in {where} must all be classes (integers from 0), or all be vectors of one "
        "length whose numbers are probabilities of the classes."
    )


def _add_up(labels: np.ndarray) -> bool:
    return bool((np.abs(labels.sum(1) - 1) <= _TOLERANCE).all())


def _read(storage: Storage, path: str) -> Any:
    try:
        with storage.opener(path) as file:
            return json.loads(file.read().decode("utf-8-sig"))
    except ValueError as error:
        raise UserError(f"'{storage.path(path)}' is not a JSON file: {error}.") from error
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"'{storage.path(path)}' cannot be read: {reason}.") from error
