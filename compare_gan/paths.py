"""Paths that the user names: where they lead, and how TensorFlow is given them."""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator

from compare_gan.errors import UserError

_PATTERN = re.compile(r"[*?\[\\]")  # TensorFlow takes a path with one of these for a pattern.


def check_place(path: str) -> None:
    """Raises UserError if a path cannot be made because of a link that leads nowhere, or a file.

    Args:
      path: The path of a file or folder, which need not exist.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import paths
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     paths.check_place(os.path.join(folder, "runs", "new"))
    """
    place = os.path.abspath(path)
    while not os.path.exists(place):
        if os.path.islink(place):
            raise UserError(
                f"'{place}' is a link to '{os.readlink(place)}', which does not exist: make that "
                "folder or file, or remove the link."
            )
        place = os.path.dirname(place)
    if place != os.path.abspath(path) and not os.path.isdir(place):
        raise UserError(f"'{path}' cannot be made: '{place}' is a file, not a folder.")


def is_pattern(path: str) -> bool:
    """Whether TensorFlow takes a path for a pattern, and so cannot open what it names.

    Example:
      >>> from compare_gan import paths
      >>> paths.is_pattern("runs/lr[2e-4]"), paths.is_pattern("runs/{a} b")
      (True, False)
    """
    return bool(_PATTERN.search(path))


@contextlib.contextmanager
def plain(path: str) -> Iterator[str]:
    """Another path of the same files, which TensorFlow does not take for a pattern.

    Args:
      path: A file or folder, or the prefix of a TensorFlow checkpoint's files `<prefix>.index`, ….

    Yields:
      The path itself if it is remote or no pattern; else a path of links, which exist inside.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import paths
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     os.mkdir(os.path.join(folder, "[1]"))
      ...     with paths.plain(os.path.join(folder, "[1]")) as path:
      ...         print(paths.is_pattern(path), os.listdir(path))
      False []
    """
    if "://" in path or not is_pattern(os.path.abspath(path)):
        yield path
        return
    folder, name = os.path.split(os.path.abspath(path))
    with tempfile.TemporaryDirectory(dir=_folder_of_links()) as links:
        for each in os.listdir(folder) if os.path.isdir(folder) else ():
            if each == name or each.startswith(f"{name}."):
                link = os.path.join(links, f"link{each.removeprefix(name)}")
                os.symlink(os.path.join(folder, each), link)
        yield os.path.join(links, "link")


def _folder_of_links() -> str | None:
    return "/tmp" if is_pattern(tempfile.gettempdir()) else None
