"""TFRecord files of examples against TensorFlow's."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.datasets.tfrecords import (
    decode_example,
    encode_example,
    read_records,
    write_records,
)

# Shorter and longer than the state of a checksum, and than the piece that is looked up together.
_CONTENTS = [bytes(np.random.default_rng(n).integers(0, 256, n, np.uint8)) for n in
             (0, 1, 2, 3, 4, 5, 100, 511, 512, 513, 514, 515, 516, 1300)]  # fmt: skip


def test_tensorflow_reads_what_is_written(tmp_path):
    path = tmp_path / "a"
    with open(path, "wb") as file:
        write_records(file, _CONTENTS)
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == _CONTENTS


def test_what_tensorflow_writes_is_read(tmp_path):
    path = tmp_path / "a"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for content in _CONTENTS:
            writer.write(content)
    with open(path, "rb") as file:
        assert list(read_records(file)) == _CONTENTS


@pytest.mark.parametrize("place", [3, 9, 14, 30])
@pytest.mark.parametrize("change", ["bit", "end"])
def test_damage_is_noticed(place, change):
    file = io.BytesIO()
    write_records(file, [b"some content", b"another"])
    content = bytearray(file.getvalue())
    if change == "bit":
        content[place] ^= 4
    else:
        del content[place:]
    with pytest.raises(ValueError, match="it is damaged"):
        list(read_records(io.BytesIO(bytes(content))))


_FEATURES = {
    "file_name": [b"a/\xc3\xbc.png"],
    "names": [b"", b"x" * 300],
    "label": np.array([-1, 0, 2**40]),
    "floats": np.array([0.25, -3e30, 0], np.float32),
}


def test_examples_are_those_of_tensorflow():
    message = tf.train.Example.FromString(encode_example(_FEATURES)).features.feature
    assert set(message) == set(_FEATURES)
    assert list(message["names"].bytes_list.value) == _FEATURES["names"]
    assert list(message["label"].int64_list.value) == _FEATURES["label"].tolist()
    assert list(message["floats"].float_list.value) == _FEATURES["floats"].tolist()
    _check(tf.train.Example.FromString(encode_example(_FEATURES)).SerializeToString())


def test_numbers_that_are_not_packed():
    # As old programs write repeated fields: each value with a tag, and an unknown field.
    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    def entry(name, kind, values):
        return field(1, field(1, name) + field(2, field(kind, values)))

    floats = b"".join(b"\x0d" + struct.pack("<f", v) for v in (0.5, 2.0))
    integers = b"\x08\x03" + b"\x08" + b"\xff" * 9 + b"\x01"
    content = field(1, entry(b"f", 2, floats) + entry(b"i", 3, integers)) + b"\x10\x07"
    features = decode_example(content)
    assert features["f"].tolist() == [0.5, 2.0] and features["i"].tolist() == [3, -1]


@pytest.mark.parametrize("content", [b"x", b"\x0a\xff", b"\x0b", b"\x08\x01", b"\x0a\x02\x0a\x05"])
def test_other_contents_are_no_examples(content):
    with pytest.raises(ValueError, match=r"not a tf.train.Example"):
        decode_example(content)


def _check(content):
    features = decode_example(content)
    assert features.keys() == _FEATURES.keys()
    for name, value in _FEATURES.items():
        assert list(features[name]) == list(value)
        assert getattr(features[name], "dtype", None) == getattr(value, "dtype", None)
