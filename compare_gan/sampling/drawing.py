"""Pictures of generated images: grids and interpolations."""

from collections.abc import Iterable

import numpy as np

from compare_gan.metrics.path_length import lerp, slerp
from compare_gan.plots import grids
from compare_gan.sampling.classes import find_classes, row_names
from compare_gan.sampling.numbered import numbered_labels
from compare_gan.sampling.sampler import Sampler

_ROWS = 10


def sample_grid(
    sampler: Sampler,
    *,
    columns: int = 10,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> np.ndarray:
    """Draws a grid of images: one class per row, or ten rows without classes.

    Example:
      >>> from compare_gan.sampling import Sampler, sample_grid
      >>> def network(inputs, training):
      ...     return inputs[0][:, :, None, None] ** 2
      >>> picture = sample_grid(Sampler(network, z_dim=4, image_shape=(4, 1, 1)), columns=3)
      >>> picture.dtype, picture.ndim
      (dtype('uint8'), 3)

    Args:
      sampler: Sampler that draws the images.
      columns: Images per row.
      seed: Seed of the latents.
      classes: Names or numbers of the classes of the rows; the first ten if None.

    Returns:
      uint8 [height, width, channels].
    """
    return sample_grid_and_images(sampler, columns=columns, seed=seed, classes=classes)[0]


def sample_grid_and_images(
    sampler: Sampler,
    *,
    columns: int = 10,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """As `sample_grid`, and the images in it as well, uint8 [n, H, W, C].

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.drawing import sample_grid_and_images
      >>> def network(inputs, training):
      ...     return inputs[0][:, :, None, None] ** 2
      >>> sampler = Sampler(network, z_dim=4, image_shape=(4, 1, 1))
      >>> sample_grid_and_images(sampler, columns=3)[1].shape
      (30, 4, 1, 1)
    """
    chosen = find_classes(sampler, classes)
    if sampler.num_classes is None:
        num = _ROWS * columns
        images, _ = sampler.sample(num, seed, batch_size=num)
        return grids.image_grid(images, columns), images
    chosen = chosen or list(range(min(_ROWS, sampler.num_classes)))
    labels = np.repeat(chosen, columns)
    images, _ = sampler.sample(len(labels), seed, labels, batch_size=len(labels))
    rows = np.split(images, len(chosen))
    return grids.class_grid(rows, row_names(sampler.class_names, chosen)), images


def write_grid(
    sampler: Sampler,
    path: str,
    columns: int,
    *,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> str:
    """Writes a grid of images as PNG: see `sample_grid`.

    Args:
      sampler: Sampler that draws the images.
      path: File to write.
      columns: Images per row.
      seed: Seed of the latents.
      classes: Names or numbers of the classes of the rows; the first ten if None.

    Returns:
      `path`.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.sampling import Sampler, write_grid
      >>> def network(inputs, training):
      ...     return inputs[0][:, :, None, None] ** 2
      >>> sampler = Sampler(network, z_dim=4, image_shape=(4, 1, 1))
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     os.path.basename(write_grid(sampler, os.path.join(folder, "grid.png"), columns=3))
      'grid.png'
    """
    picture = sample_grid(sampler, columns=columns, seed=seed, classes=classes)
    grids.save_png(picture, path)
    return path


def write_interpolation(
    sampler: Sampler,
    path: str,
    rows: int,
    columns: int,
    *,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> str:
    """Writes rows of images, each from one latent on the left to another on the right, as PNG.

    All images of a row have the same class; classes take turns from row to row. Normal latents are
    interpolated on arcs: on a straight line those in the middle would be shorter than any that the
    generator has seen, and images wash out. Other latents are interpolated on straight lines.

    Args:
      sampler: Sampler that draws the images.
      path: File to write.
      rows: Number of rows.
      columns: Images per row.
      seed: Seed of the latents at both ends.
      classes: Names or numbers of the classes that take turns; None = all.

    Returns:
      `path`.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.sampling import Sampler, write_interpolation
      >>> def network(inputs, training):
      ...     return inputs[0][:, :, None, None] ** 2
      >>> sampler = Sampler(network, z_dim=4, image_shape=(4, 1, 1))
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "interpolation.png")
      ...     os.path.basename(write_interpolation(sampler, path, rows=2, columns=5))
      'interpolation.png'
    """
    images, labels = interpolated_images(sampler, rows, columns, seed=seed, classes=classes)
    if labels is None:
        picture = grids.image_grid(images.reshape(-1, *images.shape[2:]), columns)
    else:
        picture = grids.class_grid(list(images), row_names(sampler.class_names, labels))
    grids.save_png(picture, path)
    return path


def interpolated_images(
    sampler: Sampler,
    rows: int,
    columns: int,
    *,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """The images of `write_interpolation`.

    Returns:
      uint8 [rows, columns, H, W, C], and the class of each row, int32 [rows]; None for an
      unconditional generator.

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.drawing import interpolated_images
      >>> def network(inputs, training):
      ...     return inputs[0][:, :, None, None] ** 2
      >>> sampler = Sampler(network, z_dim=4, image_shape=(4, 1, 1))
      >>> images, labels = interpolated_images(sampler, rows=2, columns=5)
      >>> images.shape, labels
      ((2, 5, 4, 1, 1), None)
    """
    ends = sampler.draw_z(2 * rows, seed).reshape(rows, 2, sampler.z_dim)
    first, last = (np.repeat(each, columns, axis=0) for each in (ends[:, 0], ends[:, 1]))
    between = slerp if sampler.distribution.is_normal else lerp
    z = between(first, last, np.tile(np.linspace(0.0, 1.0, columns), rows))
    row_labels = numbered_labels(sampler, range(rows), classes)
    labels = None if row_labels is None else np.repeat(row_labels, columns)
    sampler.prepare()
    images = sampler.generate(z, labels)
    return images.reshape(rows, columns, *images.shape[1:]), row_labels
