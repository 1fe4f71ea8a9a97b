"""Pictures of what a generator makes: grids and interpolations."""

import numpy as np

from compare_gan.errors import UserError, unknown_name
from compare_gan.evaluation.sampling import (
    generate,
    refresh_standing_statistics,
    sample_images,
    sample_latents,
)
from compare_gan.report import grids

_ROWS = 10


def sample_grid(
    generator,
    z_dim: int,
    num_classes: int | None,
    class_names=None,
    *,
    columns: int = 10,
    seed: int = 0,
    truncation: float = 1.0,
    classes=None,
) -> np.ndarray:
    """A grid of samples: one class a row, or ten rows without classes.

    Args:
      generator: Called as `generator((z, y), training=False)`; gives images in [0, 1].
      z_dim: Dimension of the latent.
      num_classes: Classes of the generator; None for an unconditional one.
      class_names: Names to write before the rows; numbers if None.
      columns: Images a row.
      seed: Of the latents.
      truncation: See `sampling.sample_latents`.
      classes: The rows' classes; the first ten if None.

    Returns:
      uint8 [height, width, channels].
    """
    if num_classes is None:
        num = _ROWS * columns
        images, _ = sample_images(generator, num, num, z_dim, None, seed, truncation=truncation)
        return grids.image_grid(images, columns)
    classes = list(range(min(_ROWS, num_classes))) if classes is None else list(classes)
    labels = np.repeat(np.array(classes), columns)
    images, _ = sample_images(
        generator, len(labels), len(labels), z_dim, num_classes, seed, labels, truncation=truncation
    )
    return grids.class_grid(np.split(images, len(classes)), row_names(class_names, classes))


def row_names(class_names, classes) -> list[str]:
    """What to write before the rows of a grid: the classes' names, else their numbers."""
    return [str(class_names[i]) if class_names is not None else str(i) for i in classes]


def find_class(model, name: str | None) -> int | None:
    """The number of a class given by name or number; None stays None.

    Raises:
      UserError: The model has no such class, or no classes.
    """
    if name is None:
        return None
    if model.num_classes is None:
        raise UserError(f"This model is unconditional: it cannot draw the class '{name}'.")
    names = model.class_names or []
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < model.num_classes:
        return int(name)
    raise unknown_name("class", name, [*names, f"0…{model.num_classes - 1}"])


def write_grid(model, path: str, columns: int, *, seed=0, truncation=1.0, label=None) -> str:
    """Writes a grid of samples of a `TrainedModel`, one class a row; returns `path`."""
    picture = sample_grid(
        model.generator,
        model.z_dim,
        model.num_classes,
        model.class_names,
        columns=columns,
        seed=seed,
        truncation=truncation,
        classes=None if label is None else [label],
    )
    grids.save_png(picture, path)
    return path


def write_interpolation(
    model, path: str, rows: int, columns: int, *, seed=0, truncation=1.0, label=None
) -> str:
    """Writes rows of images between two latents each, left to right; returns `path`.

    Each row keeps its class, the classes taking turns from row to row unless `label` names one.
    """
    ends = sample_latents(2 * rows, model.z_dim, seed, truncation).reshape(rows, 2, model.z_dim)
    weight = np.linspace(0.0, 1.0, columns, dtype=np.float32)[None, :, None]
    z = ends[:, :1] * (1 - weight) + ends[:, 1:] * weight
    labels = None
    if model.num_classes is not None:
        classes = np.arange(rows) % model.num_classes if label is None else np.full([rows], label)
        labels = np.repeat(classes, columns)
    refresh_standing_statistics(
        model.generator, model.z_dim, model.num_classes, truncation=truncation
    )
    images = generate(model.generator, z.reshape(-1, model.z_dim), labels, model.num_classes)
    if labels is None:
        picture = grids.image_grid(images, columns)
    else:
        picture = grids.class_grid(
            np.split(images, rows), row_names(model.class_names, labels[::columns])
        )
    grids.save_png(picture, path)
    return path
