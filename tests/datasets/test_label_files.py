import json

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.datasets import read_label_files, write_label_file
from compare_gan.errors import UserError

_KEYS = ["b.png", "a/ü.png", "7"]
_SOFT = np.array([[0.2, 0.8], [0, 0], [1, 0]], np.float32)


@pytest.mark.parametrize("labels", [np.array([2, -1, 0]), _SOFT], ids=["hard", "soft"])
def test_labels_are_read_as_they_were_written(tmp_path, labels):
    paths = [str(tmp_path / "new" / name) for name in ("0.tfrecord", "1.tfrecord")]
    write_label_file(paths[0], _KEYS[:1], labels[:1])
    write_label_file(paths[1], _KEYS[1:], labels[1:])
    keys, read = read_label_files(paths)
    assert keys == _KEYS
    np.testing.assert_array_equal(read, labels)
    assert read.dtype == (np.int32 if labels.ndim == 1 else np.float32)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "0.tfrecord",
        "1.tfrecord",
    ]


def test_the_fields_are_those_of_2019(tmp_path):
    path = str(tmp_path / "labels")
    write_label_file(path, ["n01440764_10026.JPEG"], np.array([3]))
    [record] = tf.data.TFRecordDataset(path).as_numpy_iterator()
    feature = tf.train.Example.FromString(record).features.feature
    assert set(feature) == {"file_name", "label"}
    assert list(feature["file_name"].bytes_list.value) == [b"n01440764_10026.JPEG"]
    assert list(feature["label"].int64_list.value) == [3]


def _mixed(folder):
    paths = [str(folder / name) for name in "ab"]
    write_label_file(paths[0], ["x"], np.array([1]))
    write_label_file(paths[1], ["y"], _SOFT[:1])
    return paths


def _other_lengths(folder):
    paths = [str(folder / name) for name in "ab"]
    write_label_file(paths[0], ["x"], _SOFT[:1])
    write_label_file(paths[1], ["y"], np.ones([1, 3], np.float32) / 3)
    return paths


def _twice(folder):
    paths = [str(folder / name) for name in "ab"]
    for path in paths:
        write_label_file(path, _KEYS, np.arange(3))
    return paths


def _records(*contents):
    def make(folder):
        with tf.io.TFRecordWriter(str(folder / "a")) as writer:
            for content in contents:
                writer.write(content)
        return [str(folder / "a")]

    return make


def _no_records(folder):
    (folder / "a").write_bytes(b"This is no TFRecord file.")
    return [str(folder / "a")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_mixed, r"Labels in '.*a' to '.*b' cannot be read as examples with a 'file_name' and"),
        (_other_lengths, "a' to '.*b' cannot be read as examples"),
        (_twice, "There is more than one label for 'b.png' in '.*a' to '.*b'"),
        (_records(), "There is no label in '.*a'"),
        (_records(b"x"), "cannot be read as examples .*: not a tf.train.Example"),
        (_records(tf.train.Example().SerializeToString()), "cannot be read as examples"),
        (_no_records, "cannot be read as examples .*: "),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_files_of_another_kind_are_reported(tmp_path, make, message):
    paths = make(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        read_label_files(paths)
    assert "\n" not in str(caught.value)


def test_a_file_with_another_hash_than_in_its_manifest_is_refused(tmp_path):
    path = str(tmp_path / "hard" / "train.tfrecord")
    digest = write_label_file(path, ["0", "1"], np.array([1, 0]))
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"hard/train.tfrecord": digest}}))
    assert read_label_files([path])[0] == ["0", "1"]
    write_label_file(path, ["0", "1"], np.array([1, 1]))
    with pytest.raises(UserError, match=r"is not the file whose hash is in '.*manifest.json'"):
        read_label_files([path])


@pytest.mark.parametrize("keys", [["a"], ["a", "a"]])
def test_keys_that_do_not_fit_are_refused(tmp_path, keys):
    with pytest.raises(UserError, match=r"2 labels need as many different keys, received \d"):
        write_label_file(str(tmp_path / "a"), keys, np.array([0, 1]))
    assert not list(tmp_path.iterdir())
