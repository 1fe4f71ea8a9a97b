"""Where an extractor's weights come from: a path that is given, the cache, or a download."""

import dataclasses
import os
import shutil
import urllib.request
from collections.abc import Iterable

import numpy as np

from compare_gan import files
from compare_gan.errors import UserError
from compare_gan.metrics.cache import cache_dir

_TIMEOUT = 30  # Seconds without an answer.


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """A file of weights that is published.

    Attributes:
      name: Its file name.
      url: Where it is.
      sha256: What its hash begins with, in hexadecimal digits.
    """

    name: str
    url: str
    sha256: str


def weights_dir() -> str:
    """The folder of the cache where weights are looked for, and downloaded to."""
    return os.path.join(cache_dir(), "weights")


def given_file(path: str, parameter: str) -> str:
    """The path that a config gives for `parameter`; UserError if no file is there."""
    if not os.path.isfile(path):
        raise UserError(f"{parameter}: there is no file '{path}'.")
    return path


def cached_file(names: Iterable[str]) -> str | None:
    """The path of the first of these files that the cache has; None if it has none."""
    paths = (os.path.join(weights_dir(), name) for name in names)
    return next((path for path in paths if os.path.isfile(path)), None)


def obtain(file: WeightsFile) -> str:
    """The path of a file of weights in the cache, downloaded if it is not there.

    A download gets its name when it is whole and its hash is right.

    Raises:
      UserError: It can neither be had nor kept; the message says where to put it by hand.
    """
    path = os.path.join(weights_dir(), file.name)
    if os.path.isfile(path):
        if not files.file_digest(path).startswith(file.sha256):
            raise UserError(
                f"'{path}' is damaged: its SHA-256 does not begin with {file.sha256}. Remove it."
            )
        return path
    try:
        os.makedirs(weights_dir(), exist_ok=True)  # Stays: the sentence below names it.
        with files.atomic(path) as temporary:
            _download(file.url, temporary)
            digest = files.file_digest(temporary)
            if not digest.startswith(file.sha256):
                raise OSError(f"its SHA-256 is {digest[:16]}…, not {file.sha256}…")
    except (OSError, ValueError) as error:  # URLError is an OSError.
        reason = getattr(error, "reason", error)
        raise UserError(
            f"'{file.name}' cannot be had from {file.url} ({reason}): put it into {weights_dir()}."
        ) from error
    return path


def _download(url: str, path: str) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        expected = source.headers.get("Content-Length")
        if expected is not None and int(expected) != target.tell():
            raise OSError(f"it broke off after {target.tell()} of {expected} bytes")


def arrays_hash(arrays: Iterable[np.ndarray]) -> str:
    """16 digits of the SHA-256 over shapes, types and numbers: the same from whichever file."""
    digest = files.Digest()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.add(f"{array.dtype.str}{array.shape}", array.tobytes())
    return digest.hex()[:16]


def words_hash(*words: object) -> str:
    """16 digits of the SHA-256 over what the words print as."""
    return files.digest(repr(words))[:16]


def files_hash(folder: str, counts=lambda name: True) -> str:
    """16 digits of the SHA-256 over names and contents of those files of a folder that count."""
    digest = files.Digest()
    for parent, folders, found in os.walk(folder):
        folders.sort()
        for name in filter(counts, sorted(found)):
            path = os.path.join(parent, name)
            digest.add(os.path.relpath(path, folder))
            with open(path, "rb") as file:
                digest.add(file)
    return digest.hex()[:16]
