"""A folder of images, one subfolder a class."""

import os

import gin
import numpy as np
import tensorflow as tf
from PIL import Image

from compare_gan.datasets import sources
from compare_gan.datasets.transforms import middle_square
from compare_gan.errors import UserError

_EXTENSIONS = (".png", ".jpg", ".jpeg")
# Names of split folders; the first of them that is there is the reference for evaluation.
_SPLITS = ("test", "validation", "val", "train")
_CHANNELS = {"1": 1, "L": 1, "LA": 1, "I;16": 1, "P": 3, "RGB": 3, "RGBA": 3}


@gin.configurable("image_folder")
def load_image_folder(
    data_dir: str | None = None, image_size: int | None = None, channels: int | None = None
) -> sources.Source:
    """PNG and JPEG files, `data_dir/class/*.png` or `data_dir/train/class/*.png` (`test`, `val`).

    Files directly in the folder, without subfolders, make a data set without classes. Images are
    kept in memory where they take at most `sources.MEMORY_LIMIT` bytes, else decoded when needed.

    Args:
      data_dir: The folder.
      image_size: Images are cropped to the middle square and resized to this; None = as they are,
        all of one size.
      channels: 1 for gray or 3 for colour, into which all images are converted; None = as they
        are, all of one kind.

    Raises:
      UserError: There is no such folder or image, a class is empty, a file is not a readable
        image, or images differ in size or kind and are not to be converted.
    """
    if not data_dir:
        raise UserError("The data set 'image_folder' needs dataset.data_dir: the folder to read.")
    if not os.path.isdir(data_dir):
        raise UserError(f"dataset.data_dir = '{data_dir}' is not a folder.")
    if channels not in (None, 1, 3):
        raise UserError(f"image_folder.channels must be 1, 3 or None, received {channels!r}.")
    inner = _subfolders(data_dir)
    has_splits = "train" in inner and set(inner) <= set(_SPLITS)
    roots = {s: os.path.join(data_dir, s) for s in inner} if has_splits else {"train": data_dir}
    class_names = _subfolders(roots["train"])
    files = {split: _list_images(root, class_names) for split, root in roots.items()}
    paths = {split: [path for path, _ in listed] for split, listed in files.items()}
    shape = _common_shape([p for listed in paths.values() for p in listed], image_size, channels)
    transform = middle_square(image_size) if image_size else None

    def decode(path: tf.Tensor) -> tf.Tensor:
        content = tf.io.read_file(path)
        image = tf.io.decode_image(content, channels=shape[-1], expand_animations=False)
        return tf.ensure_shape(transform(image, None) if transform else image, shape)

    return sources.in_memory_or_decoding(
        decode,
        paths,
        image_shape=shape,
        splits={split: len(listed) for split, listed in paths.items()},
        eval_split=next(split for split in _SPLITS if split in roots),
        num_classes=len(class_names) or None,
        class_names=tuple(class_names) or None,
        # Relative to the split's folder, so that label files stay true where the folder moves.
        example_keys=lambda split: [
            os.path.relpath(path, roots[split]).replace(os.sep, "/") for path in paths[split]
        ],
        true_labels={
            split: np.array([label for _, label in listed], np.int32)
            for split, listed in files.items()
        },
    )


def _subfolders(folder: str) -> list[str]:
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())


def _images_in(folder: str) -> list[str]:
    names = sorted(n for n in os.listdir(folder) if n.lower().endswith(_EXTENSIONS))
    return [os.path.join(folder, name) for name in names]


def _list_images(root: str, class_names: list[str]) -> list[tuple[str, int]]:
    """Pairs (path, label) of one split; label -1 where there are no classes."""
    unknown = [name for name in _subfolders(root) if name not in class_names]
    if unknown:
        raise UserError(f"'{root}' has the class '{unknown[0]}', which the split 'train' has not.")
    direct = _images_in(root)
    if direct and class_names:
        raise UserError(
            f"'{root}' holds both subfolders (classes) and images of no class, such as "
            f"'{os.path.basename(direct[0])}'."
        )
    found = [(path, -1) for path in direct]
    for label, name in enumerate(class_names):
        folder = os.path.join(root, name)
        if os.path.isdir(folder):
            found += [(path, label) for path in _images_in(folder)]
    if not found:
        raise UserError(f"'{root}' holds no PNG or JPEG image.")
    return found


def _common_shape(
    paths: list[str], image_size: int | None, channels: int | None
) -> tuple[int, int, int]:
    """The shape that all images will have; looks at the header of every file."""
    seen: dict[str, dict] = {"size": {}, "channels": {}}
    for path in paths:
        try:
            with Image.open(path) as image:
                size, mode = image.size, image.mode
        except OSError as error:
            raise UserError(f"'{path}' is not a readable image: {error}.") from error
        if mode not in _CHANNELS:
            raise UserError(f"'{path}' is an image of mode {mode}; gray and RGB ones can be read.")
        seen["size"].setdefault(size, path)
        seen["channels"].setdefault(_CHANNELS[mode], path)
    sizes, kinds = seen["size"], seen["channels"]
    if image_size is None and len(sizes) > 1:
        (a, first), (b, second) = list(sizes.items())[:2]
        raise UserError(
            f"Images differ in size ('{first}' is {a[0]}x{a[1]}, '{second}' {b[0]}x{b[1]}): set "
            "dataset.image_size to resize them."
        )
    if channels is None and len(kinds) > 1:
        raise UserError(
            f"Some images are gray ('{kinds[1]}'), others in colour ('{kinds[3]}'): set "
            "image_folder.channels to 1 or 3 to convert them."
        )
    width, height = (image_size, image_size) if image_size else next(iter(sizes))
    return (height, width, channels or next(iter(kinds)))
