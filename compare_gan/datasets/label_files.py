"""Labels in files of their own: TFRecord files, one `tf.train.Example` for each image.

Its fields are those of the 2019 library:
  file_name: bytes, what the image is called (see `Source.keys`): the file name in ImageNet of
    TensorFlow Datasets; the path in the split's folder (`cat/0.png`) for `image_folder`; the id
    that TensorFlow Datasets gives for its other data sets; else the index, as a decimal number.
  label: int64, the class, -1 for no label; or, soft, as many floats as there are classes, zeros
    for no label.
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

# Names of the hash of some images in the manifest of `labels.files`: today's, and of version 1.
_IMAGES_HASH_NAMES = ("images_hash", "some images (hash)")
_BATCH = 1024


def write_label_file(path: str, keys: Sequence[str], labels: np.ndarray) -> str:
    """Writes the labels of a split for `replace_labels.file_pattern`, whole or not at all.

    Args:
      path: The file; its folder is made if need be.
      keys: What the images are called, as `Source.keys` gives it.
      labels: Hard, int [n], -1 for none, or soft, float [n, num_classes].

    Returns:
      The SHA-256 of the file, in hexadecimal digits.

    Raises:
      UserError: There are not as many keys as labels, or a key comes twice.
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
    """Of inferred labels: their manifest, the file's hash there and the hash of their images."""
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
            pass  # Of something else.
    return manifest, None, None


def _check_hash(path: str) -> None:
    manifest, expected, _ = _manifest_of(path)
    if expected is not None and _hash(path) != expected:
        raise UserError(
            f"'{path}' is not the file whose hash is in '{manifest}': infer the labels again."
        )


def images_hash(path: str) -> str | None:
    """The `views.images_digest` of the data set that the file's labels were inferred for, if any.

    None where the file is none of those that `labels.files` writes.
    """
    _, expected, images = _manifest_of(path)
    return None if expected is None else images


def read_label_files(paths: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Reads what `write_label_file` writes.

    Args:
      paths: The files of one split.

    Returns:
      The keys of n images, and their labels: int32 [n] or, soft, float32 [n, num_classes].

    Raises:
      UserError: A file is damaged or not of this kind, or not the one whose hash is in the manifest
        that it was inferred with (see `labels.files`); the files hold no label, or a key comes
        twice.
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
            f"either one int64 or equally many floats each: {reason}."
        ) from error
    keys = [key.decode() for names, _ in batches for key in names]
    if not keys:
        raise UserError(f"There is no label in {files}.")
    if len(set(keys)) < len(keys):
        [(twice, _)] = collections.Counter(keys).most_common(1)
        raise UserError(f"There is more than one label of '{twice}' in {files}.")
    return keys, np.concatenate([labels for _, labels in batches])


def _example(key: str, label) -> tf.train.Example:
    if np.ndim(label):
        value = tf.train.Feature(float_list=tf.train.FloatList(value=label))
    else:
        value = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)]))
    name = tf.train.Feature(bytes_list=tf.train.BytesList(value=[key.encode()]))
    return tf.train.Example(features=tf.train.Features(feature={"file_name": name, "label": value}))


def _parse(paths: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Keys and labels, batch by batch; the first record says whether they are hard or soft."""
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
        raise tf.errors.DataLossError(None, None, "no tf.train.Example") from error
    if label.HasField("float_list"):
        return tf.io.FixedLenFeature([len(label.float_list.value)], tf.float32)
    return tf.io.FixedLenFeature([], tf.int64)
