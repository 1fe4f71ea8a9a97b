"""Label files: TFRecord files with one `tf.train.Example` for each image.

The fields are those of the 2019 library:
  file_name: bytes, the key of the image (see `Source.keys`): the file name for ImageNet from
    TensorFlow Datasets; the path in the split's folder (`cat/0.png`) for `image_folder`; the id
    that TensorFlow Datasets assigns for its other data sets; otherwise the index, in decimal.
  label: for hard labels the class, int64, -1 for no label; for soft labels one float per class,
    all zeros for no label.
The order of the records does not matter.
"""

import collections
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from compare_gan import files
from compare_gan.datasets import remote_files
from compare_gan.datasets.tfrecords import (
    decode_example,
    encode_example,
    read_records,
    write_records,
)
from compare_gan.errors import UserError

# Names of the hash of some images in the manifest of `labels.files`: current and of version 1.
_IMAGES_HASH_NAMES = ("images_hash", "some images (hash)")


def write_label_file(path: str, keys: Sequence[str], labels: np.ndarray) -> str:
    """Writes the labels of a split to a file for `replace_labels.file_pattern`.

    The file is written completely or not at all.

    Args:
      path: The file; its folder is created if necessary.
      keys: Keys of the images, as `Source.keys` returns them.
      labels: Hard, int [n], -1 for no label, or soft, float [n, num_classes].

    Returns:
      The SHA-256 of the file, in hexadecimal digits.

    Raises:
      UserError: The number of keys is not that of the labels, or a key occurs twice.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets import read_label_files, write_label_file
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "train.tfrecord")
      ...     digest = write_label_file(path, ["cat/0.png", "dog/0.png"], np.array([0, 1]))
      ...     keys, labels = read_label_files([path])
      >>> keys, labels.tolist(), len(digest)
      (['cat/0.png', 'dog/0.png'], [0, 1], 64)
    """
    if len(keys) != len(labels) or len(set(keys)) != len(keys):
        raise UserError(f"{len(labels)} labels need as many different keys, received {len(keys)}.")
    with files.atomic(path) as temporary:
        with open(temporary, "wb") as file:
            write_records(file, map(_encode, keys, labels))
        return files.file_digest(temporary)


def _hash(path: str) -> str:
    with remote_files.open_to_read(path) as file:
        return files.digest(file)


def _manifest_of(path: str) -> tuple[str, str | None, str | None]:
    """For inferred labels: their manifest, the file's hash in it, and the hash of their images."""
    folder, name = os.path.split(path)
    parent, kind = os.path.split(folder)
    manifest = os.path.join(parent, "manifest.json")
    if remote_files.exists(manifest):
        try:
            with remote_files.open_to_read(manifest) as file:
                content = json.load(file)
            digest = content["files"].get(f"{kind}/{name}")
            key = content.get("key", {})
            hashes = [key[name] for name in _IMAGES_HASH_NAMES if name in key]
            return manifest, digest, hashes[0] if hashes else None
        except (ValueError, KeyError, TypeError, AttributeError):
            pass  # A manifest of something else.
    return manifest, None, None


def _check_hash(path: str) -> None:
    manifest, expected, _ = _manifest_of(path)
    if expected is not None and _hash(path) != expected:
        raise UserError(
            f"'{path}' is not the file whose hash is in '{manifest}': infer the labels again."
        )


def images_hash(path: str) -> str | None:
    """The `views.images_digest` of the data set that the file's labels were inferred for, if any.

    None if the file was not written by `labels.files`.
    """
    _, expected, images = _manifest_of(path)
    return None if expected is None else images


def read_label_files(paths: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Reads files that `write_label_file` has written.

    Args:
      paths: The files of one split.

    Returns:
      The keys of n images, and their labels: hard, int32 [n], or soft, float32 [n, num_classes].

    Raises:
      UserError: A file is damaged or of another kind, or its hash is not that in the manifest of
        the inferred labels (see `labels.files`); the files hold no label, or a key occurs twice.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets import read_label_files, write_label_file
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "train.tfrecord")
      ...     _ = write_label_file(path, ["0", "1"], np.array([[0.25, 0.75], [1.0, 0.0]]))
      ...     keys, labels = read_label_files([path])
      >>> labels.tolist()
      [[0.25, 0.75], [1.0, 0.0]]
    """
    for path in paths:
        _check_hash(path)
    files = f"'{paths[0]}'" if len(paths) == 1 else f"'{paths[0]}' to '{paths[-1]}'"
    keys: list[str] = []
    labels: list[Any] = []
    try:
        for path in paths:
            with remote_files.open_to_read(path) as file:
                for record in read_records(file):
                    key, label = _decode(record)
                    if labels and (label.dtype, label.shape) != (labels[0].dtype, labels[0].shape):
                        raise ValueError(f"the label of '{key}' is of another kind than the first")
                    keys.append(key)
                    labels.append(label)
    except ValueError as error:
        raise UserError(
            f"Labels in {files} cannot be read as examples with a 'file_name' and a 'label', "
            f"each label one int64 or the same number of floats: {error}."
        ) from error
    if not keys:
        raise UserError(f"There is no label in {files}.")
    if len(set(keys)) < len(keys):
        [(twice, _)] = collections.Counter(keys).most_common(1)
        raise UserError(f"There is more than one label for '{twice}' in {files}.")
    return keys, np.stack(labels)


def _encode(key: str, label: np.ndarray) -> bytes:
    return encode_example({"file_name": [key.encode()], "label": np.atleast_1d(label)})


def _decode(record: bytes) -> tuple[str, np.ndarray]:
    """The key and the label, int32 [] or float32 [num_classes], of a record."""
    features = decode_example(record)
    name, label = features.get("file_name"), features.get("label")
    if not isinstance(name, list) or len(name) != 1:
        raise ValueError("a 'file_name' is missing")
    if not isinstance(label, np.ndarray) or not len(label):
        raise ValueError("a 'label' is missing")
    if label.dtype == np.int64:
        if len(label) > 1:
            raise ValueError(f"there are {len(label)} labels for one image")
        return name[0].decode(), label[0].astype(np.int32)
    return name[0].decode(), label
