"""Names of files and folders: which are images, which are hidden, which are splits; their order."""

import re
from collections.abc import Sequence

EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm",
    ".pgm",
)  # fmt: skip

# Splits in their order; the last of them that exists is the reference for evaluation.
SPLITS = ("train", "val", "validation", "test")

# Folders that systems and devices make beside a user's files.
_FOREIGN = {
    "__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found",
    "__pycache__",
}  # fmt: skip
_SPLIT_OF = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "validation",
}
_DIGITS = re.compile("([0-9]+)")


def is_image_name(path: str) -> bool:
    """Whether a path has the ending of an image; `.JPG.` counts too.

    Example:
      >>> from compare_gan.folders import is_image_name
      >>> is_image_name("cat/0.JPG"), is_image_name("cat/notes.txt")
      (True, False)
    """
    return path.rstrip(". ").lower().endswith(EXTENSIONS)


def is_hidden(name: str) -> bool:
    """Whether the name of a file or folder is hidden, or that of a system's own folder."""
    return name.startswith(".") or name.lower() in _FOREIGN


def split_of(name: str) -> str | None:
    """The split that a folder's name stands for, whatever its case; None for any other name.

    Example:
      >>> from compare_gan.folders.names import split_of
      >>> split_of("Training"), split_of("valid"), split_of("cat")
      ('train', 'val', None)
    """
    return _SPLIT_OF.get(name.lower())


def natural_key(name: str) -> tuple[Sequence[object], str]:
    """A key that sorts digits in names as numbers, and everything else as text.

    Example:
      >>> from compare_gan.folders import natural_key
      >>> sorted(["10", "9", "b2", "b10", "a"], key=natural_key)
      ['9', '10', 'a', 'b2', 'b10']
    """
    pieces: list[object] = list(_DIGITS.split(name))
    for i in range(1, len(pieces), 2):
        digits = str(pieces[i]).lstrip("0")
        pieces[i] = (len(digits), digits)  # Of any length, which `int` would refuse.
    return pieces, name
