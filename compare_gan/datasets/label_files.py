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
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from compare_gan import files
from compare_gan.datasets.sources import with_fixed_threads
from compare_gan.errors import UserError

# Names of the hash of some images in the manifest of `labels.files`: current and of version 1.
_IMAGES_HASH_NAMES = ("images_hash", "some images (hash)")
_BATCH = 1024


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
        with tf.io.TFRecordWriter(temporary) as writer:
            for key, label in zip(keys, labels, strict=True):
                writer.write(_example(key, label).SerializeToString())
        return files.file_digest(temporary)


def _hash(path: str) -> str:
    with tf.io.gfile.GFile(path, "rb") as file:
        return files.digest(file)


def _manifest_of(path: str) -> tuple[str, str | None, str | None]:
    """For inferred labels: their manifest, the file's hash in it, and the hash of their images."""
    folder, name = os.path.split(path)
    parent, kind = os.path.split(folder)
    manifest = os.path.join(parent, "manifest.json")
    if tf.io.gfile.exists(manifest):
        try:
            with tf.io.gfile.GFile(manifest) as file:
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
    try:
        batches = list(_parse(paths))
    except tf.errors.OpError as error:
        reason = str(error.message).split("\n", 1)[0].rstrip(".")
        raise UserError(
            f"Labels in {files} cannot be read as examples with a 'file_name' and a 'label', "
            f"each label one int64 or the same number of floats: {reason}."
        ) from error
    keys = [key.decode() for names, _ in batches for key in names]
    if not keys:
        raise UserError(f"There is no label in {files}.")
    if len(set(keys)) < len(keys):
        [(twice, _)] = collections.Counter(keys).most_common(1)
        raise UserError(f"There is more than one label for '{twice}' in {files}.")
    return keys, np.concatenate([labels for _, labels in batches])


def _example(key: str, label: np.ndarray) -> tf.train.Example:
    if np.ndim(label):
        value = tf.train.Feature(float_list=tf.train.FloatList(value=label))
    else:
        value = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)]))
    name = tf.train.Feature(bytes_list=tf.train.BytesList(value=[key.encode()]))
    return tf.train.Example(features=tf.train.Features(feature={"file_name": name, "label": value}))


def _parse(paths: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Keys and labels in batches; the first record shows whether they are hard or soft."""
    records = tf.data.TFRecordDataset(list(paths))
    spec = {"file_name": tf.io.FixedLenFeature([], tf.string)}
    for first in records.take(1).as_numpy_iterator():
        spec["label"] = _label_spec(first)
    batches = records.batch(_BATCH).map(lambda batch: tf.io.parse_example(batch, spec))
    for batch in with_fixed_threads(batches).as_numpy_iterator():
        labels = batch["label"]
        yield batch["file_name"], labels if labels.ndim == 2 else labels.astype(np.int32)


def _label_spec(record: bytes) -> tf.io.FixedLenFeature:
    try:
        label = tf.train.Example.FromString(record).features.feature["label"]
    except DecodeError as error:
        raise tf.errors.DataLossError(None, None, "not a tf.train.Example") from error
    if label.HasField("float_list"):
        return tf.io.FixedLenFeature([len(label.float_list.value)], tf.float32)
    return tf.io.FixedLenFeature([], tf.int64)
