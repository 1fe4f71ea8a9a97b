"""Cache of arrays about real images, on disk, keyed by everything that they depend on."""

import json
import logging
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compare_gan import files, npz
from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_KEY = "key"  # The entry of a file that holds its key, to detect damage and collisions.


def cached(
    key: Mapping[str, object], compute: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Returns the arrays cached under `key`; computes and caches them if missing or damaged.

    Arrays that include `images` are not cached: they would be a second copy of the data set.

    Args:
      key: Everything that the arrays depend on, serializable as JSON. The values of `dataset` and
        `statistics`, if present, begin the file name.
      compute: Function that computes the arrays.

    Returns:
      The arrays by name, even if the cache cannot be written.
    """
    text = json.dumps(key, sort_keys=True)
    path = os.path.join(files.cache_dir(), _file_name(key, text))
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


def _read(path: str, text: str) -> dict[str, np.ndarray] | None:
    if not os.path.exists(path):
        return None
    try:
        npz.check_npz(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays.pop(_KEY)) != text:
            raise ValueError("it has another key")
        return arrays
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        _log.warning("Recomputing the cached statistics %s, which are damaged: %s", path, error)
        return None


def _write(path: str, text: str, arrays: Mapping[str, np.ndarray]) -> None:
    entries: dict[str, Any] = {_KEY: np.array(text), **arrays}
    try:
        with files.atomic(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **entries)
    except (OSError, UserError) as error:
        _log.warning("The statistics of the real images cannot be cached: %s", error)
