"""Tensors of PyTorch's files (`.pth`, `.pt`), read without PyTorch and without running anything.

Such a file holds a pickle, which is a program: loading one runs whatever its author wrote. Here its
instructions are read one by one, and those that a dictionary of tensors consists of are understood;
a file that holds any other is refused. Nothing that the file names is ever imported or called.

A few hundred bytes can stand for a tuple that, written out, has 2^60 items: it consists of itself
over and over. So what is not known to be a name or a number is neither printed nor hashed.
"""

import dataclasses
import io
import math
import pickletools
import struct
import zipfile
from typing import Any, BinaryIO

import numpy as np

from compare_gan.errors import UserError

_MAGIC = 0x1950A86A20F9469CFC6C  # What the files of PyTorch before 1.6 begin with.
_VERSION = 1001
_ZIP = b"PK\x03\x04"  # What the later ones begin with.
_DTYPES = {
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
_CONSTRUCTORS = {
    "EMPTY_DICT": lambda items: {},
    "EMPTY_LIST": lambda items: [],
    "EMPTY_TUPLE": lambda items: (),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_INTEGERS = ("BININT", "BININT1", "BININT2", "LONG1", "LONG4")
_VALUES = frozenset((*_INTEGERS, "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"))
_IGNORED = frozenset(("PROTO", "FRAME", "STOP"))
# Of shapes: NumPy has no more, and the product of many large numbers would take hours.
_MOST_AXES, _LARGEST = 64, 2**63 - 1


class _RefusedError(Exception):
    """The file holds something else than tensors; the message says what."""


@dataclasses.dataclass(frozen=True)
class _Global:
    """A name that the file mentions; never looked up."""

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
    """The tensors of a state dictionary that `torch.save` wrote, by name.

    Both formats are read: the zip archive of PyTorch 1.6 and later, and the one before.

    Args:
      path: The file.

    Returns:
      Arrays in the names' order.

    Raises:
      UserError: The file is damaged, or holds anything but names and tensors.
    """
    try:
        with open(path, "rb") as file:
            read = _read_zip if zipfile.is_zipfile(file) else _read_legacy
            file.seek(0)
            tensors, storages = read(file)
        return {_of_type(key, str): _array(t, key, storages) for key, t in tensors.items()}
    except _RefusedError as error:
        raise UserError(
            f"'{path}' is refused: a file of weights may hold names and tensors only, received "
            f"{error}."
        ) from error
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # Whatever a damaged file leads to.
        raise UserError(f"'{path}' is damaged, or no PyTorch file: {error}") from error


def _read_zip(file: BinaryIO) -> tuple[Any, dict[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        # PyTorch compresses nothing: what is compressed may be huge once it is not.
        if any(info.compress_type != zipfile.ZIP_STORED for info in entries.values()):
            raise _RefusedError("a compressed archive")
        (pickle,) = (name for name in entries if name.split("/", 1)[-1] == "data.pkl")
        folder = pickle.removesuffix("data.pkl")
        order = folder + "byteorder"
        if order in entries and archive.read(order) != b"little":
            raise _RefusedError("numbers of big-endian order")
        storages = {
            name.removeprefix(folder + "data/"): archive.read(name)
            for name in entries
            if name.startswith(folder + "data/")
        }
        return _of_type(_unpickle(io.BytesIO(archive.read(pickle))), dict), storages


def _read_legacy(file: BinaryIO) -> tuple[Any, dict[str, bytes]]:
    if file.read(len(_ZIP)) == _ZIP:  # Read as a pickle, it would begin with a valid instruction.
        raise ValueError("the end of its archive is missing")
    file.seek(0)
    if (_unpickle(file), _unpickle(file)) != (_MAGIC, _VERSION):
        raise ValueError("it begins with neither of PyTorch's marks")
    if not _unpickle(file).get("little_endian"):
        raise _RefusedError("numbers of big-endian order")
    tensors, keys = _of_type(_unpickle(file), dict), _unpickle(file)
    known = {t.storage.key: t.storage for t in tensors.values() if isinstance(t, _Tensor)}
    storages = {}
    for key in _of_type(keys, list):
        if _of_type(key, str) not in known:
            raise _RefusedError(f"numbers '{key}' of no tensor")
        (count,) = struct.unpack("<q", file.read(8))
        if count != known[key].count:
            raise ValueError(f"it has {count} of {known[key].count} numbers")
        storages[key] = file.read(count * known[key].dtype.itemsize)
    return tensors, storages


def _unpickle(file: BinaryIO) -> Any:
    """What the pickle at the file's position stands for, of what tensors consist of."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _CONSTRUCTORS:
            stack.append(_CONSTRUCTORS[name](()))
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name in _TUPLES:
            items = tuple(stack[-_TUPLES[name] :])
            del stack[-_TUPLES[name] :]
            stack.append(items)
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
            # The versions that PyTorch notes down on a state dictionary.
            state = stack.pop()
            if not (isinstance(stack[-1], dict) and set(_of_type(state, dict)) <= {"_metadata"}):
                raise _RefusedError("an object with a state")
        elif name not in _IGNORED:
            raise _RefusedError(f"the instruction {name}")
    (value,) = stack
    return value


def _reduced(called: Any, arguments: Any) -> Any:
    """What a call that the pickle asks for would give: of two functions it is known."""
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
    # A sixth says, in old files, that it is a part of another.
    if identity[0] != "storage" or any(part is not None for part in identity[5:]):
        raise _RefusedError("a reference to something else than numbers")
    _, type_, key, _, count = identity[:5]
    name = type_.name if isinstance(type_, _Global) else type(type_).__name__
    dtype = _DTYPES.get(name.removeprefix("torch."))
    if dtype is None:
        raise _RefusedError(f"numbers of the type '{name}'")
    return _Storage(dtype, _of_type(key, str), _of_type(count, int))


def _array(value: Any, name: str, storages: dict[str, bytes]) -> np.ndarray:
    if not isinstance(value, _Tensor):
        raise _RefusedError(f"'{name}', which is no tensor but of type {type(value).__name__}")
    storage = value.storage
    numbers = np.frombuffer(storages[storage.key], storage.dtype)
    if len(numbers) != storage.count:
        raise ValueError(f"'{name}' has {len(numbers)} of {storage.count} numbers")
    shape, strides, offset = value.shape, value.strides, value.offset
    whole = all(type(n) is int and 0 <= n <= _LARGEST for n in (*shape, *strides, offset))
    if not whole or not len(shape) == len(strides) <= _MOST_AXES:
        raise ValueError(f"'{name}' has no shape with strides and an offset")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.count:
        raise ValueError(f"'{name}' reaches beyond its numbers")
    if math.prod(shape) > storage.count:
        raise _RefusedError(f"'{name}', a tensor larger than its numbers")
    steps = [step * storage.dtype.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps).copy()


def _of_type(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        received = type(value).__name__.lstrip("_")
        raise _RefusedError(f"{received} where {kind.__name__} belongs")
    return value
