"""IDX files, the format of MNIST: a big-endian header followed by bytes."""

import math
import os
import struct
from collections.abc import Sequence
from typing import IO

import numpy as np

from compare_gan.datasets.sources import ArraySource, Source
from compare_gan.errors import UserError
from compare_gan.unpacking import DAMAGED, check_size, open_compressed

# The directory of Debian's package dataset-fashion-mnist.
DEBIAN_FASHION_MNIST = "/usr/share/datasets/fashion-mnist"
FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_PREFIXES = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTE = 8


def load_idx(data_dir: str | None = None, class_names: Sequence[str] | None = None) -> Source:
    """The IDX files of a folder, `train-images-idx3-ubyte[.gz]` and so on.

    Args:
      data_dir: The folder; that of Debian's Fashion-MNIST if None.
      class_names: Names of the classes.

    Returns:
      A source with the split `train` and, if its files exist, `test`.

    Raises:
      UserError: Files are missing, damaged, or do not match each other.
    """
    data_dir = data_dir or DEBIAN_FASHION_MNIST
    splits = {}
    for split, prefix in _PREFIXES.items():
        image_path = _find(data_dir, f"{prefix}-images-idx3-ubyte")
        label_path = _find(data_dir, f"{prefix}-labels-idx1-ubyte")
        if split == "test" and image_path is None and label_path is None:
            continue
        if image_path is None or label_path is None:
            missing = f"{prefix}-{'labels-idx1' if image_path else 'images-idx3'}-ubyte"
            raise UserError(f"There is no file '{missing}' (or '{missing}.gz') in '{data_dir}'.")
        images, labels = read_idx(image_path, 3), read_idx(label_path, 1)
        if len(images) != len(labels):
            raise UserError(
                f"'{image_path}' holds {len(images)} images, but '{label_path}' holds "
                f"{len(labels)} labels."
            )
        splits[split] = images[..., None], labels
    eval_split = "test" if "test" in splits else "train"
    return ArraySource.from_arrays(splits, eval_split=eval_split, class_names=class_names)


def load_fashion_mnist(data_dir: str | None = None) -> Source:
    """Fashion-MNIST in IDX files, 60,000 + 10,000 images; see `load_idx`."""
    return load_idx(data_dir, FASHION_MNIST_CLASSES)


def read_idx(path: str, rank: int) -> np.ndarray:
    """Reads an IDX file of unsigned bytes, which may be compressed by gzip.

    Args:
      path: The file.
      rank: The number of dimensions that the file must have.

    Returns:
      uint8 array of that rank.

    Raises:
      UserError: The file cannot be read, is of another kind, or holds less or far more than it
        declares.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.datasets.idx import read_idx
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "labels-idx1-ubyte")
      ...     with open(path, "wb") as file:
      ...         _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
      ...     read_idx(path, rank=1).tolist()
      [7, 2, 1]
    """
    try:
        with open_compressed(path) as file:
            shape = _read_shape(path, file, rank)
            size = math.prod(shape)
            check_size(f"'{path}'", size, os.path.getsize(path))
            content = file.read(size)
            left_over = len(file.read(1))
    except UserError:
        raise
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"'{path}' cannot be read: {reason}.") from error
    if len(content) < size or left_over:
        follow = "more" if left_over else str(len(content))
        raise UserError(
            f"The header of '{path}' declares {'x'.join(map(str, shape))} bytes, but {follow} "
            "follow."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_shape(path: str, file: IO[bytes], rank: int) -> tuple[int, ...]:
    """Reads the header of an IDX file."""
    start, expected = file.read(4), struct.pack(">HBB", 0, _UNSIGNED_BYTE, rank)
    sizes = file.read(4 * rank)
    if start != expected or len(sizes) < 4 * rank:
        raise UserError(
            f"'{path}' is not an IDX file of bytes with {rank} dimensions: it begins with "
            f"{start.hex()} instead of {expected.hex()}."
        )
    return struct.unpack(f">{rank}I", sizes)


def _find(folder: str, name: str) -> str | None:
    paths = [os.path.join(folder, name + suffix) for suffix in ("", ".gz")]
    return next((path for path in paths if os.path.isfile(path)), None)
