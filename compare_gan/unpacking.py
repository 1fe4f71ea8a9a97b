"""Compressed files, of which none is unpacked that would hold far more than its size.

A decompression bomb is a small file that holds gigabytes of zeros. What a file declares is compared
with its size before it is read; and no more is read than it declares.
"""

import bz2
import contextlib
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from compare_gan.errors import UserError

# Errors that damaged or encrypted archives cause.
DAMAGED = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)

# Bytes that may be unpacked from any file, and by how much more than its size a large file may
# hold: binary sprites and masks hold over 100 times their size, a bomb nearly 1032 times.
_ALWAYS, _RATIO = 2**28, 300
_OPENERS: dict[bytes, Callable[[str], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


def check_size(name: str, declared: int, packed: int) -> None:
    """Raises UserError if something would take far more memory than the file that holds it.

    Args:
      name: Name of the thing, with quotation marks; the subject of the message.
      declared: Number of bytes that it will have when it is unpacked.
      packed: Number of bytes in the file.

    Example:
      >>> from compare_gan.unpacking import check_size
      >>> check_size("'a.npz'", declared=2**20, packed=2**10)
    """
    if declared > _most(packed):
        raise UserError(_refusal(name, declared, packed))


def check_zip(path: str, archive: zipfile.ZipFile) -> None:
    """Raises UserError unless the file can hold all entries that it declares.

    Args:
      path: Path of the archive.
      archive: The archive, open.
    """
    size = os.path.getsize(path)
    entries = archive.infolist()
    if sum(entry.compress_size for entry in entries) > size:  # Entries may also overlap.
        raise UserError(f"'{path}' is refused: it declares more than it holds ({_bytes(size)}).")
    for entry in entries:
        place = f"'{entry.filename}' in '{path}'"
        check_size(place, entry.file_size, entry.compress_size)


def open_zip(path: str) -> zipfile.ZipFile:
    """Opens a zip archive and checks the sizes that its entries declare.

    Raises:
      UserError: They are more than the file can hold, or far more than its size.
      zipfile.BadZipFile: It is no zip archive.

    Example:
      >>> import os, tempfile, zipfile
      >>> from compare_gan.unpacking import open_zip
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.zip")
      ...     with zipfile.ZipFile(path, "w") as archive:
      ...         archive.writestr("a.txt", "text")
      ...     with open_zip(path) as archive:
      ...         archive.read("a.txt")
      b'text'
    """
    archive = zipfile.ZipFile(path)
    try:
        check_zip(path, archive)
    except BaseException:
        archive.close()
        raise
    return archive


@contextlib.contextmanager
def open_compressed(path: str) -> Iterator[IO[bytes]]:
    """Opens a file that may be compressed by gzip, bzip2 or xz.

    Reading or seeking beyond the size that `check_size` allows is a UserError.

    Example:
      >>> import gzip, os, tempfile
      >>> from compare_gan.unpacking import open_compressed
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.gz")
      ...     with gzip.open(path, "wb") as file:
      ...         _ = file.write(b"content")
      ...     with open_compressed(path) as file:
      ...         file.read(7)
      b'content'
    """
    with open(path, "rb") as file:
        start = file.read(8)
    opener = next((o for magic, o in _OPENERS.items() if start.startswith(magic)), None)
    if opener is None and path.endswith(".gz"):
        opener = gzip.open  # type: ignore[assignment]
    if opener is None:
        with open(path, "rb") as file:
            yield file
        return
    with opener(path) as file:
        yield _Limited(file, path)  # type: ignore[misc]


@contextlib.contextmanager
def open_tar(path: str) -> Iterator[tarfile.TarFile]:
    """Opens a tar archive, which may be compressed; see `open_compressed`.

    Raises:
      tarfile.TarError: It is no tar archive.
    """
    with open_compressed(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        yield archive


class _Limited:
    """A file open for reading that refuses to go beyond the largest size that is allowed."""

    def __init__(self, file: IO[bytes], path: str):
        self._file = file
        self._path = path
        self._packed = os.path.getsize(path)
        self._limit = _most(self._packed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        place = self._file.tell()
        if size >= 0:
            self._check(place + size)
            return self._file.read(size)
        content = self._file.read(self._limit - place + 1)
        self._check(place + len(content))
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == os.SEEK_SET:
            self._check(offset)
        return self._file.seek(offset, whence)

    def _check(self, place: int) -> None:
        if place > self._limit:
            raise UserError(_refusal(f"'{self._path}'", place, self._packed))


def _most(packed: int) -> int:
    return max(_ALWAYS, _RATIO * packed)


def _refusal(name: str, declared: int, packed: int) -> str:
    return (
        f"{name} is refused as a decompression bomb: it takes {_bytes(packed)} and declares "
        f"{_bytes(declared)}."
    )


def _bytes(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:,.4g} GiB"
