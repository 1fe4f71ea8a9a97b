"""Contents of .npz files: images, which stay on disk, or statistics that other programs wrote.

Nothing is unpickled.
"""

import contextlib
import dataclasses
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any, ClassVar

import numpy as np

from compare_gan import files
from compare_gan.errors import UserError

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


def open_npz(path: str) -> GivenStatistics | tuple[np.ndarray, np.ndarray | None]:
    """Opens an .npz file of images, or of `mu` and `sigma` if it holds no images.

    Args:
      path: File with `images`, `arr_0` or `samples`, and optionally `labels`; or with `mu` and
        `sigma`, as pytorch-fid and clean-fid write them.

    Returns:
      The images as they are stored, mapped into memory (compressed ones are unpacked into a
      temporary file first), and the labels or None; or the statistics.

    Raises:
      UserError: The file holds neither, or Python objects.
      zipfile.BadZipFile: It is not an .npz file.
    """
    with zipfile.ZipFile(path) as archive:
        keys = [name.removesuffix(".npy") for name in archive.namelist()]
        key = next((key for key in IMAGES if key in keys), None)
        if key is not None:
            labels = np.array(_map(path, archive, "labels")) if "labels" in keys else None
            return _map(path, archive, key), labels
        if {"mu", "sigma"} <= set(keys):
            mean, covariance = (_map(path, archive, key) for key in ("mu", "sigma"))
            return _statistics(path, mean, covariance)
    raise UserError(
        f"'{path}' must hold images ({', '.join(IMAGES)}) or mu and sigma; it holds "
        f"{', '.join(keys) or 'nothing'}."
    )


def _statistics(path: str, mean: np.ndarray, covariance: np.ndarray) -> GivenStatistics:
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise UserError(
            f"mu and sigma of '{path}' must be [f] and [f, f], received {list(mean.shape)} and "
            f"{list(covariance.shape)}."
        )
    return GivenStatistics(path, np.array(mean, np.float64), np.array(covariance, np.float64))


def _map(path: str, archive: zipfile.ZipFile, key: str) -> np.ndarray:
    """One array of the file, read when it is accessed."""
    with _opened(path, archive, key) as file:
        try:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            read = read if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise UserError(f"'{key}' of '{path}' is not an array: {error}.") from error
        if dtype.hasobject:
            raise UserError(f"'{key}' of '{path}' holds Python objects, which are not read.")
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(file, dtype, "r", file.tell(), shape, "F" if fortran else "C")


@contextlib.contextmanager
def _opened(path: str, archive: zipfile.ZipFile, key: str) -> Iterator[IO[bytes]]:
    """A file of its own on disk, positioned where the array begins."""
    info = archive.getinfo(f"{key}.npy")
    if info.compress_type == zipfile.ZIP_STORED:
        with open(path, "rb") as file:
            file.seek(info.header_offset + 26)  # The lengths of two fields before the array.
            file.seek(sum(struct.unpack("<HH", file.read(4))), 1)
            yield file
        return
    with tempfile.TemporaryFile() as file:
        with archive.open(info) as member:
            shutil.copyfileobj(member, file, 1 << 20)
        file.seek(0)
        yield file
