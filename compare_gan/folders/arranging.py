"""From the files of a folder to splits and classes.

One rule for training and metrics:
  - Names that begin with a dot and systems' own folders are skipped (see `names`).
  - A folder that holds nothing but one folder of folders, as zip archives often do, is entered.
  - Folders named `train` and `test`, `val` or similar, in any case, are splits.
  - The folders in it are the classes, with all images below them, in natural order: 2 before 10.
  - Images without folders have no classes, unless a file beside them gives their labels (`marks`).
  - What may mean two things is refused.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from compare_gan.errors import UserError
from compare_gan.folders import marks
from compare_gan.folders.arrangement import WHOLE, Arrangement, Split
from compare_gan.folders.names import EXTENSIONS, is_image_name, natural_key, split_of
from compare_gan.folders.storage import Storage

_MARKS = (marks.CLASSES_FILE, marks.STYLEGAN_FILE)
_ORDER = ("train", "val", "validation", "test")


def arrange(
    storage: Storage, class_in_name: bool = False, class_order: Sequence[str] | None = None
) -> Arrangement:
    """Finds the splits and classes of images.

    Args:
      storage: The files.
      class_in_name: Whether files named `<number>_<class>.png`, all in one folder without
        `classes.json`, have these classes: versions before that file wrote them so.
      class_order: Names of the classes in the order to use, if they are the same classes; None =
        natural order.

    Raises:
      UserError: There is no image, or it is not clear which folders are splits or classes.

    Example:
      >>> from compare_gan.folders import Storage, arrange
      >>> files = ("10/a.png", "9/a.png", "9/b.png", "notes.txt")
      >>> found = arrange(Storage("digits", files, ("10", "9"), 0, open))
      >>> found.class_names, found.splits["all"].images
      (('9', '10'), ('9/a.png', '9/b.png', '10/a.png'))
      >>> found.summary()
      "'digits': 3 images, 2 classes (9 2, 10 1); left out: 1 other file (.txt)."
    """
    images = [name for name in storage.files if is_image_name(name)]
    if not images:
        raise UserError(f"'{storage.place}' holds no image ({', '.join(EXTENSIONS)}).")
    files = set(storage.files)
    root = _entered(images, files)
    roots = _roots_of_splits(storage, images, root)
    if WHOLE in roots:
        _refuse_inner_splits(storage, images, root)
    splits, num_classes, class_names = _classified(
        storage, images, roots, class_in_name, class_order
    )
    known = {name for split in splits.values() for name in split.images}
    ours = {root + name for root in roots.values() for name in _MARKS}
    return Arrangement(
        storage,
        splits,
        num_classes,
        class_names,
        outside=tuple(name for name in images if name not in known),
        others=tuple(sorted(files.difference(images, ours))),
        numbered=not num_classes and marks.looks_numbered(images),
    )


def _entered(images: Sequence[str], files: set[str]) -> str:
    """The folder that holds the splits or classes, with a final `/` unless it is empty."""
    root = ""
    while not any(root + mark in files for mark in _MARKS):
        inside = {name[len(root) :].split("/")[0] for name in images}
        [only, *more] = inside
        inner = f"{root}{only}/"
        # A single folder that holds images itself is a class.
        if more or split_of(only) or root + only in files:
            break
        if not any(inner + mark in files for mark in _MARKS) and any(
            "/" not in name[len(inner) :] for name in images
        ):
            break
        root = inner
    return root


def _roots_of_splits(storage: Storage, images: Sequence[str], root: str) -> dict[str, str]:
    """The folder of each split; that of all images as `WHOLE` if there are no splits."""
    if any(root + mark in storage.files for mark in _MARKS):
        return {WHOLE: root}
    inside = [name[len(root) :] for name in images if name.startswith(root)]
    folders = sorted({name.split("/")[0] for name in inside if "/" in name}, key=natural_key)
    found: dict[str, str] = {}
    for folder in folders:
        if (split := split_of(folder)) is None:
            continue
        if split in found:
            raise UserError(
                f"'{storage.place}' holds both '{found[split]}' and '{folder}', which mean the "
                "same split: put their images into one folder."
            )
        found[split] = folder
    others = [folder for folder in folders if folder not in found.values()]
    if not found or (list(found) == ["train"] and others and _is_class("train", found, inside)):
        return {WHOLE: root}
    if others:
        listed = "', '".join(found.values())
        raise UserError(
            f"'{storage.place}' holds folders of splits ('{listed}') beside "
            f"'{others[0]}': it is not clear which folders are classes. Move either into a folder "
            "of its own."
        )
    for name in _empty(storage, root, set(found.values())):
        if split_of(name):
            raise UserError(f"'{storage.path(root + name)}' holds no image.")
    return {split: f"{root}{found[split]}/" for split in _ORDER if split in found}


def _is_class(split: str, found: Mapping[str, str], inside: Sequence[str]) -> bool:
    """Whether a folder of this split's name holds images itself, as those of classes do."""
    folder = f"{found[split]}/"
    return any(name.startswith(folder) and "/" not in name[len(folder) :] for name in inside)


def _refuse_inner_splits(storage: Storage, images: Sequence[str], root: str) -> None:
    """Raises UserError if classes are divided into splits, which must be outermost."""
    inner: dict[str, str] = {}
    for name in images:
        parts = name[len(root) :].split("/")[:-1]
        if len(parts) > 1 and (split := split_of(parts[1])):
            inner.setdefault(split, "/".join(parts[:2]))
    if "train" in inner and len(inner) > 1:
        one, other = list(inner.values())[:2]
        raise UserError(
            f"'{storage.place}' holds splits inside of classes ('{one}', '{other}'): the folders "
            "of splits must contain those of classes."
        )


def _classified(
    storage: Storage,
    images: Sequence[str],
    roots: Mapping[str, str],
    class_in_name: bool,
    class_order: Sequence[str] | None,
) -> tuple[dict[str, Split], int, tuple[str, ...] | None]:
    """The splits, the number of classes and their names."""
    inside = {
        split: [name for name in images if name.startswith(root)] for split, root in roots.items()
    }
    if (marked := _marked(storage, inside, roots, class_in_name)) is not None:
        return marked
    folders = {
        split: {
            name[len(roots[split]) :].split("/")[0]
            for name in names
            if _lies_deeper(name, roots[split])
        }
        for split, names in inside.items()
    }
    unclassed = {
        split: next((name for name in names if not _lies_deeper(name, roots[split])), None)
        for split, names in inside.items()
    }
    has_classes = not any(unclassed.values())
    found = set().union(*folders.values()) if has_classes else set()
    names = tuple(sorted(found, key=natural_key))
    if class_order is not None and sorted(class_order) == sorted(names):
        names = tuple(class_order)
    number = {name: label for label, name in enumerate(names)}
    splits = {}
    for split, root in roots.items():
        ordered, labels = inside[split], None
        if has_classes:
            by_class = [number[name[len(root) :].split("/")[0]] for name in ordered]
            order = np.argsort(by_class, kind="stable")
            ordered = [ordered[i] for i in order]
            labels = np.array(by_class, np.int32)[order]
        beside = unclassed[split] if folders[split] else None
        splits[split] = Split(
            root, tuple(ordered), labels, _empty(storage, root, folders[split]), beside
        )
    return splits, len(names), names or None


def _lies_deeper(name: str, root: str) -> bool:
    return "/" in name[len(root) :]


def _empty(storage: Storage, root: str, folders: set[str]) -> tuple[str, ...]:
    """Folders directly in `root` that hold no image."""
    inside = [name[len(root) :] for name in storage.folders if name.startswith(root)]
    return tuple(name for name in inside if "/" not in name and name not in folders)


def _marked(
    storage: Storage,
    inside: Mapping[str, Sequence[str]],
    roots: Mapping[str, str],
    class_in_name: bool,
) -> tuple[dict[str, Split], int, tuple[str, ...] | None] | None:
    """The images with labels from a file beside them, or from their names; None without either."""
    if list(roots) != [WHOLE]:
        return None
    root, images = roots[WHOLE], inside[WHOLE]
    if (stylegan := marks.read_stylegan(storage, root, images)) is not None:
        labels, num_classes = stylegan
        return {WHOLE: Split(root, tuple(images), labels)}, num_classes, None
    classes = marks.read_classes(storage, root)
    if classes is None and not class_in_name:
        return None
    if not marks.looks_numbered(images) or any(_lies_deeper(name, root) for name in images):
        return None
    labels = marks.numbered_labels(images)
    names = None if classes is None else classes[0]
    marks.check_numbered(labels, names, storage.place)
    num_classes = int(labels.max()) + 1 if names is None else len(names)
    return {WHOLE: Split(root, tuple(images), labels)}, num_classes, names
