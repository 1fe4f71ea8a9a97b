"""A folder of images with one subfolder per class."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import gin
import numpy as np

from compare_gan.datasets import decoding
from compare_gan.datasets.decoding import Colour, Header, ImageFile, file_at, is_image_name
from compare_gan.datasets.image_headers import ImageError
from compare_gan.datasets.image_source import source_of_files
from compare_gan.datasets.sources import Source
from compare_gan.errors import UserError

# Names of split folders; the first of them that exists is the reference for evaluation.
_SPLITS = ("test", "validation", "val", "train")


@gin.configurable("image_folder")
@dataclasses.dataclass(frozen=True)
class ImageFolderOptions:
    """Options of the data set `image_folder` (gin scope `image_folder`).

    Attributes:
      channels: 1 (gray) or 3 (colour), to which all images are converted; None = 3 if any image is
        in colour.
    """

    channels: int | None = None

    def __post_init__(self) -> None:
        if self.channels not in (None, 1, 3):
            raise UserError(
                f"image_folder.channels must be 1, 3 or None, received {self.channels!r}."
            )


def load_image_folder(
    options: ImageFolderOptions,
    data_dir: str | None = None,
    image_size: int | None = None,
    background: Colour = decoding.WHITE,
) -> Source:
    """Image files, `data_dir/class/*.png` or `data_dir/train/class/*.png` (`test`, `val`).

    Files directly in the folder, without subfolders, make a data set without classes. Images are
    held in memory if they take at most `sources.MEMORY_LIMIT` bytes, otherwise they are decoded
    when needed. Hidden files and folders, whose names start with a dot, are skipped.

    Args:
      options: Number of channels.
      data_dir: The folder.
      image_size: Size to which the middle square of each image is resized; None = no resizing: all
        images must be of one size.
      background: Colour that images with an alpha channel are composited over.

    Raises:
      UserError: The folder does not exist, has no images or a class without images; a file is not
        a readable image; or images differ in size and are not to be resized.

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
    if not os.path.isdir(data_dir):
        raise UserError(f"dataset.data_dir = '{data_dir}' is not a folder.")
    inner = _subfolders(data_dir)
    has_splits = "train" in inner and set(inner) <= set(_SPLITS)
    roots = {s: os.path.join(data_dir, s) for s in inner} if has_splits else {"train": data_dir}
    class_names = _subfolders(roots["train"])
    files = {split: _list_images(root, class_names) for split, root in roots.items()}
    paths = {split: [path for path, _ in listed] for split, listed in files.items()}
    opened = {split: [file_at(path) for path in listed] for split, listed in paths.items()}
    headers = _look([file for listed in opened.values() for file in listed], background)
    shape = _common_shape(headers, image_size, options)
    composited = decoding.log_conversions(data_dir, headers.values(), shape[-1], background)
    return source_of_files(
        opened,
        image_size,
        background,
        image_shape=shape,
        splits={split: len(listed) for split, listed in paths.items()},
        background=composited,
        eval_split=next(split for split in _SPLITS if split in roots),
        num_classes=len(class_names) or None,
        class_names=tuple(class_names) or None,
        # Relative to the split's folder, so that label files stay valid if the folder moves.
        example_keys=lambda split: [
            os.path.relpath(path, roots[split]).replace(os.sep, "/") for path in paths[split]
        ],
        true_labels={
            split: np.array([label for _, label in listed], np.int32)
            for split, listed in files.items()
        },
    )


def _subfolders(folder: str) -> list[str]:
    return sorted(
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(".")
    )


def _images_in(folder: str) -> list[str]:
    names = (name for name in os.listdir(folder) if not name.startswith("."))
    images = sorted(filter(is_image_name, names))
    return [os.path.join(folder, name) for name in images]


def _list_images(root: str, class_names: list[str]) -> list[tuple[str, int]]:
    """Pairs (path, label) of one split; the label is -1 if there are no classes."""
    unknown = [name for name in _subfolders(root) if name not in class_names]
    if unknown:
        raise UserError(f"'{root}' has the class '{unknown[0]}', which the split 'train' lacks.")
    direct = _images_in(root)
    if direct and class_names:
        raise UserError(
            f"'{root}' holds both subfolders (classes) and images without a class, such as "
            f"'{os.path.basename(direct[0])}'."
        )
    found = [(path, -1) for path in direct]
    for label, name in enumerate(class_names):
        folder = os.path.join(root, name)
        if os.path.isdir(folder):
            found += [(path, label) for path in _images_in(folder)]
    if not found:
        raise UserError(f"'{root}' holds no image ({', '.join(decoding.EXTENSIONS)}).")
    return found


def _look(files: Sequence[ImageFile], background: Colour) -> dict[str, Header]:
    """The headers of all files, by their names."""
    headers = {}
    found = decoding.look_at_all([file.open for file in files], background=background)
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
    return height, width, options.channels or decoding.common_channels(headers.values())
