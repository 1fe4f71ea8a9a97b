"""Reads tensors from PyTorch files (`.pth`, `.pt`) without PyTorch and without running any code.

Such a file contains a pickle, which is a program: loading it runs whatever its author wrote. This
module interprets the instructions itself, but only those that a dictionary of tensors consists of;
a file with any other instruction is refused. Nothing that the file names is imported or called.

A few hundred bytes can encode a tuple of 2^60 items, by nesting references to itself. Therefore
only values that are known to be names or numbers are printed or hashed.
"""

import dataclasses
import io
import math
import os
import pickletools
import struct
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from compare_gan.errors import UserError
from compare_gan.unpacking import check_zip

_MAGIC = 0x1950A86A20F9469CFC6C  # Start of the files of PyTorch before 1.6.
_VERSION = 1001
_ZIP = b"PK\x03\x04"  # Start of the files of later versions.
_DTYPES: dict[str, np.dtype] = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_CONSTRUCTORS: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_INTEGERS = ("BININT", "BININT1", "BININT2", "LONG1", "LONG4")
_VALUES = frozenset((*_INTEGERS, "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"))
_IGNORED = frozenset(("PROTO", "FRAME", "STOP"))
# Limits of shapes: NumPy has no more axes, and the product of many large numbers would take hours.
_MAX_AXES, _LARGEST = 64, 2**63 - 1


class _RefusedError(Exception):
    """The file contains something other than tensors, which the message describes."""


@dataclasses.dataclass(frozen=True)
class _Global:
    """A name in the file, which is never looked up."""

    name: str


@dataclasses.dataclass(frozen=True)
class _Storage:
    dtype: np.dtype
    key: str
    count: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_torch_tensors(path: str) -> dict[str, np.ndarray]:
    """Reads a state dictionary that was written by `torch.save`.

    Both formats are supported: the zip archive of PyTorch 1.6 and later, and the earlier format.

    Args:
      path: Path of the file.

    Returns:
      Arrays by name, in the order of the file.

    Raises:
      UserError: The file is damaged, or contains anything but names and tensors.

    Example:
      >>> from compare_gan.errors import UserError
      >>> from compare_gan.metrics.extractors.torch_file import read_torch_tensors
      >>> try:
      ...     read_torch_tensors("missing.pth")
      ... except UserError as error:
      ...     print(error)
      'missing.pth' cannot be read: No such file or directory.
    """
    try:
        with open(path, "rb") as file:
            read = _read_zip if zipfile.is_zipfile(file) else _read_legacy
            file.seek(0)
            tensors, storages = read(file)
        return {_of_type(key, str): _array(t, key, storages) for key, t in tensors.items()}
    except _RefusedError as error:
        raise UserError(
            f"'{path}' is refused: a file of weights may contain only names and tensors, received "
            f"{error}."
        ) from error
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # A damaged file may cause any error.
        raise UserError(f"'{path}' is damaged or not a PyTorch file: {error}") from error


def _read_zip(file: BinaryIO) -> tuple[Any, dict[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        check_zip(file.name, archive)
        entries = {info.filename: info for info in archive.infolist()}
        # PyTorch does not compress files: a compressed entry may become huge.
        if any(info.compress_type != zipfile.ZIP_STORED for info in entries.values()):
            raise _RefusedError("a compressed archive")
        (pickle,) = (name for name in entries if name.split("/", 1)[-1] == "data.pkl")
        folder = pickle.removesuffix("data.pkl")
        order = folder + "byteorder"
        if order in entries and archive.read(order) != b"little":
            raise _RefusedError("big-endian numbers")
        storages = {
            name.removeprefix(folder + "data/"): archive.read(name)
            for name in entries
            if name.startswith(folder + "data/")
        }
        return _of_type(_unpickle(io.BytesIO(archive.read(pickle))), dict), storages


def _read_legacy(file: BinaryIO) -> tuple[Any, dict[str, bytes]]:
    if file.read(len(_ZIP)) == _ZIP:  # As a pickle, it would begin with a valid instruction.
        raise ValueError("the end of its archive is missing")
    file.seek(0)
    if (_unpickle(file), _unpickle(file)) != (_MAGIC, _VERSION):
        raise ValueError("it does not begin as PyTorch files do")
    if not _unpickle(file).get("little_endian"):
        raise _RefusedError("big-endian numbers")
    tensors, keys = _of_type(_unpickle(file), dict), _unpickle(file)
    known = {t.storage.key: t.storage for t in tensors.values() if isinstance(t, _Tensor)}
    storages = {}
    for key in _of_type(keys, list):
        if _of_type(key, str) not in known:
            raise _RefusedError(f"numbers '{key}' without a tensor")
        (count,) = struct.unpack("<q", file.read(8))
        size = count * known[key].dtype.itemsize
        if count != known[key].count:
            raise ValueError(f"it contains {count} of {known[key].count} numbers")
        if size > os.path.getsize(file.name):  # So much memory would be taken to read it.
            raise ValueError(f"it does not contain {count} numbers")
        storages[key] = file.read(size)
    return tensors, storages


def _unpickle(file: BinaryIO) -> Any:
    """Interprets the pickle at the file's position, as far as tensors require it."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    argument: Any
    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _CONSTRUCTORS:
            stack.append(_CONSTRUCTORS[name]())
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name in _TUPLES:
            size = _TUPLES[name]
            stack[-size:] = [tuple(stack[-size:])]
        elif name in ("APPEND", "APPENDS"):
            items = since_mark() if name == "APPENDS" else [stack.pop()]
            _of_type(stack[-1], list).extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            items = since_mark() if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            keys = [_of_type(key, str) for key in items[::2]]
            _of_type(stack[-1], dict).update(zip(keys, items[1::2], strict=True))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "GLOBAL":
            stack.append(_Global(argument.replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            attribute, module = _of_type(stack.pop(), str), _of_type(stack.pop(), str)
            stack.append(_Global(f"{module}.{attribute}"))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            arguments, called = stack.pop(), stack.pop()
            stack.append(_reduced(called, arguments))
        elif name == "BUILD":
            # The version numbers that PyTorch attaches to a state dictionary.
            state = stack.pop()
            if not (isinstance(stack[-1], dict) and set(_of_type(state, dict)) <= {"_metadata"}):
                raise _RefusedError("an object with a state")
        elif name not in _IGNORED:
            raise _RefusedError(f"the instruction {name}")
    (value,) = stack
    return value


def _reduced(called: Any, arguments: Any) -> Any:
    """Returns the result of a call in the pickle, for the few functions that are supported."""
    name = called.name if isinstance(called, _Global) else type(called).__name__
    if name == "collections.OrderedDict" and arguments == ():
        return {}
    if name == "torch._utils._rebuild_tensor_v2":
        storage, offset, shape, strides = arguments[:4]
        if isinstance(storage, _Storage):
            return _Tensor(storage, offset, shape, strides)
    if name == "torch._utils._rebuild_parameter" and isinstance(arguments[0], _Tensor):
        return arguments[0]
    raise _RefusedError(f"a call of '{name}'")


def _storage(identity: Any) -> _Storage:
    # In old files, a sixth item marks a part of another storage.
    if identity[0] != "storage" or any(part is not None for part in identity[5:]):
        raise _RefusedError("a reference to something other than numbers")
    _, type_, key, _, count = identity[:5]
    name = type_.name if isinstance(type_, _Global) else type(type_).__name__
    dtype = _DTYPES.get(name.removeprefix("torch."))
    if dtype is None:
        raise _RefusedError(f"numbers of type '{name}'")
    return _Storage(dtype, _of_type(key, str), _of_type(count, int))


def _array(value: Any, name: str, storages: dict[str, bytes]) -> np.ndarray:
    if not isinstance(value, _Tensor):
        raise _RefusedError(f"'{name}', which is not a tensor but of type {type(value).__name__}")
    storage = value.storage
    numbers = np.frombuffer(storages[storage.key], storage.dtype)
    if len(numbers) != storage.count:
        raise ValueError(f"'{name}' contains {len(numbers)} of {storage.count} numbers")
    shape, strides, offset = value.shape, value.strides, value.offset
    whole = all(type(n) is int and 0 <= n <= _LARGEST for n in (*shape, *strides, offset))
    if not whole or not len(shape) == len(strides) <= _MAX_AXES:
        raise ValueError(f"'{name}' does not have a valid shape with strides and an offset")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.count:
        raise ValueError(f"'{name}' extends beyond its numbers")
    if math.prod(shape) > storage.count:
        raise _RefusedError(f"'{name}', a tensor with more items than numbers")
    steps = [step * storage.dtype.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps).copy()


def _of_type(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        received = type(value).__name__.lstrip("_")
        raise _RefusedError(f"{received} instead of {kind.__name__}")
    return value
