"""All files of a folder or of a zip archive, by their paths in it."""

import dataclasses
import io
import os
import posixpath
import zipfile
from collections.abc import Callable
from typing import IO

from compare_gan.errors import UserError
from compare_gan.folders.names import is_hidden
from compare_gan.unpacking import open_zip


@dataclasses.dataclass(frozen=True, eq=False)
class Storage:
    """The visible files of a folder or of a zip archive.

    Attributes:
      place: Path of the folder or archive.
      files: Paths of all files in it, with `/`, sorted.
      folders: Paths of all folders in it.
      hidden: Number of files and folders that are left out because their names begin with a dot,
        or are those of a system's own folders; the content of such a folder is not counted.
      opener: Function from a path in it to the file, open for reading; several threads may call it.
      base: Folder that the paths are relative to, if it is not the place.
      is_archive: Whether the place is an archive.
    """

    place: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    hidden: int
    opener: Callable[[str], IO[bytes]]
    base: str | None = None
    is_archive: bool = False

    def path(self, name: str) -> str:
        """Path of a file of a folder; for messages alone in an archive."""
        return os.path.join(self.place if self.base is None else self.base, name)


def open_storage(place: str) -> Storage:
    """Lists a folder with its subfolders, or a zip archive.

    Links are followed, except to a folder that contains them.

    Args:
      place: Path of the folder or archive.

    Raises:
      UserError: The place or one of its folders cannot be read.
      zipfile.BadZipFile: It is a file, but no zip archive.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.folders import open_storage
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     os.makedirs(os.path.join(folder, "cat", ".thumbnails"))
      ...     for name in ("cat/1.png", "notes.txt"):
      ...         open(os.path.join(folder, name), "w").close()
      ...     storage = open_storage(folder)
      >>> storage.files, storage.folders, storage.hidden
      (('cat/1.png', 'notes.txt'), ('cat',), 1)
    """
    return _list_folder(place) if os.path.isdir(place) else _list_zip(place)


def opener_in(folder: str) -> Callable[[str], IO[bytes]]:
    """A function from a path relative to a folder to the file, open for reading.

    A named pipe reads as empty; the program does not wait for its other end.
    """

    def open_file(name: str) -> IO[bytes]:
        return open(os.path.join(folder, name), "rb", opener=_open_at_once)

    return open_file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # Windows has none.


def _list_folder(place: str) -> Storage:
    files: list[str] = []
    all_folders: list[str] = []
    hidden = 0
    lineages = {place: {os.path.realpath(place)}}
    for parent, folders, names in os.walk(place, onerror=_refuse, followlinks=True):
        lineage = lineages.pop(parent)
        inside = os.path.relpath(parent, place).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        shown = [name for name in folders if not is_hidden(name)]
        below = {name: os.path.realpath(os.path.join(parent, name)) for name in shown}
        hidden += len(folders) - len(shown) + sum(map(is_hidden, names))
        folders[:] = [name for name in shown if below[name] not in lineage]
        lineages |= {os.path.join(parent, name): lineage | {below[name]} for name in folders}
        all_folders += [prefix + name for name in folders]
        files += [prefix + name for name in names if not is_hidden(name)]

    return Storage(
        place, tuple(sorted(files)), tuple(sorted(all_folders)), hidden, opener_in(place)
    )


def _refuse(error: OSError) -> None:
    raise UserError(
        f"The folder '{error.filename}' cannot be read: {error.strerror or error}."
    ) from error


def _list_zip(place: str) -> Storage:
    archive = open_zip(place)
    entries: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    hidden: set[str] = set()
    for entry in archive.infolist():
        # Some programs for Windows write its own separator, which the format does not allow.
        name = entry.filename.replace("\\", "/")
        is_folder = name.endswith("/")
        name = posixpath.normpath(name).lstrip("/")
        parts = [part for part in name.split("/") if part != ".."]
        if name == ".":
            continue
        if any(map(is_hidden, parts)):
            first = next(i for i, part in enumerate(parts) if is_hidden(part))
            hidden.add("/".join(parts[: first + 1]))
            continue
        depth = len(parts) + is_folder
        folders.update("/".join(parts[:i]) for i in range(1, depth))
        if not is_folder:
            entries["/".join(parts)] = entry  # The last of several, as unpacking leaves it.

    def open_file(name: str) -> IO[bytes]:
        return io.BytesIO(archive.read(entries[name]))

    return Storage(
        place,
        tuple(sorted(entries)),
        tuple(sorted(folders)),
        len(hidden),
        open_file,
        is_archive=True,
    )
