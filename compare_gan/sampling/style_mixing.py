"""Mixtures of styles: coarse layers of one image, fine layers of another (StyleGAN2)."""

from collections.abc import Iterable

import numpy as np

from compare_gan.errors import UserError, check_positive_integer
from compare_gan.plots import grids
from compare_gan.sampling.numbered import numbered_labels
from compare_gan.sampling.sampler import Sampler
from compare_gan.sampling.styles import check_styles, images_of_styles, styles_of

_BLANK = 255


def write_style_mixtures(
    sampler: Sampler,
    path: str,
    rows: int,
    columns: int,
    *,
    layers: int = 4,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> str:
    """Writes a table of style mixtures as PNG; see `style_mixtures`.

    Returns:
      `path`.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.architectures import stylegan2
      >>> from compare_gan.sampling import Sampler, write_style_mixtures
      >>> network = stylegan2.Generator((8, 8, 1), ch=2, mapping_layers=1)
      >>> sampler = Sampler(network, z_dim=4, image_shape=(8, 8, 1))
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "mixtures.png")
      ...     os.path.basename(write_style_mixtures(sampler, path, rows=1, columns=2, layers=2))
      'mixtures.png'
    """
    table = style_mixtures(sampler, rows, columns, layers=layers, seed=seed, classes=classes)
    grids.save_png(grids.image_grid(table.reshape(-1, *table.shape[2:]), columns + 1), path)
    return path


def style_mixtures(
    sampler: Sampler,
    rows: int,
    columns: int,
    *,
    layers: int = 4,
    seed: int = 0,
    classes: Iterable[str | int] | None = None,
) -> np.ndarray:
    """A table of images with the first layers' styles of one image and the others of another.

    The first column has the images of the coarse styles, the first row those of the fine ones; the
    corner is blank. With classes, those of the sources take turns. The paper calls the styles up to
    8 x 8 pixels, the first four, coarse: pose and shape rather than colour
    (https://arxiv.org/abs/1812.04948).

    Args:
      sampler: Sampler of a generator with `styles` and `synthesize`.
      rows: Number of images with coarse styles.
      columns: Number of images with fine styles.
      layers: Number of layers with coarse styles.
      seed: Seed of the latents.
      classes: Names or numbers of the classes that take turns; None = all.

    Returns:
      uint8 [rows + 1, columns + 1, H, W, C].

    Raises:
      UserError: The generator has no styles, or no more than `layers`.
    """
    check_styles(sampler, "Style mixtures")
    num = rows + columns
    labels = numbered_labels(sampler, range(num), classes)
    styles = styles_of(sampler, sampler.draw_z(num, seed), labels)
    check_positive_integer("layers", layers)
    if layers >= styles.shape[1]:
        raise UserError(
            f"Style mixtures of a generator with {styles.shape[1]} styles need fewer coarse layers "
            f"than that, received {layers}."
        )
    coarse, fine = styles[:rows], styles[rows:]
    mixed = np.repeat(coarse[:, None], columns, axis=1)
    mixed[:, :, layers:] = fine[None, :, layers:]
    images = images_of_styles(
        sampler, np.concatenate([styles, mixed.reshape(-1, *styles.shape[1:])])
    )
    table = np.full((rows + 1, columns + 1, *images.shape[1:]), _BLANK, np.uint8)
    table[1:, 0], table[0, 1:] = images[:rows], images[rows : rows + columns]
    table[1:, 1:] = images[rows + columns :].reshape(rows, columns, *images.shape[1:])
    return table
