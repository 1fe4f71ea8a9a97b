"""Sources of an extractor's weights: a given path, the cache, or a download."""

import dataclasses
import os
import shutil
import urllib.request
from collections.abc import Callable, Iterable

import numpy as np

from compare_gan import files
from compare_gan.errors import UserError

_TIMEOUT = 30  # Seconds without a response.


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """A published file of weights.

    Attributes:
      name: File name.
      url: URL of the file.
      sha256: First hexadecimal digits of the file's SHA-256.
    """

    name: str
    url: str
    sha256: str


def weights_dir() -> str:
    """Returns the folder of the cache in which weights are searched and stored."""
    return os.path.join(files.cache_dir(), "weights")


def given_file(path: str, parameter: str) -> str:
    """Checks that the path given for a parameter is a file, and returns it.

    Args:
      path: Path of the file.
      parameter: Name of the gin parameter, for the error message.

    Raises:
      UserError: There is no such file.
    """
    if not os.path.isfile(path):
        raise UserError(f"{parameter}: there is no file '{path}'.")
    return path


def cached_file(names: Iterable[str]) -> str | None:
    """Returns the path of the first of these files that is in the cache; None if none is."""
    paths = (os.path.join(weights_dir(), name) for name in names)
    return next((path for path in paths if os.path.isfile(path)), None)


def obtain(file: WeightsFile) -> str:
    """Returns the path of a file of weights in the cache, after a download if necessary.

    A download gets its final name once it is complete and its hash is correct.

    Raises:
      UserError: The file cannot be downloaded or stored; the message names the folder in which to
        put it by hand.
    """
    path = os.path.join(weights_dir(), file.name)
    if os.path.isfile(path):
        if not files.file_digest(path).startswith(file.sha256):
            raise UserError(
                f"'{path}' is damaged and must be removed: its SHA-256 does not begin with "
                f"{file.sha256}."
            )
        return path
    try:
        os.makedirs(weights_dir(), exist_ok=True)  # Kept on errors: the message names it.
        with files.atomic(path) as temporary:
            _download(file.url, temporary)
            digest = files.file_digest(temporary)
            if not digest.startswith(file.sha256):
                raise OSError(f"its SHA-256 is {digest[:16]}…, not {file.sha256}…")
    except (OSError, ValueError) as error:  # URLError is an OSError.
        reason = getattr(error, "reason", error)
        raise UserError(
            f"'{file.name}' cannot be downloaded from {file.url} ({reason}): put it into "
            f"{weights_dir()}."
        ) from error
    return path


def _download(url: str, path: str) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as source, open(path, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        expected = source.headers.get("Content-Length")
        if expected is not None and int(expected) != target.tell():
            raise OSError(f"it stopped after {target.tell()} of {expected} bytes")


def arrays_hash(arrays: Iterable[np.ndarray]) -> str:
    """Hashes shapes and values of arrays to 16 digits of the SHA-256.

    The precision in which a file stores the weights has no influence: networks compute in float32,
    so floating-point numbers of any type are hashed as float32.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors.weights import arrays_hash
      >>> arrays_hash([np.ones(2)]) == arrays_hash([np.ones(4, np.float16)[::2]])
      True
    """
    digest = files.Digest()
    for array in arrays:
        array = np.asarray(array)
        if array.dtype.kind not in "biu":
            array = array.astype("<f4")
        digest.add(f"{array.dtype.str}{array.shape}", array.tobytes())
    return digest.hex()[:16]


def values_hash(*values: object) -> str:
    """Hashes the `repr` of values to 16 digits of the SHA-256."""
    return files.digest(repr(values))[:16]


def files_hash(folder: str, is_relevant: Callable[[str], bool] = lambda name: True) -> str:
    """Hashes paths and contents of files to 16 digits of the SHA-256.

    Args:
      folder: Folder of the files, searched recursively.
      is_relevant: Function from a file's name to whether the file is hashed.
    """
    digest = files.Digest()
    for parent, folders, found in os.walk(folder):
        folders.sort()
        for name in filter(is_relevant, sorted(found)):
            path = os.path.join(parent, name)
            digest.add(os.path.relpath(path, folder))
            with open(path, "rb") as file:
                digest.add(file)
    return digest.hex()[:16]
