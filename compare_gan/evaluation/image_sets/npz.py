"""Contents of .npz files: images, which stay on disk, or statistics that other programs wrote.

Nothing is unpickled.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from compare_gan import files, npz
from compare_gan.datasets.npz_images import IMAGES, Arrays, open_arrays
from compare_gan.errors import UserError


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


def open_npz(path: str) -> GivenStatistics | Arrays:
    """Opens an .npz file of images, or of `mu` and `sigma` if it holds no images.

    Args:
      path: File with `images`, `arr_0` or `samples`, and optionally `labels` (`arr_1` with `arr_0`)
        and `class_names`; or with `mu` and `sigma`, as pytorch-fid and clean-fid write them.

    Returns:
      The images as they are stored, mapped into memory (compressed ones are unpacked into a
      temporary file first), with their labels; or the statistics.

    Raises:
      UserError: It is no .npz, holds neither, Python objects, or less or far more than it declares.
    """
    arrays = open_arrays(path)
    if arrays is not None:
        return arrays
    statistics = stored_statistics(path)
    if statistics is not None:
        return statistics
    with npz.open_npz(path) as archive:
        keys = ", ".join(npz.keys(archive)) or "nothing"
    raise UserError(
        f"'{path}' must hold images ({', '.join(IMAGES)}) or mu and sigma; it holds {keys}."
    )


def stored_statistics(path: str) -> GivenStatistics | None:
    """The `mu` and `sigma` that a file holds, perhaps beside images; None if it holds none.

    OpenAI's reference batches do: their statistics are of a larger set than the images.

    Args:
      path: See `open_npz`.

    Raises:
      UserError: They are not a mean and a covariance, or damaged.
    """
    with npz.open_npz(path) as archive:
        if not {"mu", "sigma"} <= set(npz.keys(archive)):
            return None
        mean, covariance = (npz.map_array(path, archive, key) for key in ("mu", "sigma"))
        return _statistics(path, mean, covariance)


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
