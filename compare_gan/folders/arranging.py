"""From the files of a folder to splits and classes.

One rule for training and metrics:
  - Names that begin with a dot and systems' own folders are skipped (see `names`).
  - A folder that holds nothing but one folder of folders, as zip archives often do, is entered;
    in folders of splits if all of them hold such a folder.
  - The outermost folder of a zip archive is entered even if it holds images itself.
  - Folders named `train` and `test`, `val` or similar, in any case, are splits.
  - The folders in it are the classes, with all images below them, in natural order: 2 before 10.
  - Images without folders have no classes, unless a file beside them gives their labels (`marks`).
  - An ambiguous layout is refused with a one-sentence explanation.
"""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from compare_gan.errors import UserError
from compare_gan.folders import marks
from compare_gan.folders.arrangement import WHOLE, Arrangement, Split
from compare_gan.folders.names import EXTENSIONS, SPLITS, is_image_name, split_of
from compare_gan.folders.storage import Storage
from compare_gan.natural_order import in_natural_order

_MarkAt = Callable[[str], marks.Mark | None]  # From a folder to the file with its classes.


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
      "'digits': 3 images, 2 classes (9: 2, 10: 1); left out: 1 other file (.txt)."
    """
    images = [name for name in storage.files if is_image_name(name)]
    if not images:
        raise UserError(f"'{storage.place}' holds no image ({', '.join(EXTENSIONS)}).")
    mark_at = functools.cache(functools.partial(marks.find_mark, storage))
    root = _entered(storage, images, {WHOLE: ""}, mark_at)[WHOLE]
    roots = _roots_of_splits(storage, images, root, mark_at)
    if WHOLE not in roots:
        roots = _entered(storage, images, roots, mark_at)
    elif not mark_at(root):
        _refuse_inner_splits(storage, images, root)
    splits, num_classes, class_names = _classified(
        storage, images, roots, mark_at, class_in_name, class_order
    )
    known = {name for split in splits.values() for name in split.images}
    ours = {mark.path for mark in map(mark_at, roots.values()) if mark}
    return Arrangement(
        storage,
        splits,
        num_classes,
        class_names,
        outside=tuple(name for name in images if name not in known),
        others=tuple(sorted(set(storage.files).difference(images, ours))),
        numbered=not num_classes and marks.looks_numbered(images),
    )


def _entered(
    storage: Storage, images: Sequence[str], roots: Mapping[str, str], mark_at: _MarkAt
) -> dict[str, str]:
    """The folders that hold the splits or classes, equally far below each root."""
    roots = dict(roots)
    while True:
        inside = {
            split: [name for name in images if name.startswith(root)]
            for split, root in roots.items()
        }
        inner = {
            split: _only_folder(storage, inside[split], root, mark_at)
            for split, root in roots.items()
        }
        found = {split: folder for split, folder in inner.items() if folder is not None}
        if len(found) < len(roots):
            return roots
        roots = found


def _only_folder(
    storage: Storage, images: Sequence[str], root: str, mark_at: _MarkAt
) -> str | None:
    """The only folder in `root`, if it holds splits or classes; with a final `/`."""
    [only, *more] = {name[len(root) :].split("/")[0] for name in images}
    if mark_at(root) or more or split_of(only) or root + only in images:
        return None
    inner = f"{root}{only}/"
    # A single folder that holds images itself is a class, unless an archive was made of it.
    is_class = any(not _lies_deeper(name, inner) for name in images)
    if is_class and not mark_at(inner) and (root or not storage.is_archive):
        return None
    return inner


def _roots_of_splits(
    storage: Storage, images: Sequence[str], root: str, mark_at: _MarkAt
) -> dict[str, str]:
    """The folder of each split; that of all images as `WHOLE` if there are no splits."""
    if mark_at(root):
        return {WHOLE: root}
    inside = [name[len(root) :] for name in images if name.startswith(root)]
    folders = in_natural_order({name.split("/")[0] for name in inside if "/" in name})
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
    return {split: f"{root}{found[split]}/" for split in SPLITS if split in found}


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
    if len(inner) > 1:
        one, other = list(inner.values())[:2]
        raise UserError(
            f"'{storage.place}' holds splits inside of classes ('{one}', '{other}'): the folders "
            "of splits must contain those of classes."
        )


def _classified(
    storage: Storage,
    images: Sequence[str],
    roots: Mapping[str, str],
    mark_at: _MarkAt,
    class_in_name: bool,
    class_order: Sequence[str] | None,
) -> tuple[dict[str, Split], int, tuple[str, ...] | None]:
    """The splits, the number of classes and their names."""
    inside = {
        split: [name for name in images if name.startswith(root)] for split, root in roots.items()
    }
    if (labelled := _labelled(storage, inside, roots, mark_at, class_in_name)) is not None:
        given = {
            split: Split(roots[split], tuple(inside[split]), own.labels)
            for split, own in labelled.items()
        }
        first, *others = labelled.values()
        return given, max(own.num_classes for own in (first, *others)), first.class_names
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
    names = tuple(in_natural_order(found))
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


def _labelled(
    storage: Storage,
    inside: Mapping[str, Sequence[str]],
    roots: Mapping[str, str],
    mark_at: _MarkAt,
    class_in_name: bool,
) -> dict[str, marks.Labelling] | None:
    """The classes that files beside the images or their names give; None without either."""
    found = {split: mark for split, root in roots.items() if (mark := mark_at(root))}
    if not found:
        root, images = roots.get(WHOLE, ""), inside.get(WHOLE, ())
        if not class_in_name or not images or not marks.looks_numbered(images):
            return None
        if any(_lies_deeper(name, root) for name in images):
            return None
        labels = marks.numbered_labels(images, storage.place)
        return {WHOLE: marks.Labelling(labels, int(labels.max()) + 1, None)}
    if lacking := [split for split in roots if split not in found]:
        raise UserError(
            f"'{storage.path(next(iter(found.values())).path)}' gives the classes of one split, "
            f"but '{storage.path(roots[lacking[0]])}' has no such file."
        )
    labelled = {
        split: marks.read_mark(storage, mark, inside[split]) for split, mark in found.items()
    }
    kinds = {split: (found[split].name, *_kind(own)) for split, own in labelled.items()}
    first, *others = kinds
    for other in others:
        if kinds[other] != kinds[first]:
            raise UserError(
                f"'{storage.path(found[first].path)}' and '{storage.path(found[other].path)}' "
                "define different classes, but the splits of a data set have the same ones."
            )
    return labelled


def _kind(own: marks.Labelling) -> tuple[object, ...]:
    """Properties of classes that must be the same in each split."""
    width = own.labels.shape[1:] if own.labels is not None else None
    return own.class_names, width
