"""Contents of .npz files: images, which stay on disk, or statistics that other programs wrote.

Nothing is unpickled.
"""

import contextlib
import dataclasses
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np

from compare_gan import files, npz
from compare_gan.errors import UserError
from compare_gan.unpacking import DAMAGED, open_zip

IMAGES = ("images", "arr_0", "samples")


@dataclasses.dataclass(frozen=True, eq=False)
class GivenStatistics:
    """Mean and covariance of features, computed elsewhere.

    Attributes:
      name: The file.
      mean: float64 [f].
      covariance: float64 [f, f].

    The other attributes are those of an `ImageSet`, as far as they are known.
    """

    name: str
    mean: np.ndarray
    covariance: np.ndarray
    count: ClassVar[int] = 0
    shape: ClassVar[None] = None
    shape_text: ClassVar[str] = ""
    split: ClassVar[str] = "statistics"
    num_classes: ClassVar[int] = 1
    has_labels: ClassVar[bool] = False
    class_names: ClassVar[None] = None
    left_out: ClassVar[tuple[str, ...]] = ()
    seed: ClassVar[None] = None
    background: ClassVar[None] = None

    @property
    def dataset_name(self) -> str:
        """Name of the file."""
        return self.name

    def networks(self, extractor: object) -> dict[str, Any]:
        """No networks: see `ImageSet.networks`."""
        return {}

    def origin(self) -> Mapping[str, Any]:
        """Nothing is known: see `ImageSet.origin`."""
        return {}

    @property
    def content_hash(self) -> str:
        """Hash of the numbers."""
        return files.digest(self.mean, self.covariance)[:16]


class Arrays(NamedTuple):
    """Images of an .npz file.

    Attributes:
      images: As they are stored.
      labels: As they are stored; None if there are none.
      class_names: Names of the classes; None if they have none.
    """

    images: np.ndarray
    labels: np.ndarray | None
    class_names: tuple[str, ...] | None


def open_npz(path: str) -> GivenStatistics | Arrays:
    """Opens an .npz file of images, or of `mu` and `sigma` if it holds no images.

    Args:
      path: File with `images`, `arr_0` or `samples`, and optionally `labels` (`arr_1` with `arr_0`)
        and `class_names`; or with `mu` and `sigma`, as pytorch-fid and clean-fid write them.

    Returns:
      The images as they are stored, mapped into memory (compressed ones are unpacked into a
      temporary file first), with their labels; or the statistics.

    Raises:
      UserError: The file holds neither, Python objects, or less or far more than it declares.
      zipfile.BadZipFile: It is not an .npz file.
    """
    with open_zip(path) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
        key = next((key for key in IMAGES if key in keys), None)
        if key is not None:
            # numpy.savez(path, images, labels) names them arr_0 and arr_1.
            names = ("labels", "arr_1") if key == "arr_0" else ("labels",)
            found = next((name for name in names if name in keys), None)
            labels, class_names = (
                np.array(_map(path, archive, each)) if each in keys else None
                for each in (found, "class_names")
            )
            return Arrays(_map(path, archive, key), labels, _names(path, class_names, labels))
        if {"mu", "sigma"} <= set(keys):
            mean, covariance = (_map(path, archive, key) for key in ("mu", "sigma"))
            return _statistics(path, mean, covariance)
    raise UserError(
        f"'{path}' must hold images ({', '.join(IMAGES)}) or mu and sigma; it holds "
        f"{', '.join(keys) or 'nothing'}."
    )


def _names(
    path: str, names: np.ndarray | None, labels: np.ndarray | None
) -> tuple[str, ...] | None:
    if names is None or labels is None:
        return None
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) < len(names):
        raise UserError(f"class_names in '{path}' must be different texts, one for each class.")
    if labels.dtype.kind in "iu" and labels.size and labels.max() >= len(names):
        raise UserError(
            f"The labels in '{path}' go up to {labels.max()}, but class_names there names "
            f"{len(names)} classes."
        )
    return tuple(names.tolist())


def _statistics(path: str, mean: np.ndarray, covariance: np.ndarray) -> GivenStatistics:
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise UserError(
            f"mu and sigma of '{path}' must be [f] and [f, f], received {list(mean.shape)} and "
            f"{list(covariance.shape)}."
        )
    for key, values in (("mu", mean), ("sigma", covariance)):
        if values.dtype.kind not in "fiu":
            raise UserError(f"{key} of '{path}' must hold real numbers, received {values.dtype}.")
        if not np.isfinite(values).all():
            raise UserError(f"{key} of '{path}' holds numbers that are not finite.")
    return GivenStatistics(path, np.array(mean, np.float64), np.array(covariance, np.float64))


def _map(path: str, archive: zipfile.ZipFile, key: str) -> np.ndarray:
    """One array of the file, read when it is accessed."""
    entry = archive.getinfo(f"{key}.npy")
    with _opened(path, archive, entry) as file:
        start = file.tell()
        shape, fortran, dtype, size = npz.read_header(path, key, file, entry.file_size, start)
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(file, dtype, "r", start + size, shape, "F" if fortran else "C")


@contextlib.contextmanager
def _opened(path: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
    """A file of its own on disk, positioned where the array begins."""
    if entry.compress_type == zipfile.ZIP_STORED:
        with open(path, "rb") as file:
            file.seek(entry.header_offset + 26)  # The lengths of two fields before the array.
            lengths = file.read(4)
            start = entry.header_offset + 30 + sum(struct.unpack("<HH", lengths.ljust(4, b"\0")))
            if start + entry.file_size > os.path.getsize(path):
                raise UserError(f"'{path}' is damaged: '{entry.filename}' ends beyond its end.")
            file.seek(start)
            yield file
        return
    with tempfile.TemporaryFile() as file:
        try:
            with archive.open(entry) as member:
                shutil.copyfileobj(member, file, 1 << 20)
        except DAMAGED as error:
            raise UserError(f"'{entry.filename}' in '{path}' cannot be read: {error}.") from error
        file.seek(0)
        yield file
