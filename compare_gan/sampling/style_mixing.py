"""Mixtures of styles: coarse layers of one image, fine layers of another (StyleGAN2)."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.plots import grids
from compare_gan.sampling.numbered import numbered_labels
from compare_gan.sampling.sampler import Sampler
from compare_gan.types import Tensor

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
    if not hasattr(sampler.network, "styles"):
        raise UserError(
            "Style mixtures need a generator with styles, such as that of stylegan2_arch, received "
            f"one of {getattr(sampler.network, 'family', type(sampler.network).__name__)}."
        )
    styles = _styles(sampler, rows + columns, seed, classes)
    check_positive_integer("layers", layers)
    if layers >= styles.shape[1]:
        raise UserError(
            f"Style mixtures of a generator with {styles.shape[1]} styles need fewer coarse layers "
            f"than that, received {layers}."
        )
    coarse, fine = styles[:rows], styles[rows:]
    mixed = np.repeat(coarse[:, None], columns, axis=1)
    mixed[:, :, layers:] = fine[None, :, layers:]
    images = _synthesize(sampler, np.concatenate([styles, mixed.reshape(-1, *styles.shape[1:])]))
    table = np.full((rows + 1, columns + 1, *images.shape[1:]), _BLANK, np.uint8)
    table[1:, 0], table[0, 1:] = images[:rows], images[rows : rows + columns]
    table[1:, 1:] = images[rows + columns :].reshape(rows, columns, *images.shape[1:])
    return table


def _styles(
    sampler: Sampler, num: int, seed: int, classes: Iterable[str | int] | None
) -> np.ndarray:
    """The styles of the first samples, float32 [num, num_styles, w_dim]."""
    z, labels = sampler.draw_z(num, seed), numbered_labels(sampler, range(num), classes)
    y = None if labels is None else np.eye(sampler.num_classes or 0, dtype=np.float32)[labels]

    def compute(z: Tensor, y: Tensor | None) -> Any:
        return sampler.network.styles(z, y, truncation=sampler.truncation)

    return ops.convert_to_numpy(backend.compiled(compute, _built(sampler, z, y))(z, y))


def _synthesize(sampler: Sampler, styles: np.ndarray) -> np.ndarray:
    def compute(styles: Tensor) -> Tensor:
        images = ops.cast(sampler.network.synthesize(styles), "float32")
        return ops.cast(ops.round(ops.clip(images, 0.0, 1.0) * 255.0), "uint8")

    # One image after the other: any number of them fits into memory.
    generate = backend.compiled(compute, list(sampler.network.variables))
    return np.concatenate([ops.convert_to_numpy(generate(each[None])) for each in styles])


def _built(sampler: Sampler, z: np.ndarray, y: np.ndarray | None) -> list[keras.Variable]:
    """The variables of the network, which is built first if it is not."""
    if not sampler.network.built:
        sampler.network.build((z.shape, None if y is None else y.shape))
    return list(sampler.network.variables)
