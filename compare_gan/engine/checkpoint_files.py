"""The files of a checkpoint: arrays in `.npz` files, and an index that is written last.

docs/run_directory.md describes the format.
"""

import contextlib
import dataclasses
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, Protocol

import ml_dtypes
import numpy as np

from compare_gan import files
from compare_gan.errors import UserError, check_version

INDEX = "index.json"
ARRAYS = re.compile(r"arrays-[\w-]+\.npz")
_VERSION = 1

Region = tuple[slice, ...]


class DamagedCheckpointError(UserError):
    """A checkpoint's files cannot be read."""

    def __init__(self, path: str, reason: object):
        first = str(reason).strip().split("\n", 1)[0].rstrip(".")
        super().__init__(f"Checkpoint '{path}' is damaged ({first}).")


@dataclasses.dataclass(frozen=True)
class Part:
    """A block of a variable in a file.

    Attributes:
      file: Name of the file.
      key: Name of the array in the file.
      start: The block's first index in the variable, along each axis.
      shape: Shape of the block.
    """

    file: str
    key: str
    start: tuple[int, ...]
    shape: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A variable of a checkpoint.

    Attributes:
      dtype: Name of the dtype, such as `float32`, `int64`, `bfloat16`.
      shape: Shape of the variable.
      parts: Blocks that make up the variable without overlap.
    """

    dtype: str
    shape: tuple[int, ...]
    parts: tuple[Part, ...] = ()


class Reader(Protocol):
    """An open checkpoint of any format.

    Attributes:
      variables: Dtypes and shapes by name.
    """

    variables: Mapping[str, Entry]

    def read(self, name: str, region: Region | None = None) -> np.ndarray:
        """The value of a variable, or a region of it.

        Raises:
          DamagedCheckpointError: It cannot be read.
        """


def dtype_of(name: str) -> np.dtype:
    """The NumPy dtype of this name, those of `ml_dtypes` included.

    Raises:
      ValueError: There is no such dtype.
    """
    try:
        dtype = np.dtype(getattr(ml_dtypes, name, name))
    except TypeError as error:
        raise ValueError(f"there is no dtype '{name}'") from error
    if dtype.name != name or dtype.hasobject or dtype.kind in "SUMm":
        raise ValueError(f"'{name}' is not a dtype of numbers")
    return dtype


def _stored_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype in the file: `.npz` lacks those of `ml_dtypes`, which are stored as their bits."""
    return dtype if dtype.kind in "biufc" else np.dtype(f"u{dtype.itemsize}")


def write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays to an `.npz` file, whole or not at all.

    NumPy's own writer takes names as keyword arguments and stamps the time into the file.

    Args:
      path: The file.
      arrays: C-contiguous arrays by name.
    """
    with files.atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(member, "w", force_zip64=True) as stream:
                stored = array.view(_stored_dtype(array.dtype))
                np.lib.format.write_array(stream, stored, allow_pickle=False)


def write_index(path: str, step: int, variables: Mapping[str, Entry]) -> None:
    """Completes a checkpoint: writes the index of arrays that have been written.

    Args:
      path: The folder of the checkpoint.
      step: Number of finished steps.
      variables: All variables by name.
    """
    content: dict[str, Any] = {
        "version": _VERSION,
        "step": step,
        "variables": {name: dataclasses.asdict(entry) for name, entry in variables.items()},
    }
    content["checksum"] = _checksum(content)
    files.write_text(os.path.join(path, INDEX), json.dumps(content) + "\n")


def read_index(path: str) -> dict[str, Entry]:
    """The variables of a checkpoint by name.

    Args:
      path: The folder of the checkpoint.

    Raises:
      DamagedCheckpointError: The index cannot be read.
      UserError: A newer version of the library has written it.
    """
    index = os.path.join(path, INDEX)
    try:
        content = files.read_json(index)
        checksum = content.pop("checksum")
        if checksum != _checksum(content):
            raise ValueError(f"the checksum of {INDEX} is wrong")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise DamagedCheckpointError(path, _reason(error)) from error
    check_version(f"'{index}'", content, _VERSION)
    try:
        return _entries(content["variables"])
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedCheckpointError(path, f"{INDEX}: {_reason(error)}") from error


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{zlib.crc32(text.encode()):08x}"


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _entries(variables: Mapping[str, Any]) -> dict[str, Entry]:
    """The variables of an index; raises ValueError unless their parts are sound."""
    entries = {}
    places = set()
    for name, value in variables.items():
        parts = [
            Part(part["file"], part["key"], tuple(part["start"]), tuple(part["shape"]))
            for part in value["parts"]
        ]
        entry = Entry(value["dtype"], tuple(value["shape"]), tuple(parts))
        dtype_of(entry.dtype)
        for part in parts:
            inside = len(part.start) == len(part.shape) == len(entry.shape) and all(
                0 <= start <= start + length <= size
                for start, length, size in zip(part.start, part.shape, entry.shape, strict=True)
            )
            if not inside or not ARRAYS.fullmatch(part.file) or (part.file, part.key) in places:
                raise ValueError(f"'{name}' has an impossible part")
            places.add((part.file, part.key))
        if sum(math.prod(part.shape) for part in parts) != math.prod(entry.shape):
            raise ValueError(f"'{name}' is incomplete")
        entries[name] = entry
    return entries


class CheckpointReader(contextlib.AbstractContextManager):
    """A checkpoint that is open for reading.

    Every array that is read is checked: by the checksums of its file, and by the dtype and shape in
    the index.

    Args:
      path: The folder of the checkpoint.

    Attributes:
      variables: Dtypes, shapes and parts by name.

    Raises:
      DamagedCheckpointError: The index cannot be read.
      UserError: A newer version of the library has written it.
    """

    def __init__(self, path: str):
        self._path = path
        self.variables: Mapping[str, Entry] = read_index(path)
        self._stack = contextlib.ExitStack()
        self._archives: dict[str, zipfile.ZipFile] = {}

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def read(self, name: str, region: Region | None = None) -> np.ndarray:
        """The value of a variable, or a region of it; only the parts in the region are read.

        Args:
          name: A name in `variables`.
          region: For each axis a slice with a step of 1; None for the whole.

        Raises:
          DamagedCheckpointError: A file is missing, cannot be read, or has other contents than
            those written.
        """
        entry = self.variables[name]
        region = (slice(None),) * len(entry.shape) if region is None else region
        bounds = [each.indices(n)[:2] for each, n in zip(region, entry.shape, strict=True)]
        shape = tuple(stop - start for start, stop in bounds)
        value = None
        for part in entry.parts:
            # From here on relative to the region.
            first = [start - low for start, (low, _) in zip(part.start, bounds, strict=True)]
            if any(
                start >= length or start + size <= 0
                for start, size, length in zip(first, part.shape, shape, strict=True)
            ):
                continue
            array = self._read_part(part, dtype_of(entry.dtype))
            if array.shape == shape and not any(first):
                return array
            if value is None:
                self._check_size(entry, math.prod(shape) * array.dtype.itemsize)
                value = np.empty(shape, array.dtype)
            source, target = [], []
            for start, size, length in zip(first, part.shape, shape, strict=True):
                target.append(slice(max(start, 0), min(start + size, length)))
                source.append(slice(max(-start, 0), min(length - start, size)))
            value[tuple(target)] = array[tuple(source)]
        return np.empty(shape, dtype_of(entry.dtype)) if value is None else value

    def _check_size(self, entry: Entry, size: int) -> None:
        """Raises DamagedCheckpointError if the files of a variable cannot hold that many bytes."""
        paths = (os.path.join(self._path, name) for name in {part.file for part in entry.parts})
        if size > sum(os.path.getsize(path) for path in paths if os.path.exists(path)):
            raise DamagedCheckpointError(self._path, f"{INDEX} declares more than there is")

    def _read_part(self, part: Part, dtype: np.dtype) -> np.ndarray:
        try:
            if part.file not in self._archives:
                archive = zipfile.ZipFile(os.path.join(self._path, part.file))
                self._archives[part.file] = self._stack.enter_context(archive)
            return _read_member(self._archives[part.file], part, dtype)
        except MemoryError:
            raise
        except Exception as error:  # Damaged archives make `zipfile` raise errors of many types.
            raise DamagedCheckpointError(self._path, f"{part.file}: {_reason(error)}") from error


def check_files(path: str) -> None:
    """Checks that the files of a checkpoint are there and hold arrays of the sizes in its index.

    The arrays themselves are not read: this takes some milliseconds, whatever their size.

    Args:
      path: The folder of the checkpoint.

    Raises:
      DamagedCheckpointError: A file is missing or damaged.
      UserError: A newer version of the library has written it.
    """
    by_file: dict[str, list[tuple[Part, np.dtype]]] = {}
    for entry in read_index(path).values():
        for part in entry.parts:
            by_file.setdefault(part.file, []).append((part, dtype_of(entry.dtype)))
    for file, parts in by_file.items():
        try:
            with zipfile.ZipFile(os.path.join(path, file)) as archive:
                for part, dtype in parts:
                    _member(archive, part, dtype)
        except Exception as error:  # As in `CheckpointReader`.
            raise DamagedCheckpointError(path, f"{file}: {_reason(error)}") from error


def _member(archive: zipfile.ZipFile, part: Part, dtype: np.dtype) -> zipfile.ZipInfo:
    """The place of one array; raises an error of any type if it has another size."""
    info = archive.getinfo(f"{part.key}.npy")
    size = math.prod(part.shape) * dtype.itemsize
    if info.compress_type != zipfile.ZIP_STORED or not size < info.file_size < size + 2**16:
        raise ValueError(f"'{part.key}' has another size than in {INDEX}")
    return info


def _read_member(archive: zipfile.ZipFile, part: Part, dtype: np.dtype) -> np.ndarray:
    """One array; raises an error of any type if it is not the array that was written."""
    stored = _stored_dtype(dtype)
    # Before memory is allocated: a file cannot hold more than its own size.
    info = _member(archive, part, dtype)
    size = math.prod(part.shape) * dtype.itemsize
    with archive.open(info) as stream:
        np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0(stream)
        data = stream.read()  # At the end `zipfile` compares the checksum.
    if header != (part.shape, False, stored) or len(data) != size:
        raise ValueError(f"'{part.key}' is not the array in {INDEX}")
    return np.frombuffer(data, stored).reshape(part.shape).view(dtype)
