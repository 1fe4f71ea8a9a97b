"""Local files without TensorFlow, and files at remote paths (`gs://…`) with it."""

import glob
import os
from typing import Any, BinaryIO

from compare_gan.startup import import_tensorflow


def open_to_read(path: str) -> BinaryIO:
    """Opens a file for reading bytes.

    Raises:
      UserError: The path is remote, and TensorFlow is not installed.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.datasets.remote_files import open_to_read
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a")
      ...     with open(path, "wb") as file:
      ...         _ = file.write(b"content")
      ...     with open_to_read(path) as file:
      ...         file.read()
      b'content'
    """
    return _gfile(path).GFile(path, "rb") if _is_remote(path) else open(path, "rb")


def exists(path: str) -> bool:
    """Whether there is a file or folder at a path.

    Raises:
      UserError: See `open_to_read`.

    Example:
      >>> from compare_gan.datasets.remote_files import exists
      >>> exists("no/such/file")
      False
    """
    return _gfile(path).exists(path) if _is_remote(path) else os.path.exists(path)


def find(pattern: str) -> list[str]:
    """The paths that match a pattern with `*`, `?` and `[…]`, sorted, without hidden files.

    On local disks, folders and files that have these characters in their names are found too.

    Raises:
      UserError: See `open_to_read`.

    Example:
      >>> from compare_gan.datasets.remote_files import find
      >>> find("no/such/folder/*")
      []
    """
    remote = _is_remote(pattern)
    found = _gfile(pattern).glob(pattern) if remote else glob.glob(_without_names(pattern))
    return sorted(path for path in found if not path.rpartition("/")[2].startswith("."))


def _without_names(pattern: str) -> str:
    """The pattern, with the longest beginning that exists as a path escaped."""
    parts = pattern.split("/")
    for count in range(len(parts), 0, -1):
        path = "/".join(parts[:count])
        if os.path.exists(path or "/"):
            return "/".join([glob.escape(path), *parts[count:]])
    return pattern


def _is_remote(path: str) -> bool:
    return "://" in path


def _gfile(path: str) -> Any:
    return import_tensorflow(f"'{path}', which is not a local path,").io.gfile
