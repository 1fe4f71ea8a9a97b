"""Temporary names of files that are being written, and what processes that died leave of them."""

import contextlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator

from compare_gan.locks import host, is_alive

_TEMPORARY = re.compile(r"\..+\.(?P<host>[\w-]*)\.(?P<pid>\d+)\.\d+\.tmp(\.\w+)?")
# Seconds without a change after which another host's temporary file is a leftover. Containers have
# a new host name each time.
_FOREIGN_SECONDS = 86_400.0
_LONGEST = 100  # Bytes of a name in a temporary one: file systems allow 255 in all.
_numbers = itertools.count()
_in_use: set[str] = set()  # Temporary names that this process is writing.
_tidied: set[str] = set()  # Folders that this process has freed of leftovers.


@contextlib.contextmanager
def temporary_name(path: str, keep_ending: bool = False) -> Iterator[str]:
    """A name beside a file, for a file or folder that is to replace it.

    While the body runs, no process takes it for a leftover. When this process first asks for a name
    in a folder, those that are leftovers there are removed.

    Args:
      path: The file or folder to write; its folder exists.
      keep_ending: Whether the name has the ending of `path`.

    Yields:
      The name. It is hidden (it starts with a dot) and, unless `keep_ending`, ends in `.tmp`.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.leftovers import temporary_name
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     with temporary_name(os.path.join(folder, "a.bin")) as name:
      ...         os.path.basename(name).startswith(".a.bin.")
      True
    """
    folder, name = os.path.split(path)
    ending = os.path.splitext(name)[1] if keep_ending else ""
    short = os.fsencode(name)[:_LONGEST].decode(errors="ignore")
    name = f".{short}.{host()}.{os.getpid()}.{next(_numbers)}.tmp{ending}"
    in_use = os.path.abspath(os.path.join(folder, name))
    if (tidied := os.path.dirname(in_use)) not in _tidied:
        _tidied.add(tidied)
        remove_leftovers(tidied)
    _in_use.add(in_use)
    try:
        yield os.path.join(folder, name)
    finally:
        _in_use.discard(in_use)


def remove_leftovers(folder: str) -> None:
    """Removes temporary files that dead processes have left in a folder.

    Those of another host are removed when they have not changed for a day.

    Args:
      folder: The folder; it may be absent.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import leftovers, locks
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     number = 2**22 + 1  # Greater than any process's.
      ...     open(os.path.join(folder, f".a.json.{locks.host()}.{number}.0.tmp"), "w").close()
      ...     leftovers.remove_leftovers(folder)
      ...     os.listdir(folder)
      []
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            match, path = _TEMPORARY.fullmatch(name), os.path.join(folder, name)
            if match and not _is_written(path, match["host"], int(match["pid"])):
                remove(path)


def _is_written(path: str, written_by: str, pid: int) -> bool:
    """Whether the process that made a temporary file may still be writing it."""
    if written_by != host():
        return time.time() - os.lstat(path).st_mtime < _FOREIGN_SECONDS
    if pid == os.getpid():  # In a container, every process may have this number.
        return os.path.abspath(path) in _in_use
    return is_alive(pid)


def remove(path: str) -> None:
    """Removes a file or a folder, if that is possible.

    Example:
      >>> from compare_gan.leftovers import remove
      >>> remove("no_such_file.txt")
    """
    with contextlib.suppress(OSError):
        if os.path.isdir(path):
            shutil.rmtree(path)
        else:
            os.remove(path)
