"""TFRecord files of `tf.train.Example` messages, without TensorFlow.

A file is a sequence of records: the length (uint64, little-endian), its masked CRC-32C, the
content, and its masked CRC-32C. The content of an example is a protocol buffer: a map from names to
lists of bytes, float32 or int64.
"""

import functools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, TypeAlias

import numpy as np

# Values of one feature: byte strings, float32 or int64.
Feature: TypeAlias = Sequence[bytes] | np.ndarray

_POLYNOMIAL = 0x82F63B78  # Of Castagnoli, bits reversed.
_MASK = 0xA282EAD8
_HEADER, _FOOTER = struct.Struct("<QI"), struct.Struct("<I")
_BATCH = 1024
_LONGEST = 2**30
_PIECE = 512  # Bytes whose shares in a checksum are looked up together.
# Wire types of protocol buffers.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def write_records(file: BinaryIO, contents: Iterable[bytes]) -> None:
    """Writes records to a file that is open for writing.

    Example:
      >>> import io
      >>> from compare_gan.datasets.tfrecords import read_records, write_records
      >>> file = io.BytesIO()
      >>> write_records(file, [b"one", b"two"])
      >>> list(read_records(io.BytesIO(file.getvalue())))
      [b'one', b'two']
    """
    for batch in _batched(contents):
        lengths = [struct.pack("<Q", len(content)) for content in batch]
        sums = zip(_masked_crcs(lengths), _masked_crcs(batch), strict=True)
        for length, content, (first, second) in zip(lengths, batch, sums, strict=True):
            file.write(length + _FOOTER.pack(first) + content + _FOOTER.pack(second))


def read_records(file: BinaryIO) -> Iterator[bytes]:
    """The contents of the records in a file that is open for reading.

    Raises:
      ValueError: The file is damaged or no TFRecord file.
    """
    for batch in _batched(_read_unchecked(file)):
        lengths, length_sums, contents, sums = zip(*batch, strict=True)
        for parts, stored in ((lengths, length_sums), (contents, sums)):
            if _masked_crcs(parts) != list(stored):
                raise ValueError("a checksum is wrong: it is damaged or no TFRecord file")
        yield from contents


def _read_unchecked(file: BinaryIO) -> Iterator[tuple[bytes, int, bytes, int]]:
    """The length, its checksum, the content and its checksum of each record."""
    while header := file.read(_HEADER.size):
        if len(header) < _HEADER.size:
            raise ValueError("it ends within a record: it is damaged or no TFRecord file")
        length, length_sum = _HEADER.unpack(header)
        if length > _LONGEST:  # So much memory would be taken before the checksum is compared.
            raise ValueError("a record is too long: it is damaged or no TFRecord file")
        content, footer = file.read(length), file.read(_FOOTER.size)
        if len(content) < length or len(footer) < _FOOTER.size:
            raise ValueError("it ends within a record: it is damaged")
        yield header[:8], length_sum, content, _FOOTER.unpack(footer)[0]


def encode_example(features: Mapping[str, Feature]) -> bytes:
    """An example with these features, the content of a record.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.tfrecords import decode_example, encode_example
      >>> content = encode_example({"file_name": [b"a.png"], "label": np.array([3])})
      >>> decode_example(content)["label"].tolist()
      [3]
    """
    entries = []
    for name, values in features.items():
        if not isinstance(values, np.ndarray):
            kind, content = 1, b"".join(_field(1, value) for value in values)
        elif values.dtype.kind == "f":
            kind, content = 2, _field(1, values.astype("<f4").tobytes())
        else:
            packed = b"".join(_varint(int(value) % 2**64) for value in values)
            kind, content = 3, _field(1, packed)
        entries.append(_field(1, _field(1, name.encode()) + _field(2, _field(kind, content))))
    return _field(1, b"".join(entries))


def decode_example(content: bytes) -> dict[str, Feature]:
    """The features of an example, by name.

    Raises:
      ValueError: The content is no `tf.train.Example`.
    """
    features: dict[str, Feature] = {}
    for number, message in _fields(content):
        for inner, entry in _fields(_submessage(message)) if number == 1 else ():
            if inner == 1:
                parts = dict(_fields(_submessage(entry)))
                name = _submessage(parts.get(1, b"")).decode()
                features[name] = _decode_feature(_submessage(parts.get(2, b"")))
    return features


def _decode_feature(content: bytes) -> Feature:
    values: Feature = []
    for kind, message in _fields(content):
        items = [item for number, item in _fields(_submessage(message)) if number == 1]
        if kind == 1:
            values = [_submessage(item) for item in items]
        elif kind == 2:  # Packed or one by one: four bytes each.
            joined = b"".join(map(_submessage, items))
            if len(joined) % 4:
                raise ValueError("not a tf.train.Example")
            values = np.frombuffer(joined, "<f4").astype(np.float32)
        elif kind == 3:
            numbers = [n for item in items for n in _integers(item)]
            values = np.array(numbers, np.uint64).astype(np.int64)
    return values


def _integers(item: bytes | int) -> Iterator[int]:
    """One integer, or those that are packed in a byte string."""
    if isinstance(item, int):
        yield item
        return
    place = 0
    while place < len(item):
        number, place = _read_varint(item, place)
        yield number


def _submessage(item: bytes | int) -> bytes:
    if isinstance(item, int):
        raise ValueError("not a tf.train.Example")
    return item


def _fields(message: bytes) -> list[tuple[int, bytes | int]]:
    """Number and content of each field: an integer or a byte string."""
    fields: list[tuple[int, bytes | int]] = []
    place, end = 0, len(message)
    while place < end:
        tag, place = _read_varint(message, place)
        wire = tag & 7
        if wire == _VARINT:
            value, place = _read_varint(message, place)
            fields.append((tag >> 3, value))
            continue
        if wire == _BYTES:
            size, place = _read_varint(message, place)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError("not a tf.train.Example")
        fields.append((tag >> 3, message[place : place + size]))
        place += size
    if place > end:
        raise ValueError("not a tf.train.Example")
    return fields


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    """An integer, seven bits in each byte, the lowest first; and the place after it."""
    try:
        value = message[place]
        if value < 128:  # Nearly always.
            return value, place + 1
        value, shift = value & 127, 7
        while shift < 70:
            place += 1
            value |= (message[place] & 127) << shift
            if message[place] < 128:
                return value, place + 1
            shift += 7
    except IndexError:
        pass
    raise ValueError("not a tf.train.Example")


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _batched(items: Iterable) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _masked_crcs(contents: Sequence[bytes]) -> list[int]:
    """The masked CRC-32C of each content, as TFRecord files store it."""
    crcs = np.zeros(len(contents), np.uint32)
    by_length: dict[int, list[int]] = {}
    for i, content in enumerate(contents):
        by_length.setdefault(len(content), []).append(i)
    for length, members in by_length.items():
        joined = np.frombuffer(b"".join(contents[i] for i in members), np.uint8)
        crcs[members] = _crcs(joined.reshape(len(members), length))
    rotated = crcs >> np.uint32(15) | crcs << np.uint32(17)
    return (rotated + np.uint32(_MASK)).tolist()


def _crcs(contents: np.ndarray) -> np.ndarray:
    """The CRC-32C of each row, uint8 [n, length]: uint32 [n]."""
    crcs = np.full(len(contents), 0xFFFFFFFF, np.uint32)
    for start in range(0, contents.shape[1], _PIECE):
        piece = contents[:, start : start + _PIECE]
        length = piece.shape[1]
        # A checksum is linear: the exclusive or of the shares of all bytes and of those of the
        # bytes of the state before them, which are like the first bytes of the piece.
        shares = _shares()[_PIECE - length :]
        state = np.zeros_like(crcs)
        for i in range(4):
            byte = crcs >> np.uint32(8 * i) & np.uint32(255)
            state ^= shares[i, byte] if i < length else byte << np.uint32(8 * (i - length))
        crcs = state ^ np.bitwise_xor.reduce(shares[np.arange(length), piece], axis=1)
    return ~crcs


@functools.cache
def _shares() -> np.ndarray:
    """What each value of the byte at each place adds to the CRC of a piece, uint32 [place, 256]."""
    share = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        share = share >> np.uint32(1) ^ np.where(share & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    shares = np.empty([_PIECE, 256], np.uint32)
    for place in reversed(range(_PIECE)):
        shares[place] = share
        share = share >> np.uint32(8) ^ shares[-1, share & np.uint32(255)]
    return shares
