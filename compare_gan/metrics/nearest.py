"""Memorization: nearest training images of samples, and the share of samples that are copies."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import PIL.Image

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.metrics.base import Arrays, Metric
from compare_gan.metrics.collected import CollectedFields
from compare_gan.types import Direction

_QUERIES, _REFERENCES = 1024, 4096  # Largest numbers of rows in a block: 32 MiB of distances.
_BLOCK_BYTES = 64 << 20  # Size of a block of vectors in float64.
_SMALLEST_SIDE, _GAP = 56, 4  # Pixels in pictures.


def nearest_neighbours(
    queries: npt.ArrayLike, references: npt.ArrayLike, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the k nearest references of each query, nearest first, with ties in any order.

    Distances are computed in blocks, in float64, with at most a few hundred megabytes of memory
    besides the result.

    Args:
      queries: Vectors [n, …], flattened; any dtype.
      references: Vectors [m, …] of the same length, m at least k.
      k: Number of neighbours.

    Returns:
      Euclidean distances float64 [n, k], accurate to rounding even near 0, and indices int [n, k].

    Raises:
      UserError: There are fewer than k references, shapes differ, or a value is not finite.

    Example:
      >>> from compare_gan.metrics import nearest_neighbours
      >>> distances, indices = nearest_neighbours([[0.0], [9.0]], [[10.0], [1.0], [3.0]], k=2)
      >>> distances.tolist(), indices.tolist()
      ([[1.0, 3.0], [1.0, 6.0]], [[1, 2], [0, 2]])
    """
    queries, references = (_rows(values) for values in (queries, references))
    if queries.shape[1] != references.shape[1]:
        raise UserError(
            f"Neighbours need vectors of the same length, received {queries.shape[1]} and "
            f"{references.shape[1]}."
        )
    if len(references) < k:
        raise UserError(
            f"{k} nearest neighbours need at least {k} references, received {len(references)}."
        )
    # Relative to their mean, the vectors are shorter and rounded less.
    centre = references.mean(axis=0, dtype=np.float64)
    found = [_nearest(block, references, centre, k) for block in _blocks(queries, _QUERIES)]
    distances, indices = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return distances, indices


def _rows(values: npt.ArrayLike) -> np.ndarray:
    values = np.asarray(values)
    if not len(values):
        raise UserError("Neighbours need at least 1 vector, received none.")
    if not np.issubdtype(values.dtype, np.integer) and not np.isfinite(values).all():
        raise UserError("The vectors of neighbours must be finite, received NaN or inf.")
    return values.reshape(len(values), -1)


def _blocks(values: np.ndarray, max_rows: int) -> list[np.ndarray]:
    size = max(1, min(max_rows, _BLOCK_BYTES // (8 * values.shape[1])))
    return [values[start : start + size] for start in range(0, len(values), size)]


def _nearest(
    queries: np.ndarray, references: np.ndarray, centre: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    centred = queries - centre
    # Keeps a few more than k: squared distances are inexact, and are recomputed below.
    keep = min(k + 2, len(references))
    best = np.full([len(queries), 0], np.inf)
    index = np.zeros([len(queries), 0], int)
    start = 0
    for block in _blocks(references, _REFERENCES):
        others = block - centre
        # Squared distances up to the squared norm of the query.
        scores = np.einsum("ij,ij->i", others, others) - 2 * centred @ others.T
        scores = np.concatenate([best, scores], axis=1)
        numbers = np.arange(start, start + len(block))
        numbers = np.concatenate([index, np.broadcast_to(numbers, [len(queries), len(block)])], 1)
        kept = np.argpartition(scores, min(keep, scores.shape[1]) - 1, axis=1)[:, :keep]
        best = np.take_along_axis(scores, kept, axis=1)
        index = np.take_along_axis(numbers, kept, axis=1)
        start += len(block)
    distances = np.stack(
        [
            np.linalg.norm(queries.astype(np.float64) - references[column], axis=1)
            for column in index.T
        ],
        axis=1,
    )
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, 1), np.take_along_axis(index, order, 1)


def memorization(
    samples: npt.ArrayLike, references: npt.ArrayLike, threshold: float = 0.5
) -> tuple[float, float]:
    """Shares of memorized and of authentic samples.

    For each sample, d is the distance to its nearest training image, and d' is the distance from
    that training image to the nearest other one. A sample is authentic if d > d' (Alaa et al.,
    2022, https://arxiv.org/abs/2102.08921), which is true of about half of the samples of a perfect
    generator. A sample counts as memorized if d <= `threshold` · d'.

    Args:
      samples: Samples or their features, [n, …], flattened to vectors.
      references: Training images or their features, [m, …], m at least 2.
      threshold: Largest distance of a copy as a share of d', in [0, 1].

    Returns:
      The share of memorized samples and the share of authentic ones, both in [0, 1].

    Raises:
      UserError: See `nearest_neighbours`.

    Example:
      >>> from compare_gan.metrics import memorization
      >>> memorization(samples=[[0.1], [5.0]], references=[[0.0], [1.0], [2.0]])
      (0.5, 0.5)
    """
    distances, index = nearest_neighbours(samples, references, 1)
    nearest, place = np.unique(index[:, 0], return_inverse=True)
    references = np.asarray(references)
    own, others = nearest_neighbours(references[nearest], references, 2)
    own = np.where(others == nearest[:, None], np.inf, own).min(axis=1)[place.ravel()]
    distance = distances[:, 0]
    return float(np.mean(distance <= threshold * own)), float(np.mean(distance > own))


def neighbour_picture(samples: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """Picture with a row for each sample: the sample, a gap, and its neighbours.

    Args:
      samples: Samples, uint8 [n, H, W, C]; small images are enlarged by an integer factor.
      neighbours: Neighbours of each sample, uint8 [n, k, H, W, C].

    Returns:
      The picture, uint8 [height, width, C].

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import neighbour_picture
      >>> samples = np.zeros([2, 64, 64, 3], np.uint8)
      >>> neighbours = np.ones([2, 5, 64, 64, 3], np.uint8)
      >>> neighbour_picture(samples, neighbours).shape
      (128, 388, 3)
    """
    scale = math.ceil(_SMALLEST_SIDE / min(samples.shape[1:3]))
    rows = []
    for sample, others in zip(samples, neighbours, strict=True):
        gap = np.full([len(sample), max(1, _GAP // scale), sample.shape[-1]], 255, np.uint8)
        rows.append(np.concatenate([sample, gap, *others], axis=1))
    return np.concatenate(rows).repeat(scale, axis=0).repeat(scale, axis=1)


class _MemorizationMetric(Metric):
    """Base class of the two metrics, which differ in the field that distances compare."""

    needs = frozenset({"images"})
    uses_real = True
    better = "lower"
    better_by_suffix: ClassVar[Mapping[str, Direction]] = {"authenticity": "higher"}
    _field = "images"

    def __init__(self, threshold: float = 0.5, num_pictured: int = 16, k: int = 5):
        check_range(f"{self.name}.threshold", threshold, 0.0, 1.0)
        check_positive_integer(f"{self.name}.num_pictured", num_pictured)
        check_positive_integer(f"{self.name}.k", k)
        self.threshold, self.num_pictured, self.k = threshold, num_pictured, k

    def statistics(self, num_images: int) -> CollectedFields:
        return CollectedFields(*sorted(self.needs))

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        share, authentic = memorization(fake[self._field], real[self._field], self.threshold)
        return {"": share, "authenticity": authentic}

    def pictures(self, real: Arrays, fake: Arrays) -> dict[str, PIL.Image.Image]:
        count = slice(0, self.num_pictured)
        k = min(self.k, len(real["images"]))
        _, index = nearest_neighbours(fake[self._field][count], real[self._field], k)
        picture = neighbour_picture(fake["images"][count], real["images"][index])
        return {"": PIL.Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)}

    def options(self) -> dict[str, object]:
        return {"threshold": self.threshold}


@registry.register("metric", "memorization", paper="https://arxiv.org/abs/2102.08921")
class Memorization(_MemorizationMetric):
    """Share of samples that nearly repeat a reference image, by distances between features.

    The share of authentic samples is reported as `_authenticity`; see `memorization` for the
    definitions. Both are meaningful only if the reference images are the training images: set
    `evaluation.split`. The picture shows samples and their nearest reference images.

    Args:
      threshold: Largest distance of a copy from its nearest reference image, as a share of that
        image's distance to the nearest other one.
      num_pictured: Number of samples in the picture, taken from the beginning.
      k: Number of neighbours of each sample in the picture.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import Memorization
      >>> images = np.zeros([3, 8, 8, 1], np.uint8)
      >>> real = {"images": images, "features": np.array([[0.0], [1.0], [2.0]])}
      >>> fake = {"images": images, "features": np.array([[0.1], [5.0], [9.0]])}
      >>> metric = Memorization(threshold=0.2)
      >>> {suffix: round(share, 2) for suffix, share in metric.value(real=real, fake=fake).items()}
      {'': 0.33, 'authenticity': 0.67}
      >>> metric.pictures(real=real, fake=fake)[""].size
      (231, 168)
    """

    name = "memorization"
    needs = frozenset({"images", "features"})
    _field = "features"


@registry.register("metric", "memorization_pixels", paper="https://arxiv.org/abs/2102.08921")
class PixelMemorization(_MemorizationMetric):
    """Share of samples that nearly repeat a reference image, by distances between pixels.

    See `Memorization`, which compares features.

    Args:
      threshold: Largest distance of a copy from its nearest reference image, as a share of that
        image's distance to the nearest other one.
      num_pictured: Number of samples in the picture, taken from the beginning.
      k: Number of neighbours of each sample in the picture.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import PixelMemorization
      >>> images = np.random.default_rng(0).integers(0, 256, [4, 8, 8, 1], dtype=np.uint8)
      >>> PixelMemorization().value(real={"images": images}, fake={"images": images[:2]})
      {'': 1.0, 'authenticity': 0.0}
    """

    name = "memorization_pixels"
