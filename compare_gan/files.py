"""Files that are written whole or not at all, the cache folder, and hashes of contents."""

import contextlib
import errno
import functools
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from compare_gan import leftovers
from compare_gan.digests import Digest, digest, file_digest
from compare_gan.errors import UserError
from compare_gan.leftovers import remove_leftovers
from compare_gan.paths import check_place
from compare_gan.terminal import in_utf_8

__all__ = [
    "Digest",
    "atomic",
    "cache_dir",
    "check_can_write",
    "digest",
    "file_digest",
    "json_text",
    "read_json",
    "read_text",
    "remove_leftovers",
    "write_json",
    "write_text",
]

_log = logging.getLogger(__name__)

# Errors of a file system that cannot flush, as opposed to one that could not store the content.
_CANNOT_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF)


def cache_dir() -> str:
    """The folder of everything that can be made again: $COMPARE_GAN_CACHE if it is set.

    Otherwise it is `compare_gan` in the user's cache folder, which $XDG_CACHE_HOME may name; it is
    among temporary files for a user without a home.

    Example:
      >>> from compare_gan import files
      >>> files.cache_dir()  # doctest: +SKIP
      '/home/me/.cache/compare_gan'
    """
    return os.environ.get("COMPARE_GAN_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or _user_cache(), "compare_gan"
    )


def _user_cache() -> str:
    """The user's cache folder; a folder for temporary files if the user has no home.

    In a container a process may run as a user whom the system does not know, without $HOME.
    """
    folder = os.path.expanduser("~/.cache")
    return folder if os.path.isabs(folder) else _temporary_cache()


@functools.cache
def _temporary_cache() -> str:
    folder = os.path.join(tempfile.gettempdir(), f"cache-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    # Programs are read from there: another user must not have made it.
    return folder if os.lstat(folder).st_uid == os.getuid() else tempfile.mkdtemp()


@contextlib.contextmanager
def errors_named(path: str) -> Iterator[None]:
    """Errors of writing inside name this file: the system does not say which one it was.

    Example:
      >>> from compare_gan import files
      >>> try:
      ...     with files.errors_named("a.bin"):
      ...         raise OSError(28, "No space left on device")
      ... except OSError as error:
      ...     print(error)
      [Errno 28] No space left on device: 'a.bin'
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = path
        raise


@contextlib.contextmanager
def atomic(path: str, *, durable: bool = True, keep_ending: bool = False) -> Iterator[str]:
    """Gives a file or folder its name once it is complete.

    The body writes to a temporary name in the same folder, which is created if needed. When the
    body ends, the result is flushed to disk and renamed. After an exception it is removed, with the
    new folders, and a file of that name is not changed. Leftovers of processes that died are
    removed, see `remove_leftovers`.

    Args:
      path: The file or folder to write. A file is replaced, a folder must be empty or absent; a
        link stays, and what it leads to is written.
      durable: Flush to disk before renaming, so that a power cut leaves the old or the new content.
        False saves some milliseconds for files that are easy to create again.
      keep_ending: Give the temporary name the ending of `path`, for a writer that needs it.

    Yields:
      The temporary name. It is hidden (it starts with a dot) and, unless `keep_ending`, ends in
      `.tmp`, so that nothing takes the leftover of a killed process for a finished file.

    Raises:
      UserError: See `paths.check_place`, or there is a device of that name.

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
    check_place(path)
    if os.path.islink(path):
        path = os.path.realpath(path)
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise UserError(f"'{path}' is a device or a pipe: name a file.")
    made = _make_folder_of(path)
    with leftovers.temporary_name(path, keep_ending) as temporary:
        try:
            with errors_named(path):
                yield temporary
                if durable:
                    _flush(temporary)
            os.replace(temporary, path)
            if durable:
                for each in (path, *made):
                    _flush_folder_of(each)
        except BaseException:
            leftovers.remove(temporary)
            with contextlib.suppress(OSError):
                for each in made:
                    os.rmdir(each)
            raise


def check_can_write(path: str) -> None:
    """Checks that a file can be written, before the work whose result it is to hold.

    An empty file is written beside it and removed, with folders that were made for it.

    Raises:
      UserError: It cannot be written; the message says why.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     files.check_can_write(os.path.join(folder, "new", "scores.json"))
      ...     os.listdir(folder)
      []
    """

    class EnoughError(Exception):
        """Ends `atomic`, so that it leaves nothing behind."""

    if os.path.isdir(path):
        raise UserError(f"'{path}' is a folder: name a file.")
    try:
        with contextlib.suppress(EnoughError), atomic(path) as temporary, open(temporary, "wb"):
            raise EnoughError
    except OSError as error:
        raise UserError(f"'{path}' cannot be written: {error.strerror or error}.") from error


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


def json_text(value: object) -> str:
    r"""A value as indented JSON that can be written in UTF-8, with all characters as they are.

    Example:
      >>> from compare_gan import files
      >>> print(files.json_text("é \udcff"))
      "é \udcff"
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    with contextlib.suppress(UnicodeEncodeError):
        # Where the locale is ASCII, bytes of names that are UTF-8 are surrogates, too.
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return in_utf_8(text)


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


def _flush(path: str) -> None:
    """Flushes a file, or all files of a folder, to disk."""
    if os.path.isdir(path):
        for parent, _, names in os.walk(path):
            for name in (*names, ""):
                _flush_descriptor(os.open(os.path.join(parent, name), os.O_RDONLY))
    else:
        _flush_descriptor(os.open(path, os.O_RDONLY))


def _flush_folder_of(path: str) -> None:
    """Flushes the directory entry of a file, if the folder may be read."""
    with contextlib.suppress(PermissionError):
        _flush_descriptor(os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY))


def _flush_descriptor(descriptor: int) -> None:
    """Flushes and closes an open file.

    A network file system may report only here that the disk is full: the old file must then stay.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
        _log.debug("A file cannot be flushed: %s.", error)
    finally:
        os.close(descriptor)
