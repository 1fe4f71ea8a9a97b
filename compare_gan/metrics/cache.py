"""Statistics of real images, kept on disk under a key that names all that they depend on."""

import json
import logging
import os
import re
import zipfile
from collections.abc import Callable, Mapping

import numpy as np

from compare_gan import files

_log = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]
_KEY = "key"  # The entry of a file that holds its key, to tell damage and collisions.


def cache_dir() -> str:
    """$COMPARE_GAN_CACHE, else compare_gan in the user's cache folder."""
    return os.environ.get("COMPARE_GAN_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "compare_gan"
    )


def cached(key: Mapping[str, object], compute: Callable[[], Arrays]) -> Arrays:
    """What is cached under `key`; computed and cached if nothing is, or if it is damaged.

    Arrays with `images` are not cached: they would be a second copy of the data set.

    Args:
      key: All that the arrays depend on, as JSON knows it. Its `dataset` and `statistics`, if any,
        begin the file's name.
      compute: Makes the arrays.

    Returns:
      The arrays by name. If the cache cannot be written they are returned all the same.
    """
    text = json.dumps(key, sort_keys=True)
    path = os.path.join(cache_dir(), _file_name(key, text))
    arrays = _read(path, text)
    if arrays is None:
        arrays = compute()
        if "images" not in arrays:
            _write(path, text, arrays)
    return arrays


def _file_name(key: Mapping[str, object], text: str) -> str:
    words = [str(key[name]) for name in ("dataset", "statistics") if name in key]
    readable = re.sub(r"[^\w.-]+", "-", "_".join(words))[:80]
    return f"{readable}_{files.digest(text)[:20]}.npz"


def _read(path: str, text: str) -> Arrays | None:
    if not os.path.exists(path):
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays.pop(_KEY)) != text:
            raise ValueError("it is of another key")
        return arrays
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        _log.warning("The cached statistics %s are damaged (%s): computed anew.", path, error)
        return None


def _write(path: str, text: str, arrays: Arrays) -> None:
    try:
        with files.atomic(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **{_KEY: np.array(text)}, **arrays)
    except OSError as error:
        _log.warning("The statistics of the real images cannot be cached: %s", error)
