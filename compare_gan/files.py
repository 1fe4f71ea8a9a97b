"""Files that are written whole or not at all, the cache folder, and content hashes."""

import contextlib
import hashlib
import itertools
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from compare_gan.locks import host, is_alive

_log = logging.getLogger(__name__)

_PIECE = 2**24
_TEMPORARY = re.compile(rf"\.{re.escape(host())}\.(\d+)\.\d+\.tmp(\.|$)")
_numbers = itertools.count()
_tidied: set[str] = set()  # Folders that this process has freed of leftovers.


class _Array(Protocol):
    """A NumPy array; NumPy itself is not imported here."""

    @property
    def flags(self) -> Any: ...

    def tobytes(self) -> bytes: ...


def cache_dir() -> str:
    """The folder of everything that can be made again: $COMPARE_GAN_CACHE if it is set.

    Otherwise it is `compare_gan` in the user's cache folder, which $XDG_CACHE_HOME may name.

    Example:
      >>> from compare_gan import files
      >>> files.cache_dir()  # doctest: +SKIP
      '/home/me/.cache/compare_gan'
    """
    return os.environ.get("COMPARE_GAN_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "compare_gan"
    )


@contextlib.contextmanager
def atomic(path: str, *, durable: bool = True, keep_ending: bool = False) -> Iterator[str]:
    """Gives a file or folder its name once it is complete.

    The body writes to a temporary name in the same folder, which is created if needed. When the
    body ends, the result is flushed to disk and renamed. After an exception it is removed, with the
    new folders, and a file of that name is not changed. Leftovers of processes that died on this
    host are removed.

    Args:
      path: The file or folder to write. A file is replaced, a folder must be empty or absent.
      durable: Flush to disk before renaming, so that a power cut leaves the old or the new content.
        False saves some milliseconds for files that are easy to create again.
      keep_ending: Give the temporary name the ending of `path`, for a writer that needs it.

    Yields:
      The temporary name. It is hidden (it starts with a dot) and, unless `keep_ending`, ends in
      `.tmp`, so that nothing takes the leftover of a killed process for a finished file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     with files.atomic(os.path.join(folder, "a.bin")) as temporary:
      ...         with open(temporary, "wb") as file:
      ...             _ = file.write(b"content")
      ...     os.listdir(folder)
      ['a.bin']
    """
    made = _make_folder_of(path)
    _remove_leftovers_beside(path)
    folder, name = os.path.split(path)
    ending = os.path.splitext(name)[1] if keep_ending else ""
    temporary = f".{name}.{host()}.{os.getpid()}.{next(_numbers)}.tmp{ending}"
    temporary = os.path.join(folder, temporary)
    try:
        yield temporary
        if durable:
            _flush(temporary)
        os.replace(temporary, path)
        if durable:
            for each in (path, *made):
                _flush_folder_of(each)
    except BaseException:
        _remove(temporary)
        with contextlib.suppress(OSError):
            for each in made:
                os.rmdir(each)
        raise


def write_text(path: str, text: str) -> None:
    """Writes a text file, in UTF-8, whole or not at all; creates its folder if needed.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     files.write_text(os.path.join(folder, "notes.txt"), "done")
      ...     files.read_text(os.path.join(folder, "notes.txt"))
      'done'
    """
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def read_text(path: str) -> str:
    """The text of a file, line ends unchanged; empty if there is no such file.

    Example:
      >>> from compare_gan import files
      >>> files.read_text("no_such_file.txt")
      ''
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write_json(path: str, value: object) -> None:
    """Writes a value as indented JSON, whole or not at all.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "new", "a.json")
      ...     files.write_json(path, {"version": 1})
      ...     files.read_json(path)
      {'version': 1}
    """
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: str) -> Any:
    """The value in a JSON file.

    Raises:
      OSError, ValueError: There is no such file, or it is not JSON.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     files.write_json(os.path.join(folder, "values.json"), {"step": 5})
      ...     files.read_json(os.path.join(folder, "values.json"))
      {'step': 5}
    """
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Digest:
    """A running SHA-256 over several parts.

    Parts are joined without separators: put shapes or counts in front of data of varying size.

    Args:
      *parts: The first parts; see `add`.

    Example:
      >>> from compare_gan import files
      >>> running = files.Digest("a")
      >>> running.add(b"b", "c")
      >>> running.hex() == files.digest("abc")
      True
    """

    def __init__(self, *parts: "str | bytes | _Array | BinaryIO"):
        self._hash = hashlib.sha256()
        self.add(*parts)

    def add(self, *parts: "str | bytes | _Array | BinaryIO") -> None:
        """Continues with a text (in UTF-8), bytes, the bytes of an array, or the rest of a file."""
        for part in parts:
            if isinstance(part, str):
                self._hash.update(part.encode())
            elif isinstance(part, (bytes, bytearray, memoryview)):
                self._hash.update(part)
            elif hasattr(part, "read"):
                while piece := part.read(_PIECE):
                    self._hash.update(piece)
            else:
                # A contiguous array is read in place.
                self._hash.update(part if part.flags.c_contiguous else part.tobytes())  # type: ignore[arg-type]

    def hex(self) -> str:
        """64 hexadecimal digits."""
        return self._hash.hexdigest()

    def raw(self) -> bytes:
        """32 bytes."""
        return self._hash.digest()


def digest(*parts: "str | bytes | _Array | BinaryIO") -> str:
    """The SHA-256 of texts, bytes, arrays and open files, one after the other, in hexadecimal.

    Example:
      >>> import numpy as np
      >>> from compare_gan import files
      >>> files.digest("abc")[:16]
      'ba7816bf8f01cfea'
      >>> files.digest(np.frombuffer(b"abc", np.uint8))[:16]
      'ba7816bf8f01cfea'
    """
    return Digest(*parts).hex()


def file_digest(path: str) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     files.write_text(os.path.join(folder, "empty"), "")
      ...     files.file_digest(os.path.join(folder, "empty"))[:8]
      'e3b0c442'
    """
    with open(path, "rb") as file:
        return digest(file)


def _make_folder_of(path: str) -> list[str]:
    """Makes the folder of a file; returns the folders that were absent, the innermost first."""
    folder = parent = os.path.dirname(os.path.abspath(path))
    absent = []
    while not os.path.isdir(parent) and parent != os.path.dirname(parent):
        absent.append(parent)
        parent = os.path.dirname(parent)
    if absent:
        os.makedirs(folder, exist_ok=True)
    return absent


def _remove_leftovers_beside(path: str) -> None:
    """Removes leftovers of dead processes from the file's folder, once per process."""
    folder = os.path.dirname(os.path.abspath(path))
    if folder not in _tidied:
        _tidied.add(folder)
        remove_leftovers(folder)


def remove_leftovers(folder: str) -> None:
    """Removes temporary files that dead processes of this host have left in a folder.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files, locks
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     number = 2**22 + 1  # Greater than any process's.
      ...     open(os.path.join(folder, f".a.json.{locks.host()}.{number}.0.tmp"), "w").close()
      ...     files.remove_leftovers(folder)
      ...     os.listdir(folder)
      []
    """
    for name in os.listdir(folder):
        match = _TEMPORARY.search(name)
        if match and not is_alive(int(match.group(1))):
            _remove(os.path.join(folder, name))


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        if os.path.isdir(path):
            shutil.rmtree(path)
        else:
            os.remove(path)


def _flush(path: str) -> None:
    """Flushes a file, or all files of a folder, to disk."""
    if os.path.isdir(path):
        for parent, _, names in os.walk(path):
            for name in (*names, ""):
                _flush_descriptor(os.open(os.path.join(parent, name), os.O_RDONLY))
    else:
        _flush_descriptor(os.open(path, os.O_RDONLY))


def _flush_folder_of(path: str) -> None:
    """Flushes the directory entry of a file."""
    _flush_descriptor(os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY))


def _flush_descriptor(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:  # Some file systems cannot flush, folders in particular.
        _log.debug("A file cannot be flushed: %s.", error)
    finally:
        os.close(descriptor)
