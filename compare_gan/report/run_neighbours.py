"""Samples compared with training images: nearest ones, copies, PRD."""

import dataclasses

import numpy as np

from compare_gan.datasets import Dataset, eval_batches
from compare_gan.metrics import memorization, nearest_neighbours, prd_curve
from compare_gan.metrics.extractors import Extractor
from compare_gan.report.absent import AbsentError
from compare_gan.report.run_images import SEED, shrunk
from compare_gan.sampling import Sampler

_PICTURED, _NEIGHBOURS = 12, 6
_PIXELS = 1024 * 1024  # Of all generated images that are compared with training images.
_REFERENCES = 10  # Training images for each generated one.
_LEAST_COMPARED, _MOST_COMPARED, _LEAST_FOR_PRD = 100, 1000, 500


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """Generated images and training images, with what they are compared by.

    Attributes:
      fake: Generated images, uint8 [n, H, W, C].
      real: Training images, uint8 [m, H, W, C].
      fake_vectors: float32 [n, f], or uint8 [n, H, W, C] for pixels.
      real_vectors: The same of training images.
      by: `features of fashion_cnn`, for example, or `pixels`.
      extractor: Name of the extractor; empty for pixels.
      why_pixels: A sentence that says why pixels are compared; empty for features.
    """

    fake: np.ndarray
    real: np.ndarray
    fake_vectors: np.ndarray
    real_vectors: np.ndarray
    by: str
    extractor: str = ""
    why_pixels: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Generated images beside their nearest training images.

    Attributes:
      samples: uint8 [n, H, W, C].
      neighbours: uint8 [n, k, H, W, C], nearest first.
      distances: float64 [n, k].
      by: What is compared, see `Compared.by`.
      why_pixels: See `Compared.why_pixels`.
      num_compared: Number of generated images behind the shares.
      num_references: Number of training images that were searched.
      memorized: Share of generated images that nearly repeat one of them; see
        `metrics.memorization`.
      authentic: Share of authentic generated images.
    """

    samples: np.ndarray
    neighbours: np.ndarray
    distances: np.ndarray
    by: str
    why_pixels: str
    num_compared: int
    num_references: int
    memorized: float
    authentic: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prd:
    """A PRD curve with its provenance in short.

    Attributes:
      precision: float64 [n].
      recall: float64 [n].
      f8: F-score that favours recall.
      f1_8: F-score that favours precision.
      extractor: Name of the extractor.
      num_images: Number of images of each kind.
    """

    precision: np.ndarray
    recall: np.ndarray
    f8: float
    f1_8: float
    extractor: str
    num_images: int


def compared(
    sampler: Sampler, dataset: Dataset, extractor: Extractor | None, why_pixels: str
) -> Compared:
    """Draws images, and reads training images to compare them with.

    Args:
      sampler: The generator.
      dataset: The data set.
      extractor: Extractor of the features to compare; None = pixels.
      why_pixels: A sentence that says why there is no extractor.

    Raises:
      UserError: The data set cannot be read.
    """
    height, width, _ = sampler.image_shape
    count = min(max(_LEAST_COMPARED, _PIXELS // (height * width)), _MOST_COMPARED)
    fake, _ = sampler.sample(count, SEED)
    batches = eval_batches(dataset, "train", 256, num_examples=_REFERENCES * count)
    real = np.concatenate([as_uint8(images) for images, _ in batches])
    if extractor is None:
        return Compared(
            fake=fake, real=real, fake_vectors=fake, real_vectors=real, by="pixels",
            why_pixels=why_pixels,
        )  # fmt: skip
    fake_features, real_features = (_features(extractor, images) for images in (fake, real))
    return Compared(
        fake=fake,
        real=real,
        fake_vectors=fake_features,
        real_vectors=real_features,
        by=f"features of {extractor.name}",
        extractor=extractor.name,
    )


def _features(extractor: Extractor, images: np.ndarray) -> np.ndarray:
    starts = range(0, len(images), 100)
    return np.concatenate([extractor(images[start : start + 100])[0] for start in starts])


def as_uint8(images: np.ndarray) -> np.ndarray:
    """Images of a source, uint8 or float in [0, 1], as uint8."""
    if images.dtype == np.uint8:
        return images
    return np.round(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)


def find_neighbours(sets: Compared) -> Neighbours:
    """The nearest training images of the first generated ones, and shares over all of them."""
    k = min(_NEIGHBOURS, len(sets.real))
    distances, places = nearest_neighbours(sets.fake_vectors[:_PICTURED], sets.real_vectors, k)
    memorized, authentic = memorization(sets.fake_vectors, sets.real_vectors)
    return Neighbours(
        samples=shrunk(sets.fake[:_PICTURED]),
        neighbours=shrunk(sets.real[places]),
        distances=distances,
        by=sets.by,
        why_pixels=sets.why_pixels,
        num_compared=len(sets.fake),
        num_references=len(sets.real),
        memorized=memorized,
        authentic=authentic,
    )


def measure_prd(sets: Compared) -> Prd:
    """The PRD curve of generated and training images.

    Raises:
      AbsentError: There are no features, or too few images.
    """
    if not sets.extractor:
        raise AbsentError(f"It compares features. {sets.why_pixels}")
    count = min(len(sets.fake), len(sets.real))
    if count < _LEAST_FOR_PRD:
        raise AbsentError(
            f"It takes {_LEAST_FOR_PRD} images of each kind, and {count} are compared here."
        )
    curve = prd_curve(sets.real_vectors, sets.fake_vectors, num_angles=201)
    return Prd(
        precision=curve.precision,
        recall=curve.recall,
        f8=curve.f_beta(8),
        f1_8=curve.f_beta(1 / 8),
        extractor=sets.extractor,
        num_images=count,
    )
