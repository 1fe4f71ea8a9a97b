"""Arrays in `.npz` files, whose sizes are checked before they are read. No pickles."""

import contextlib
import math
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from compare_gan.errors import UserError
from compare_gan.unpacking import DAMAGED, open_zip


class Header(NamedTuple):
    """The description of an array in a file.

    Attributes:
      shape: Shape of the array.
      fortran: Whether the first axis varies fastest.
      dtype: Dtype, without Python objects.
      size: Number of bytes before the numbers.
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    size: int


def read_header(path: str, key: str, file: IO[bytes], declared: int, start: int = 0) -> Header:
    """Reads the header of an array and checks that its file has the numbers that it declares.

    Args:
      path: Path of the `.npz` file, for messages.
      key: Name of the array.
      file: A file, at the place where that of the array begins.
      declared: Number of bytes of the array's file.
      start: That place.

    Raises:
      UserError: It is no array, or one of Python objects or of another size.
    """
    try:
        version = np.lib.format.read_magic(file)
        first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        size = file.tell() - start
    except DAMAGED as error:
        raise UserError(f"'{key}' of '{path}' is not an array: {error}.") from error
    if dtype.hasobject:
        raise UserError(f"'{key}' of '{path}' holds Python objects, which are not read.")
    needed = size + math.prod(shape) * dtype.itemsize
    if needed != declared or min(shape, default=0) < 0:
        raise UserError(
            f"'{key}' of '{path}' is refused: {dtype} {list(shape)} takes {needed:,} bytes, but "
            f"there are {declared:,}."
        )
    return Header(shape, fortran, dtype, size)


def check_npz(path: str) -> None:
    """Raises UserError unless all arrays of an `.npz` file have the sizes that they declare.

    No numbers are read.

    Args:
      path: Path of the file.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.npz import check_npz
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.npz")
      ...     np.savez_compressed(path, a=np.zeros(3))
      ...     check_npz(path)
    """
    try:
        with open_zip(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    read_header(path, entry.filename.removesuffix(".npy"), file, entry.file_size)
    except UserError:
        raise
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"'{path}' cannot be read: {reason}.") from error


def open_npz(path: str) -> zipfile.ZipFile:
    """Opens an `.npz` file, whose entries have the sizes that `unpacking.open_zip` allows.

    Raises:
      UserError: They do not, or it is no such file.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan import npz
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.npz")
      ...     np.savez(path, a=np.arange(3))
      ...     with npz.open_npz(path) as archive:
      ...         npz.keys(archive)
      ['a']
    """
    try:
        return open_zip(path)
    except zipfile.BadZipFile as error:
        raise UserError(f"'{path}' cannot be read ({error}): it is no .npz.") from error


def keys(archive: zipfile.ZipFile) -> list[str]:
    """The names of the arrays in an `.npz` file."""
    return [name.removesuffix(".npy") for name in archive.namelist()]


def map_array(path: str, archive: zipfile.ZipFile, key: str) -> np.ndarray:
    """One array of an `.npz` file, read when it is accessed.

    A compressed one is unpacked into a temporary file first.

    Args:
      path: Path of the file.
      archive: The file, open.
      key: Name of the array.

    Raises:
      UserError: The array is damaged, holds Python objects, or is larger or smaller than declared.

    Example:
      >>> import os, tempfile, zipfile
      >>> import numpy as np
      >>> from compare_gan import npz
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.npz")
      ...     np.savez(path, a=np.arange(3))
      ...     with zipfile.ZipFile(path) as archive:
      ...         npz.keys(archive), npz.map_array(path, archive, "a").tolist()
      (['a'], [0, 1, 2])
    """
    name = f"{key}.npy"
    # NumPy reads entries without the ending too.
    entry = archive.getinfo(name if name in archive.namelist() else key)
    with _opened(path, archive, entry) as file:
        start = file.tell()
        shape, fortran, dtype, size = read_header(path, key, file, entry.file_size, start)
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(file, dtype, "r", start + size, shape, "F" if fortran else "C")


@contextlib.contextmanager
def _opened(path: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """A file of its own on disk, positioned where the array begins."""
    if entry.compress_type == zipfile.ZIP_STORED:
        with open(path, "rb") as file:
            file.seek(entry.header_offset + 26)  # The lengths of two fields before the array.
            lengths = file.read(4)
            start = entry.header_offset + 30 + sum(struct.unpack("<HH", lengths.ljust(4, b"\0")))
            if start + entry.file_size > os.path.getsize(path):
                raise UserError(f"'{path}' is damaged: '{entry.filename}' ends beyond its end.")
            file.seek(start)
            yield file
        return
    with tempfile.TemporaryFile() as file:
        try:
            with archive.open(entry) as member:
                shutil.copyfileobj(member, file, 1 << 20)
        except DAMAGED as error:
            raise UserError(f"'{entry.filename}' in '{path}' cannot be read: {error}.") from error
        file.seek(0)
        yield file
