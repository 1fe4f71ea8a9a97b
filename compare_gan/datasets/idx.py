"""IDX files, the format of MNIST: a big-endian header, then bytes."""

import gzip
import os
import struct
from collections.abc import Sequence

import numpy as np

from compare_gan.datasets.sources import ArraySource, Source
from compare_gan.errors import UserError

# Where Debian's package dataset-fashion-mnist puts Fashion-MNIST.
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
      data_dir: The folder; Debian's Fashion-MNIST if None.
      class_names: Names of the classes.

    Returns:
      A source with the splits `train` and, where its files are there, `test`.

    Raises:
      UserError: Files are missing, damaged, or do not fit each other.
    """
    data_dir = data_dir or DEBIAN_FASHION_MNIST
    splits = {}
    for split, prefix in _PREFIXES.items():
        paths = [
            _find(data_dir, f"{prefix}-{what}-idx{rank}-ubyte")
            for what, rank in (("images", 3), ("labels", 1))
        ]
        if split == "test" and paths == [None, None]:
            continue
        if None in paths:
            missing = f"{prefix}-{'labels-idx1' if paths[0] else 'images-idx3'}-ubyte"
            raise UserError(f"There is no file '{missing}' (or '{missing}.gz') in '{data_dir}'.")
        images, labels = read_idx(paths[0], 3), read_idx(paths[1], 1)
        if len(images) != len(labels):
            raise UserError(
                f"'{paths[0]}' holds {len(images)} images, but '{paths[1]}' {len(labels)} labels."
            )
        splits[split] = images[..., None], labels
    eval_split = "test" if "test" in splits else "train"
    return ArraySource.from_arrays(splits, eval_split=eval_split, class_names=class_names)


def load_fashion_mnist(data_dir: str | None = None) -> Source:
    """Fashion-MNIST as Debian ships it, 60,000 + 10,000 images; see `load_idx`."""
    return load_idx(data_dir, FASHION_MNIST_CLASSES)


def read_idx(path: str, rank: int) -> np.ndarray:
    """Reads one IDX file of unsigned bytes, packed by gzip if its name ends in `.gz`.

    Args:
      path: The file.
      rank: Number of dimensions that it must have.

    Returns:
      uint8 array of that rank.

    Raises:
      UserError: It is not such a file, or is cut short.
    """
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError) as error:
        raise UserError(f"'{path}' cannot be read: {error}.") from error
    header = 4 + 4 * rank
    expected = struct.pack(">HBB", 0, _UNSIGNED_BYTE, rank)
    if content[:4] != expected or len(content) < header:
        raise UserError(
            f"'{path}' is not an IDX file of bytes with {rank} dimensions: it begins with "
            f"{content[:4].hex()}, not {expected.hex()}."
        )
    shape = struct.unpack(f">{rank}I", content[4:header])
    if len(content) - header != np.prod(shape):
        raise UserError(
            f"'{path}' announces {'x'.join(map(str, shape))} bytes, but {len(content) - header} "
            "follow."
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _find(folder: str, name: str) -> str | None:
    paths = [os.path.join(folder, name + suffix) for suffix in ("", ".gz")]
    return next((path for path in paths if os.path.isfile(path)), None)
