"""From a path, a name or an array to a set of images."""

import contextlib
import dataclasses
import functools
import logging
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from compare_gan import registry
from compare_gan.datasets import decoding, get_dataset, image_headers
from compare_gan.datasets.colours import Colour, parse_colour
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.folder import ImageFolderOptions
from compare_gan.datasets.image_headers import ImageError
from compare_gan.datasets.npz_images import checked
from compare_gan.engine.progress import PATIENCE, ProgressLine, announced
from compare_gan.errors import UserError, unknown_name, with_suggestion
from compare_gan.evaluation.image_sets.npz import GivenStatistics, open_npz, stored_statistics
from compare_gan.evaluation.image_sets.sets import ImageSet, IndexedImages
from compare_gan.evaluation.image_sets.split import SplitImages
from compare_gan.folders import (
    WHOLE,
    Arrangement,
    check_split,
    choose_split,
    divide_path,
    find_images,
)

_log = logging.getLogger(__name__)

ON_ERROR = ("stop", "skip")
_TFDS = "tfds:"
_PATH_LIKE = re.compile(r"[/\\]|\.(npz|zip|csv|tsv)$", re.IGNORECASE)


def open_images(
    source: Any,
    *,
    on_error: str = "stop",
    progress: bool = False,
    background: str = "white",
    choose_split: Callable[[Dataset], str | None] = lambda dataset: None,
) -> ImageSet | GivenStatistics:
    """Opens a set of images.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation.image_sets import open_images
      >>> images = open_images((np.zeros([6, 8, 8, 3], np.uint8), np.arange(6) % 2))
      >>> images.count, images.shape, images.num_classes
      (6, (8, 8, 3), 2)

    Args:
      source: A folder, read with its subfolders; a `.zip` of images; a `.csv` of files and labels;
        an `.npz` with `images`, `arr_0` or `samples` (uint8 [n, H, W, C]) and optionally `labels`
        or, with `arr_0`, `arr_1`, and `mu` and `sigma` (see `ImageSet.stored`), or with `mu` and
        `sigma` alone; a data set `NAME` or `NAME:SPLIT`; an array uint8 [n, H, W, C], or a pair of
        it and labels int [n]; an `ImageSet`. The classes of a folder, zip or table are those that
        training finds in it, see `folders.find_images`; if it holds several splits, `PATH:SPLIT` is
        one of them, `PATH:all` all together. A file or folder takes precedence over a data set of
        the same name.
      on_error: `stop`: a broken file is a UserError; `skip`: it is left out with a warning. Then
        all files are decoded once beforehand, since statistics depend on the number of images.
      progress: Report on standard error how many files have been read.
      background: Colour that images with an alpha channel in a folder or zip are composited over:
        its name, or `#rrggbb`. That of a data set is `dataset.background`.
      choose_split: Function that chooses the split of a data set named without one; where it
        returns None, the data set's `eval_split` is used.

    Raises:
      UserError: There is no such file, folder or data set, it holds no images, it is not clear what
        its folders mean, or a file is broken.
    """
    if on_error not in ON_ERROR:
        raise unknown_name("on_error", on_error, ON_ERROR)
    if isinstance(source, ImageSet | GivenStatistics):
        return source
    colour = parse_colour("background", background)
    if not isinstance(source, str | os.PathLike):
        return _from_arrays(source)
    path = os.fspath(source)
    place, split = divide_path(path)
    if os.path.exists(place):
        return _from_path(place, split, on_error, progress, colour)
    if _PATH_LIKE.search(path) and not path.startswith(_TFDS):
        raise UserError(f"There is no file or folder '{path}'.")
    return _from_dataset(path, choose_split, progress)


def _from_path(
    path: str, split: str | None, on_error: str, progress: bool, background: Colour
) -> ImageSet | GivenStatistics:
    if os.path.isfile(path) and path.lower().endswith(".npz"):
        check_split(path, (), split)
        opened = open_npz(path)
        if isinstance(opened, GivenStatistics):
            return opened
        return dataclasses.replace(_indexed(path, *opened), stored=stored_statistics(path))
    found = find_images(path, ImageFolderOptions().class_in_name)
    images = _from_files(found, split, on_error, progress, background)
    _log.info("%s", found.summary())
    if found.numbered:
        _log.info(
            "The names of the images in '%s' are not taken for classes, because no classes.json "
            "there says that they are; image_folder.class_in_name = True reads sets of older "
            "versions.",
            path,
        )
    return images


def _choose(found: Arrangement, split: str | None) -> tuple[list[str], np.ndarray | None]:
    """The images of a split, and their labels."""
    place, splits = found.storage.place, found.splits
    if split is None and len(splits) > 1:
        sizes = ", ".join(f"'{place}:{name}' ({len(own.images):,})" for name, own in splits.items())
        raise UserError(
            f"'{place}' holds the images of several splits: choose {sizes}, or '{place}:{WHOLE}'."
        )
    chosen = list(choose_split(found, split).splits.values())
    names = [name for own in chosen for name in own.images]
    labels = [own.hard_labels for own in chosen]
    given = [each for each in labels if each is not None]
    return names, np.concatenate(given) if len(given) == len(labels) else None


def _from_files(
    arrangement: Arrangement,
    split: str | None,
    on_error: str,
    progress: bool,
    background: Colour,
) -> ImageSet:
    place = arrangement.storage.place
    names, labels = _choose(arrangement, split)
    opens = [functools.partial(arrangement.storage.opener, name) for name in names]
    found = image_headers.look_at_all(
        opens,
        on_error == "skip",
        background,
        _slowly(place, len(names)) if progress else lambda count: None,
    )
    broken = {
        name: each for name, each in zip(names, found, strict=True) if isinstance(each, ImageError)
    }
    if broken and on_error == "stop":
        name, error = next(iter(broken.items()))
        more = f" {len(broken) - 1} more cannot be read either." if len(broken) > 1 else ""
        raise _broken(place, name, error, more)
    for name, error in broken.items():
        _log.warning("'%s' in '%s' is left out: %s.", name, place, error)
    kept = [i for i, name in enumerate(names) if name not in broken]
    if not kept:
        raise UserError(f"None of the {len(names)} images in '{place}' can be read.")
    labels = None if labels is None else labels[kept]
    has_labels = labels is not None and bool((labels >= 0).all())
    headers = [each for each in found if not isinstance(each, ImageError)]
    channels = image_headers.common_channels(headers)
    sizes = {(header.height, header.width) for header in headers}

    def read(index: int) -> np.ndarray:
        i = kept[index]
        try:
            return decoding.decode(opens[i], channels, background)
        except ImageError as error:
            raise _broken(place, names[i], error) from error

    return IndexedImages(
        name=place if split is None else f"{place}:{split}",
        place=place,
        split=split or WHOLE,
        count=len(kept),
        shape=(*sizes.pop(), channels) if len(sizes) == 1 else None,
        has_labels=has_labels,
        class_names=arrangement.class_names if has_labels else None,
        left_out=tuple(f"{name}: {error}" for name, error in broken.items()),
        background=image_headers.log_conversions(place, headers, channels, background),
        read=read,
        labels=labels,
        order=np.arange(len(kept)),
    )


def _slowly(place: str, count: int) -> Callable[[int], None]:
    """A function that reports how many files have been read, if that takes a while."""
    line = ProgressLine(f"look at {place}:", 0, count, PATIENCE)

    def report(done: int) -> None:
        line.update(done, "files")
        if done == count:
            line.close()

    return report


def _broken(place: str, name: str, error: Exception, more: str = "") -> UserError:
    return UserError(
        f"'{name}' in '{place}' cannot be read as an image: {error}.{more} With on_error skip, "
        "broken files are left out."
    )


def _from_arrays(source: Any) -> ImageSet:
    images, labels = source if isinstance(source, tuple) else (source, None)
    return _indexed("array", np.asarray(images), labels, None)


def _indexed(
    name: str, images: np.ndarray, labels: Any, class_names: tuple[str, ...] | None
) -> ImageSet:
    images, labels = checked(name, images, labels)
    return IndexedImages(
        name=name,
        count=len(images),
        shape=(int(images.shape[1]), int(images.shape[2]), int(images.shape[3])),
        has_labels=labels is not None and bool((labels >= 0).all()),
        class_names=class_names,
        read=lambda i: np.asarray(images[i]),
        labels=labels,
        order=np.arange(len(images)),
    )


def _from_dataset(
    text: str, choose_split: Callable[[Dataset], str | None], progress: bool
) -> ImageSet:
    prefix = _TFDS if text.startswith(_TFDS) else ""
    name, _, own_split = text.removeprefix(prefix).partition(":")
    known = registry.names("dataset")
    aliases = [alias for part in registry.components("dataset") for alias in part.aliases]
    if not prefix and name not in (*known, *aliases):
        sentence = f"'{text}' is not a file, a folder or a data set."
        raise UserError(with_suggestion(sentence, name, known, what="the data set "))
    with announced(f"Reading the data set '{name}'") if progress else contextlib.nullcontext():
        dataset = get_dataset(prefix + name)
    split = own_split or choose_split(dataset) or dataset.eval_split
    return SplitImages.of(dataset, split, name=f"{prefix}{name}:{split}")
