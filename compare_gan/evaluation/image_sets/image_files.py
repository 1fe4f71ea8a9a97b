"""Image files in folders and in zip archives."""

import functools
import io
import os
import zipfile

from compare_gan.datasets import decoding
from compare_gan.datasets.decoding import Open


def find_images(folder: str) -> list[str]:
    """Finds the images in a folder and its subfolders.

    Links are followed, except to a folder that contains them.

    Returns:
      Their paths relative to the folder, with `/`, sorted.
    """
    found = []
    lineages = {folder: {os.path.realpath(folder)}}
    for parent, folders, names in os.walk(folder, followlinks=True):
        lineage = lineages.pop(parent)
        below = {
            name: os.path.realpath(os.path.join(parent, name))
            for name in folders
            if not name.startswith(".")
        }
        folders[:] = [name for name, place in below.items() if place not in lineage]
        lineages |= {os.path.join(parent, name): lineage | {below[name]} for name in folders}
        found += [
            os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/")
            for name in names
            if is_image_name(name)
        ]
    return sorted(found)


def is_image_name(path: str) -> bool:
    """Whether a path has an image's ending and is neither hidden nor a copy made by macOS."""
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.split("/"))
    return decoding.is_image_name(path) and not hidden


def open_in_folder(folder: str, name: str) -> Open:
    """A function that opens a file of a folder."""
    return functools.partial(open, os.path.join(folder, name), "rb")


def files_in_zip(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    r"""The files of a zip archive by their paths, with `/`; some programs of Windows write `\`.

    Where two have the same path it is the last, which an unpacking program leaves.
    """
    return {
        entry.filename.replace("\\", "/"): entry
        for entry in archive.infolist()
        if not entry.is_dir()
    }


def open_in_zip(archive: zipfile.ZipFile, entry: str | zipfile.ZipInfo) -> Open:
    """A function that opens a file of a zip archive; several threads may call it."""
    return lambda: io.BytesIO(archive.read(entry))
