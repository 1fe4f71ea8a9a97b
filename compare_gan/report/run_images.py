"""The images on the page of a run: samples, their evolution, interpolations, training images."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

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
_BYTES_OF_FRAMES = 2_000_000
_LARGEST_SIDE = 128  # Of an image on the page, in pixels; of a frame, half as much.
SEED = 0
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
    images, _ = sampler.sample(count, SEED, labels)
    return Rows(
        images=shrunk(images.reshape(-1, COLUMNS, *images.shape[1:])),
        names=() if classes is None else row_names(sampler.class_names, classes),
        step=step,
        origin=f"Drawn from the checkpoint of step {step:,} (seed {SEED}).",
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
    images, labels = interpolated_images(sampler, _INTERPOLATIONS, _STEPS, seed=SEED)
    way = "arcs" if sampler.distribution.is_normal else "straight lines"
    return Rows(
        images=shrunk(images),
        names=() if labels is None else row_names(sampler.class_names, labels),
        step=step,
        origin=f"From one latent to another on {way}, step {step:,}.",
    )
