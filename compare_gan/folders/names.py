"""Names of files and folders: which are images, which are hidden, which are splits."""

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
