"""A cache on disk of images that take long to decode, for data sets too large for memory."""

import contextlib
import errno
import logging
import os
import shutil
import time
import weakref
import zlib
from collections.abc import Sequence

import numpy as np

from compare_gan import files

_log = logging.getLogger(__name__)

# Share of the free space that a cache may take: checkpoints need some.
_MOST = 0.5
_KEPT_SECONDS = 30 * 86_400.0
_CHECKSUM = np.dtype("<u4")
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ImageCache:
    """Images of one shape in a file, each with a checksum, by their index.

    An image that has not been written, or only in part, is absent. Several threads and processes
    may use one file: they write the same images. It is read and written by the system's calls
    rather than mapped into memory, because a mapped file ends the process where the disk is full.

    Args:
      path: Path of the file, which is created.
      shape: Shape of an image, uint8.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets.image_cache import ImageCache
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     cache = ImageCache(os.path.join(folder, "cache"), (1, 2, 1))
      ...     cache.write(3, np.array([[[7], [8]]], np.uint8))
      ...     cache.read(2) is None, cache.read(3).tolist()
      (True, [[[7], [8]]])
    """

    def __init__(self, path: str, shape: tuple[int, ...]):
        self._shape = shape
        self._size = int(np.prod(shape)) + _CHECKSUM.itemsize
        self._is_full = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        # Not at the end of the process, when threads may still read.
        weakref.finalize(self, os.close, self._file).atexit = False

    def read(self, index: int) -> np.ndarray | None:
        """The image at an index, uint8; None if it is absent."""
        try:
            record = os.pread(self._file, self._size, index * self._size)
        except OSError:  # A damaged disk: the image is decoded anew.
            return None
        if len(record) < self._size:
            return None
        pixels = memoryview(record)[: -_CHECKSUM.itemsize]
        (checksum,) = np.frombuffer(record, _CHECKSUM, offset=len(pixels))
        if checksum != zlib.crc32(pixels):
            return None
        return np.frombuffer(pixels, np.uint8).reshape(self._shape)

    def write(self, index: int, image: np.ndarray) -> None:
        """Stores an image; once the disk is full, nothing more is stored."""
        if self._is_full:
            return
        pixels = image.tobytes()
        checksum = np.array(zlib.crc32(pixels), _CHECKSUM).tobytes()
        try:
            os.pwrite(self._file, pixels + checksum, index * self._size)
        except OSError as error:
            self._is_full = True
            text = "the disk is full" if error.errno in _FULL else error.strerror
            _log.warning("No more decoded images are cached: %s.", text)


def open_cache(identity: Sequence[object], count: int, shape: tuple[int, ...]) -> ImageCache | None:
    """The cache of a set of images, in the user's cache folder.

    Caches that have not been used for 30 days are removed.

    Args:
      identity: Everything that the images depend on, as texts and numbers.
      count: Number of images.
      shape: Shape of an image.

    Returns:
      The cache; None, with a note, if it would take more than half of the free space or cannot be
      written.
    """
    folder = os.path.join(files.cache_dir(), "images")
    path = os.path.join(folder, files.digest(*map(str, identity), str(shape))[:24])
    needed = count * (int(np.prod(shape)) + _CHECKSUM.itemsize)
    try:
        os.makedirs(folder, exist_ok=True)
        _remove_unused(folder)
        missing = needed - _taken(path)
        free = shutil.disk_usage(folder).free
        if missing > _MOST * free:
            _log.info(
                "Decoded images are not cached, which would take %.1f GiB of the %.1f GiB that are "
                "free in '%s': images are decoded each time.",
                missing / 2**30,
                free / 2**30,
                folder,
            )
            return None
        cache = ImageCache(path, shape)
        os.utime(path)
    except OSError as error:
        _log.info("Decoded images are not cached in '%s': %s.", folder, error.strerror or error)
        return None
    if missing > 0:
        _log.info(
            "The first pass over the images decodes them into '%s' (%.1f GiB): later ones are "
            "faster.",
            path,
            needed / 2**30,
        )
    return cache


def _taken(path: str) -> int:
    """Bytes that a file takes on disk, without its holes."""
    try:
        return os.stat(path).st_blocks * 512
    except OSError:
        return 0


def _remove_unused(folder: str) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            # Another process may remove it too, and a user may have put a folder there.
            with contextlib.suppress(OSError):
                if time.time() - entry.stat().st_mtime > _KEPT_SECONDS:
                    os.remove(entry.path)
