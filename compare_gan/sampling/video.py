"""Videos: walks through the latents."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from compare_gan import paths
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.path_length import lerp, slerp
from compare_gan.plots import grids
from compare_gan.sampling.classes import find_classes, row_names
from compare_gan.sampling.numbered import numbered_latents
from compare_gan.sampling.sampler import Sampler

_MOST_CLASSES = 10
_MOST_FRAMES = 50  # In a second: viewers show faster ones slowly.


def closed_walk(points: np.ndarray, frames: int, on_arcs: bool) -> np.ndarray:
    """Latents on a closed walk from point to point, slow near each of them and fast between them.

    The speed falls to 0 at the points, so that the walk is smooth although it turns there.

    Args:
      points: float [n, z_dim], n > 1.
      frames: Number of latents; the first is the first point, the last one comes just before it.
      on_arcs: Whether to walk on arcs, for normal latents: on a straight line those in the middle
        would be shorter than any that the generator has seen.

    Returns:
      float64 [frames, z_dim].

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling.video import closed_walk
      >>> closed_walk(np.array([[0.0], [1.0]]), frames=6, on_arcs=False)[:, 0].round(2).tolist()
      [0.0, 0.26, 0.74, 1.0, 0.74, 0.26]
    """
    leg, rest = np.divmod(np.arange(frames) * len(points), frames)
    t = rest / frames
    between = slerp if on_arcs else lerp
    return between(points[leg], points[(leg + 1) % len(points)], t * t * (3 - 2 * t))


def check_video(path: str, frames: int, duration: float) -> None:
    """Raises UserError if there can be no such video.

    Args:
      path: File to write.
      frames: Number of frames.
      duration: Duration in seconds.
    """
    if not path.lower().endswith(".gif"):
        raise UserError(f"A video is written as GIF: its name must end in .gif, received '{path}'.")
    paths.check_place(path)
    check_positive_integer("frames", frames)
    if frames > _MOST_FRAMES * duration:
        raise UserError(
            f"A GIF shows at most {_MOST_FRAMES} frames per second, received {frames} frames in "
            f"{duration:g} seconds."
        )


def write_video(
    sampler: Sampler,
    path: str,
    numbers: Sequence[int],
    *,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
    frames: int = 120,
    duration: float = 6.0,
) -> str:
    """Writes an endless GIF: a walk from sample to sample and back to the first.

    All classes walk through the same latents at the same time, one in each row. Normal latents are
    on arcs, others on straight lines.

    Args:
      sampler: Sampler that draws the images.
      path: File to write, with the ending `.gif`.
      numbers: Numbers of the samples to pass, at least two; see `numbered`.
      seed: Seed of the sequence of samples.
      classes: Names or numbers of the classes of the rows; the first ten if None.
      frames: Number of frames.
      duration: Duration of the walk in seconds.

    Returns:
      `path`.

    Raises:
      UserError: There are too many frames per second or less than two samples, there is no such
        class, or `path` has another ending.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.sampling import Sampler, write_video
      >>> def network(inputs, training):
      ...     return inputs[0][:, :, None, None] ** 2
      >>> sampler = Sampler(network, z_dim=4, image_shape=(4, 1, 1))
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "walk.gif")
      ...     os.path.basename(write_video(sampler, path, [0, 4], frames=6, duration=1))
      'walk.gif'
    """
    check_video(path, frames, duration)
    chosen = find_classes(sampler, classes)
    if len(set(numbers)) < 2:
        raise UserError(f"A video needs at least two samples to walk between, received {numbers}.")
    # A point between two refined latents would not be refined.
    drawn = dataclasses.replace(sampler, refinement=None)
    points = numbered_latents(drawn, numbers, seed)
    z = closed_walk(points, frames, sampler.distribution.is_normal)
    sampler.prepare()
    if sampler.num_classes is None:
        pictures = [grids.image_grid(image[None], 1) for image in sampler.generate(z)]
    else:
        rows = chosen or list(range(min(_MOST_CLASSES, sampler.num_classes)))
        images = sampler.generate(np.repeat(z, len(rows), axis=0), np.tile(rows, frames))
        names = row_names(sampler.class_names, rows)
        pictures = [
            grids.class_grid(np.split(frame, len(rows)), names)
            for frame in np.split(images, frames)
        ]
    grids.save_gif(pictures, path, duration)
    return path
