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

    Raises:
      UserError: See `open_to_read`.

    Example:
      >>> from compare_gan.datasets.remote_files import find
      >>> find("no/such/folder/*")
      []
    """
    found = _gfile(pattern).glob(pattern) if _is_remote(pattern) else glob.glob(pattern)
    return sorted(path for path in found if not path.rpartition("/")[2].startswith("."))


def _is_remote(path: str) -> bool:
    return "://" in path


def _gfile(path: str) -> Any:
    return import_tensorflow(f"'{path}', which is not a local path,").io.gfile
