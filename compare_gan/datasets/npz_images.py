"""Images in `.npz` files, which stay on disk. Nothing is unpickled."""

from typing import Any, NamedTuple

import numpy as np

from compare_gan import npz
from compare_gan.errors import UserError
from compare_gan.folders import ClassChoice
from compare_gan.folders.arrangement import counted
from compare_gan.folders.choosing import renumbered
from compare_gan.folders.limits import check_largest

IMAGES = ("images", "arr_0", "samples")


class Arrays(NamedTuple):
    """Images of an .npz file.

    Attributes:
      images: As they are stored.
      labels: As they are stored; None if there are none.
      class_names: Names of the classes; None if they have none.
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None


def open_arrays(path: str) -> Arrays | None:
    """Opens an .npz file of images; None if it holds none.

    Args:
      path: File with `images`, `arr_0` or `samples`, and optionally `labels` (`arr_1` with `arr_0`)
        and `class_names`.

    Returns:
      The images, mapped into memory (compressed ones are unpacked into a temporary file first).

    Raises:
      UserError: It is no .npz, holds Python objects, or less or far more than it declares.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets.npz_images import open_arrays
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.npz")
      ...     np.savez(path, np.zeros([2, 8, 8, 3], np.uint8), np.array([1, 0]))
      ...     arrays = open_arrays(path)
      >>> arrays.images.shape, arrays.labels.tolist()
      ((2, 8, 8, 3), [1, 0])
    """
    with npz.open_npz(path) as archive:
        keys = npz.keys(archive)
        key = next((key for key in IMAGES if key in keys), None)
        if key is None:
            return None
        # numpy.savez(path, images, labels) names them arr_0 and arr_1.
        names = ("labels", "arr_1") if key == "arr_0" else ("labels",)
        found = next((name for name in names if name in keys), None)
        labels, class_names = (
            np.array(npz.map_array(path, archive, each)) if each in keys else None
            for each in (found, "class_names")
        )
        images = npz.map_array(path, archive, key)
        return Arrays(images, labels, _names(path, class_names, labels))


def require_arrays(path: str) -> Arrays:
    """Opens an .npz file as `open_arrays` does, and raises UserError if it holds no images.

    Args:
      path: See `open_arrays`.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets.npz_images import require_arrays
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.npz")
      ...     np.savez(path, images=np.zeros([2, 8, 8, 3], np.uint8))
      ...     require_arrays(path).images.shape
      (2, 8, 8, 3)
    """
    if (arrays := open_arrays(path)) is None:
        raise UserError(f"'{path}' must hold images ({', '.join(IMAGES)}).")
    return arrays


def checked(name: str, images: np.ndarray, labels: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Images and labels in the form that everything else takes.

    Args:
      name: Name of their place, for messages.
      images: uint8 [n, H, W, C] or, gray, [n, H, W].
      labels: int [n], -1 for none; None without labels.

    Returns:
      uint8 [n, H, W, C], and int32 [n] or None.

    Raises:
      UserError: They have another form.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.npz_images import checked
      >>> images, labels = checked("mine", np.zeros([2, 8, 8], np.uint8), [1, 0])
      >>> images.shape, labels.dtype.name
      ((2, 8, 8, 1), 'int32')
    """
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or not images.size:
        raise UserError(
            f"The images of '{name}' must be uint8 [n, H, W, C], received {images.dtype} "
            f"{list(images.shape)}."
        )
    if images.ndim == 3 and images.shape[-1] in (1, 3, 4):
        height, width, channels = images.shape
        raise UserError(
            f"The images of '{name}' have the shape {list(images.shape)}, which is that of one "
            f"image: give [1, {height}, {width}, {channels}] for one image, or "
            f"[{height}, {width}, {channels}, 1] for {height} gray ones."
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[-1] not in (1, 3):
        raise UserError(
            f"The images of '{name}' must have 1 or 3 channels on the last axis, received shape "
            f"{list(images.shape)}."
        )
    if labels is None:
        return images, None
    labels = np.asarray(labels)
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise UserError(
            f"The labels of '{name}' must be integers [{len(images)}], received "
            f"{labels.dtype} {list(labels.shape)}."
        )
    if labels.min() < -1:
        raise UserError(
            f"The labels of '{name}' must be classes from 0, or -1 for no label; received "
            f"{labels.min()} to {labels.max()}."
        )
    check_largest(int(labels.max()), f"'{name}'")
    return images, labels.astype(np.int32)


class ChosenArrays(NamedTuple):
    """Images of an .npz file of some of its classes.

    Attributes:
      rows: Their indices in the file, int64 [n].
      labels: Their labels, int32 [n], which count only these classes; None without labels.
      class_names: Names of these classes; None if they have none.
      left_out: What is left out, in words.
    """

    rows: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None
    left_out: list[str]


def choose_arrays(
    path: str,
    labels: np.ndarray | None,
    class_names: tuple[str, ...] | None,
    choice: ClassChoice,
    count: int,
) -> ChosenArrays:
    """The images of the classes to take.

    Args:
      path: Path of the file, for messages.
      labels: Labels of all images, int32 [n], -1 for none; None without labels.
      class_names: Names of all classes; None if they have none.
      choice: The classes to take.
      count: Number of all images.

    Raises:
      UserError: There are no such classes.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.npz_images import choose_arrays
      >>> from compare_gan.folders import ClassChoice
      >>> labels = np.array([0, 2, 2, 1], np.int32)
      >>> chosen = choose_arrays("a.npz", labels, None, ClassChoice(("2", "0")), count=4)
      >>> chosen.rows.tolist(), chosen.labels.tolist(), chosen.class_names
      ([0, 1, 2], [0, 1, 1], ('0', '2'))
    """
    if choice.is_everything:
        return ChosenArrays(np.arange(count), labels, class_names, [])
    if labels is None:
        labels = np.full([count], -1, np.int32)
    names = class_names or tuple(map(str, range(int(labels.max()) + 1)))
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    kept, left_out = choice.kept(path, names, counts)
    rows = choice.rows(labels, kept)
    unlabelled = np.count_nonzero(labels < 0) - np.count_nonzero(labels[rows] < 0)
    if unlabelled:
        left_out.append(f"{counted(unlabelled, 'image')} without a class")
    if len(kept) < len(names):
        class_names = tuple(names[i] for i in kept)
    return ChosenArrays(rows, renumbered(labels[rows], kept), class_names, left_out)


def _names(
    path: str, names: np.ndarray | None, labels: np.ndarray | None
) -> tuple[str, ...] | None:
    if names is None or labels is None:
        return None
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) < len(names):
        raise UserError(f"class_names in '{path}' must be different texts, one for each class.")
    if labels.dtype.kind in "iu" and labels.size and labels.max() >= len(names):
        raise UserError(
            f"The labels in '{path}' go up to {labels.max()}, but class_names there names "
            f"{len(names)} classes."
        )
    return tuple(names.tolist())
