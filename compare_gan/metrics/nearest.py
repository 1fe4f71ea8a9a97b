"""Nearest training images of samples: a picture, and how many samples are copies."""

import math

import numpy as np
import PIL.Image

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected

_QUERIES, _REFERENCES = 1024, 4096  # Rows of a block at most: 32 MiB of distances.
_BLOCK_BYTES = 64 << 20  # Of a block's vectors in float64.
_SMALLEST_SIDE, _GAP = 56, 4  # Pixels in pictures.


def nearest_neighbours(queries, references, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest references of each query, nearest first; of equal ones any.

    Block by block, in float64: beside the result a few hundred megabytes at most.

    Args:
      queries: [n, …], taken as vectors; any dtype.
      references: [m, …], m at least k.
      k: How many.

    Returns:
      Euclidean distances float64 [n, k], exact to rounding also where they are near 0, and indices
      int [n, k].

    Raises:
      UserError: There are fewer than k references, shapes differ, or a value is not finite.
    """
    queries, references = (_rows(values) for values in (queries, references))
    if queries.shape[1] != references.shape[1]:
        raise UserError(
            f"Neighbours need vectors of one length, received {queries.shape[1]} and "
            f"{references.shape[1]}."
        )
    if len(references) < k:
        raise UserError(f"{k} neighbours cannot be found among {len(references)}.")
    # About their mean the vectors are shorter, and so rounded less.
    center = references.mean(axis=0, dtype=np.float64)
    found = [_nearest(block, references, center, k) for block in _blocks(queries, _QUERIES)]
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _rows(values) -> np.ndarray:
    values = np.asarray(values)
    if not len(values):
        raise UserError("Neighbours need vectors, received none.")
    if not np.issubdtype(values.dtype, np.integer) and not np.isfinite(values).all():
        raise UserError("The vectors are not all finite, so they have no neighbours.")
    return values.reshape(len(values), -1)


def _blocks(values, most: int) -> list:
    size = max(1, min(most, _BLOCK_BYTES // (8 * values.shape[1])))
    return [values[start : start + size] for start in range(0, len(values), size)]


def _nearest(queries, references, center, k) -> tuple[np.ndarray, np.ndarray]:
    centred = queries - center
    # A few more than k: their squared distances are rounded, and are computed again below.
    keep = min(k + 2, len(references))
    best = np.full([len(queries), 0], np.inf)
    index = np.zeros([len(queries), 0], int)
    start = 0
    for block in _blocks(references, _REFERENCES):
        others = block - center
        # Up to what all references of a query have in common.
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


def memorization(samples, references, threshold: float = 0.5) -> tuple[float, float]:
    """How many samples lie closer to a training image than other training images do.

    For each sample, d is the distance to its nearest training image and d' the distance of that
    training image to its own nearest other one. A sample is authentic if d > d' (Alaa et al., 2022,
    https://arxiv.org/abs/2102.08921), which holds for about half of the samples of a perfect
    generator; it counts as memorized if d <= `threshold` · d'.

    Args:
      samples: [n, …], taken as vectors.
      references: [m, …], m at least 2: the training images, or their features.
      threshold: In [0, 1].

    Returns:
      The share of memorized samples and that of authentic ones, both in [0, 1].

    Raises:
      UserError: See `nearest_neighbours`.
    """
    distances, index = nearest_neighbours(samples, references, 1)
    nearest, place = np.unique(index[:, 0], return_inverse=True)
    references = np.asarray(references)
    own, others = nearest_neighbours(references[nearest], references, 2)
    own = np.where(others == nearest[:, None], np.inf, own).min(axis=1)[place.ravel()]
    distance = distances[:, 0]
    return float(np.mean(distance <= threshold * own)), float(np.mean(distance > own))


def neighbour_picture(samples, neighbours) -> np.ndarray:
    """One row for each sample: the sample, a gap, its neighbours.

    Args:
      samples: uint8 [n, H, W, C]; small images are enlarged by a whole number.
      neighbours: uint8 [n, k, H, W, C].

    Returns:
      uint8 [height, width, C].
    """
    scale = math.ceil(_SMALLEST_SIDE / min(samples.shape[1:3]))
    rows = []
    for sample, others in zip(samples, neighbours, strict=True):
        gap = np.full([len(sample), max(1, _GAP // scale), sample.shape[-1]], 255, np.uint8)
        rows.append(np.concatenate([sample, gap, *others], axis=1))
    return np.concatenate(rows).repeat(scale, axis=0).repeat(scale, axis=1)


class _Memorization(Metric):
    """What the two metrics share: `_space` is the field of a batch that distances are between."""

    needs = frozenset({"images"})
    uses_real = True
    _space = "images"

    def __init__(self, threshold: float = 0.5, num_pictured: int = 16, k: int = 5):
        check_range(f"{self.name}.threshold", threshold, 0.0, 1.0)
        check_positive_integer(f"{self.name}.num_pictured", num_pictured)
        check_positive_integer(f"{self.name}.k", k)
        self.threshold, self.num_pictured, self.k = threshold, num_pictured, k

    def statistics(self, num_images):
        return Collected(*sorted(self.needs))

    def value(self, real, fake):
        share, authentic = memorization(fake[self._space], real[self._space], self.threshold)
        return {"": share, "authenticity": authentic}

    def pictures(self, real, fake):
        count = slice(0, self.num_pictured)
        k = min(self.k, len(real["images"]))
        _, index = nearest_neighbours(fake[self._space][count], real[self._space], k)
        picture = neighbour_picture(fake["images"][count], real["images"][index])
        return {"": PIL.Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)}

    def options(self):
        return {"threshold": self.threshold}


@registry.register("metric", "memorization", paper="https://arxiv.org/abs/2102.08921")
class Memorization(_Memorization):
    """Share of samples that nearly repeat a reference image, by distances between features.

    See `memorization` for the definition, and for the authenticity beside it (`_authenticity`). It
    tells of memorization only where the reference is what the GAN was trained on: set
    `evaluation.split`. The picture shows samples and their nearest reference images.

    Args:
      threshold: A sample counts as a copy if it is nearer to a reference image than this share of
        that image's distance to the nearest other one.
      num_pictured: Samples in the picture, the first ones.
      k: Neighbours of each in the picture.
    """

    name = "memorization"
    needs = frozenset({"images", "features"})
    _space = "features"


@registry.register("metric", "memorization_pixels", paper="https://arxiv.org/abs/2102.08921")
class PixelMemorization(_Memorization):
    """`memorization` by distances between pixels.

    Args:
      threshold: A sample counts as a copy if it is nearer to a reference image than this share of
        that image's distance to the nearest other one.
      num_pictured: Samples in the picture, the first ones.
      k: Neighbours of each in the picture.
    """

    name = "memorization_pixels"
