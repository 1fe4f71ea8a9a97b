"""Images of one's own: a folder with one subfolder per class, a zip, a table, an `.npz`."""

import dataclasses
import functools
import logging
import os
from collections.abc import Mapping, Sequence

import gin

from compare_gan.datasets import image_headers, resizing
from compare_gan.datasets.colours import WHITE, Colour
from compare_gan.datasets.decoding import ImageFile
from compare_gan.datasets.image_headers import Header, ImageError
from compare_gan.datasets.image_source import Preparation, source_of_files
from compare_gan.datasets.npz_source import load_npz
from compare_gan.datasets.sources import Source, no_labels
from compare_gan.datasets.views import RelabelledSource
from compare_gan.errors import UserError, unknown_name
from compare_gan.folders import (
    SPLITS,
    WHOLE,
    ClassChoice,
    check_for_training,
    choose_classes,
    find_images,
)

_log = logging.getLogger(__name__)

_CROPS = ("middle", "none")


@gin.configurable("image_folder")
@dataclasses.dataclass(frozen=True)
class ImageFolderOptions:
    """Options of the data set `image_folder` (gin scope `image_folder`).

    Attributes:
      channels: 1 (gray) or 3 (colour), to which all images are converted; None = 3 if any image is
        in colour.
      class_in_name: Whether files named `<number>_<class>.png` have these classes although no
        `classes.json` beside them says so: sets that `compare_gan sample` wrote before that file
        existed. `metrics` follows it too.
      crop: With `dataset.image_size`: `middle`, the largest square in the middle, or `none`, the
        whole image, whose aspect ratio may change.
      resample: With `dataset.image_size`, the filter, which is antialiased: `bilinear`, `bicubic`,
        `lanczos` or `box`.
      cache: Whether images that take too much memory are cached on disk once they are decoded.
      classes: Names of the classes to take; None = all. They keep the order of the data set. Images
        without a class are left out too.
      min_images: Classes with fewer images to train on are left out, also of other splits.
    """

    channels: int | None = None
    class_in_name: bool = False
    crop: str = "middle"
    resample: str = "bilinear"
    cache: bool = True
    classes: Sequence[str | int] | None = None
    min_images: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (("crop", _CROPS), ("resample", resizing.FILTERS)):
            value = getattr(self, name)
            if value not in allowed:
                raise unknown_name(f"image_folder.{name}", value, allowed)
        if self.channels not in (None, 1, 3):
            raise UserError(
                f"image_folder.channels must be 1, 3 or None, received {self.channels!r}."
            )
        if self.classes is not None and not _are_names(self.classes):
            raise UserError(
                "image_folder.classes must be a list of names such as ['cat', 'dog'], received "
                f"{self.classes!r}."
            )
        if type(self.min_images) is not int or self.min_images < 0:
            raise UserError(
                f"image_folder.min_images must be an integer from 0, received {self.min_images!r}."
            )

    @property
    def choice(self) -> ClassChoice:
        """The classes to take."""
        names = None if self.classes is None else tuple(map(str, self.classes))
        return ClassChoice(names, self.min_images)


def _are_names(value: object) -> bool:
    """Whether a value is a list of names or, where names are numbers, of integers."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(name, str | int) and not isinstance(name, bool) for name in value)


def load_image_folder(
    options: ImageFolderOptions,
    data_dir: str | None = None,
    image_size: int | None = None,
    background: Colour = WHITE,
    class_order: Sequence[str] | None = None,
) -> Source:
    """Image files, `data_dir/class/*.png` or `data_dir/train/class/*.png` (`test`, `val`).

    `folders.arrange` finds the classes and splits, for `metrics` as well; a line in the log says
    what was found. Images are held in memory if they take at most `sources.MEMORY_LIMIT` bytes,
    otherwise they are decoded when needed and cached on disk.

    Args:
      options: Number of channels, crop, filter, classes, and the origin of labels.
      data_dir: The folder; or a `.zip` of one; a `.csv` of files and labels, see
        `folders.tables.read_table`; or an `.npz`, see `npz_source.load_npz`.
      image_size: Size to which images are cropped and resized; None = all images must be of one
        size.
      background: Colour that images with an alpha channel are composited over.
      class_order: Names of the classes in their order; None = natural order.

    Raises:
      UserError: The folder or archive does not exist, has no images or a class without images; it
        is not clear what its subfolders mean; a file is not a readable image; images differ in
        size and are not to be resized; or there is no such class as `options` choose.

    Example:
      >>> import os, tempfile
      >>> from PIL import Image
      >>> from compare_gan.datasets.folder import ImageFolderOptions, load_image_folder
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     for name in ("cat", "dog"):
      ...         os.mkdir(os.path.join(folder, name))
      ...         Image.new("RGB", (6, 6)).save(os.path.join(folder, name, "0.png"))
      ...     source = load_image_folder(ImageFolderOptions(), folder)
      >>> source.image_shape, source.class_names, source.keys("train")
      ((6, 6, 3), ('cat', 'dog'), ['cat/0.png', 'dog/0.png'])
    """
    if not data_dir:
        raise UserError("The data set 'image_folder' needs dataset.data_dir: the folder to read.")
    if not os.path.exists(data_dir):
        raise UserError(f"dataset.data_dir = '{data_dir}' is not a folder or file.")
    if data_dir.lower().endswith(".npz") and os.path.isfile(data_dir):
        return load_npz(
            data_dir, options.channels, image_size, options.crop, options.resample, options.choice
        )
    found = find_images(data_dir, options.class_in_name, class_order)
    found = choose_classes(found, options.choice)
    check_for_training(found)
    storage = found.storage
    splits = {"train" if split == WHOLE else split: own for split, own in found.splits.items()}
    files = {
        split: [
            ImageFile(storage.path(name), functools.partial(storage.opener, name))
            for name in own.images
        ]
        for split, own in splits.items()
    }
    headers = _look([file for listed in files.values() for file in listed], background)
    shape = _common_shape(headers, image_size, options)
    _log.info("%s", found.summary())
    composited = image_headers.log_conversions(data_dir, headers.values(), shape[-1], background)
    source = source_of_files(
        files,
        Preparation(shape, image_size, background, options.crop, options.resample),
        [header.version for header in headers.values()] if options.cache else None,
        splits={split: len(listed) for split, listed in files.items()},
        background=composited,
        eval_split=next(split for split in reversed(SPLITS) if split in splits),
        num_classes=found.num_classes or None,
        class_names=found.class_names,
        # Relative to the split's folder, so that label files stay valid if the folder moves.
        example_keys=lambda split: [
            name.removeprefix(splits[split].root) for name in splits[split].images
        ],
        true_labels={
            split: no_labels(len(own.images)) if hard is None else hard
            for split, own in splits.items()
            for hard in [own.hard_labels]
        },
    )
    soft = {
        split: own.labels
        for split, own in splits.items()
        if own.labels is not None and own.labels.ndim == 2
    }
    return RelabelledSource.of(source, soft, found.num_classes) if soft else source


def _look(files: Sequence[ImageFile], background: Colour) -> dict[str, Header]:
    """The headers of all files, by their names."""
    headers = {}
    found = image_headers.look_at_all([file.open for file in files], background=background)
    for file, header in zip(files, found, strict=True):
        if isinstance(header, ImageError):
            raise UserError(f"'{file.name}' is not a readable image: {header}.") from header
        headers[file.name] = header
    return headers


def _common_shape(
    headers: Mapping[str, Header], image_size: int | None, options: ImageFolderOptions
) -> tuple[int, int, int]:
    """The shape that all images will have."""
    sizes: dict[tuple[int, int], str] = {}
    for name, header in headers.items():
        sizes.setdefault((header.width, header.height), name)
    if image_size is None and len(sizes) > 1:
        (a, first), (b, second) = list(sizes.items())[:2]
        raise UserError(
            f"Images differ in size ('{first}' is {a[0]}x{a[1]}, '{second}' {b[0]}x{b[1]}): set "
            "dataset.image_size to resize them."
        )
    width, height = (image_size, image_size) if image_size else next(iter(sizes))
    return height, width, options.channels or image_headers.common_channels(headers.values())
