"""The images on the page of a run: samples, their evolution, interpolations, neighbours, PRD."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

from compare_gan.datasets import Dataset, eval_batches
from compare_gan.metrics import memorization, nearest_neighbours, prd_curve
from compare_gan.metrics.extractors import Extractor
from compare_gan.plots import cut_grid, image_grid
from compare_gan.report.absent import AbsentError
from compare_gan.sampling import Sampler
from compare_gan.sampling.classes import row_names
from compare_gan.sampling.drawing import interpolated_images
from compare_gan.training.restored import Description
from compare_gan.training.run_dir import RunDir

ROWS, COLUMNS = 10, 10
MOST_FRAMES = 24  # Of the evolution.
_INTERPOLATIONS, _STEPS = 8, 10
_PICTURED, _NEIGHBOURS = 12, 6
_BYTES_OF_FRAMES = 2_000_000
_LARGEST_SIDE = 128  # Of an image on the page, in pixels; of a frame, half as much.
_PIXELS = 1024 * 1024  # Of all generated images that are compared with training images.
_REFERENCES = 10  # Training images for each generated one.
_LEAST_COMPARED, _MOST_COMPARED, _LEAST_FOR_PRD = 100, 1000, 500
_SEED = 0
_FRAME = re.compile(r"step_(\d+)\.png")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of images.

    Attributes:
      images: uint8 [rows, columns, H, W, C].
      names: Name of the class of each row, or none at all.
      step: Step of the generator; None for real images.
      origin: A sentence that says where the images come from.
    """

    images: np.ndarray
    names: Sequence[str]
    step: int | None
    origin: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evolution:
    """Samples of fixed latents at several steps.

    Attributes:
      steps: The steps.
      frames: uint8 [steps, rows, columns, H, W, C].
      names: Name of the class of each row, or none at all.
      available: Number of steps with a stored grid.
    """

    steps: Sequence[int]
    frames: np.ndarray
    names: Sequence[str]
    available: int


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


def shrunk(images: np.ndarray, most: int = _LARGEST_SIDE) -> np.ndarray:
    """Images reduced by a whole number, so that no side exceeds `most` pixels by much.

    Args:
      images: uint8 [..., H, W, C].
      most: Number of pixels.

    Example:
      >>> import numpy as np
      >>> from compare_gan.report.run_images import shrunk
      >>> shrunk(np.zeros((2, 3, 256, 256, 3), np.uint8), most=64).shape
      (2, 3, 64, 64, 3)
    """
    factor = -(-max(images.shape[-3:-1]) // most)
    if factor == 1:
        return images
    height, width, channels = images.shape[-3:]
    small = [
        np.asarray(Image.fromarray(each.squeeze(-1) if channels == 1 else each).reduce(factor))
        for each in images.reshape(-1, height, width, channels)
    ]
    size = small[0].shape[:2]
    return np.reshape(small, (*images.shape[:-3], *size, channels))


def draw_samples(sampler: Sampler, step: int) -> Rows:
    """A row of samples for each of the first classes, or as many rows without classes."""
    if sampler.num_classes is None:
        classes, labels = None, None
    else:
        classes = range(min(ROWS, sampler.num_classes))
        labels = np.repeat(classes, COLUMNS)
    count = ROWS * COLUMNS if labels is None else len(labels)
    images, _ = sampler.sample(count, _SEED, labels)
    return Rows(
        images=shrunk(images.reshape(-1, COLUMNS, *images.shape[1:])),
        names=() if classes is None else row_names(sampler.class_names, classes),
        step=step,
        origin=f"Drawn from the checkpoint of step {step:,} (seed {_SEED}).",
    )


def stored_samples(run: RunDir, why: str) -> Rows:
    """The newest stored grid of samples, where none can be drawn.

    Args:
      run: The run.
      why: A sentence that says why.

    Raises:
      AbsentError: There is no grid either.
    """
    grids = _grids(run)
    if not grids:
        raise AbsentError(f"{why} No grid of samples is stored either.")
    step, path = grids[-1]
    origin = f"The stored grid of step {step:,}. {why}"
    return _stored(run, path, step, origin)


def real_images(run: RunDir) -> Rows:
    """The training images that were stored at the start of the run.

    Raises:
      AbsentError: There are none.
    """
    path = os.path.join(run.samples, "real.png")
    if not os.path.exists(path):
        raise AbsentError("The run has no samples/real.png.")
    return _stored(run, path, None, "Training images, stored at the start of the run.")


def read_evolution(run: RunDir) -> Evolution:
    """The stored grids, of equal latents, at up to `MOST_FRAMES` steps.

    Raises:
      AbsentError: There are fewer than two.
    """
    grids = _grids(run)
    if len(grids) < 2:
        raise AbsentError(f"It takes two stored grids of samples, and there are {len(grids)}.")
    places = np.unique(np.linspace(0, len(grids) - 1, MOST_FRAMES).round().astype(int))
    chosen = [grids[i] for i in places]
    rows = [_stored(run, path, step, "") for step, path in chosen]
    image = shrunk(rows[0].images[0, 0], _LARGEST_SIDE // 2)
    most = _BYTES_OF_FRAMES // (len(rows) * image.size)
    columns = min(max(1, most // len(rows[0].images)), COLUMNS)
    lines = max(1, most // columns)
    frames = [shrunk(each.images[:lines, :columns], _LARGEST_SIDE // 2) for each in rows]
    return Evolution(
        steps=[step for step, _ in chosen],
        frames=np.stack(frames),
        names=rows[0].names[:lines],
        available=len(grids),
    )


def _grids(run: RunDir) -> list[tuple[int, str]]:
    """Steps and paths of the stored grids of samples, oldest first."""
    names = os.listdir(run.samples) if os.path.isdir(run.samples) else []
    found = [(match, os.path.join(run.samples, match[0])) for match in map(_FRAME.fullmatch, names)
             if match]  # fmt: skip
    return sorted((int(match[1]), path) for match, path in found)


def _stored(run: RunDir, path: str, step: int | None, origin: str) -> Rows:
    """The images in a stored grid.

    Raises:
      AbsentError: The run does not describe its images, or the file is no such grid.
    """
    description = run.description
    if description is None:
        raise AbsentError("The shape of its images is not known: model.json is missing or damaged.")
    channels = description.image_shape[2]
    try:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
        pixels = pixels.reshape(*pixels.shape[:2], channels)
        images, names = _cut(pixels, description)
    except (OSError, ValueError) as error:
        raise AbsentError(f"'{os.path.basename(path)}' is not a grid of samples.") from error
    return Rows(images=shrunk(images), names=names, step=step, origin=origin)


def _cut(picture: np.ndarray, description: Description) -> tuple[np.ndarray, list[str]]:
    """The images in a stored grid, and the names of its rows if it has any.

    Raises:
      ValueError: It is no grid.
    """
    shape, count = description.image_shape, description.num_classes or 0
    names = row_names(description.class_names, range(min(ROWS, count)))
    if names:
        with contextlib.suppress(ValueError):  # Of few real images, a row may be short.
            return cut_grid(picture, shape, names=names), names
    images = cut_grid(picture, shape, COLUMNS)
    # The margin for names is another one where another version of Pillow has drawn them.
    is_named = picture.shape[1] > image_grid(images[0], COLUMNS).shape[1]
    return images, names if is_named and len(names) == len(images) else []


def interpolate(sampler: Sampler, step: int) -> Rows:
    """Rows of images between two latents; classes take turns."""
    images, labels = interpolated_images(sampler, _INTERPOLATIONS, _STEPS, seed=_SEED)
    way = "arcs" if sampler.distribution.is_normal else "straight lines"
    return Rows(
        images=shrunk(images),
        names=() if labels is None else row_names(sampler.class_names, labels),
        step=step,
        origin=f"From one latent to another on {way}, step {step:,}.",
    )


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
    fake, _ = sampler.sample(count, _SEED)
    batches = eval_batches(dataset, "train", 256, num_examples=_REFERENCES * count)
    real = np.concatenate([_as_uint8(images) for images, _ in batches])
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


def _as_uint8(images: np.ndarray) -> np.ndarray:
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
