"""A data set of the images of one `.npz` file."""

import logging
from typing import Any

import numpy as np

from compare_gan.datasets import decoding, sources
from compare_gan.datasets.image_source import DecodingSource, Preparation
from compare_gan.datasets.npz_images import checked, choose_arrays, require_arrays
from compare_gan.datasets.sources import ArraySource, Source, no_labels
from compare_gan.folders import EVERYTHING, ClassChoice
from compare_gan.folders.arrangement import describe_classes

_log = logging.getLogger(__name__)


def load_npz(
    path: str,
    channels: int | None = None,
    image_size: int | None = None,
    crop: str = "middle",
    resample: str = "bilinear",
    choice: ClassChoice = EVERYTHING,
) -> Source:
    """The images of an `.npz` file as a data set with the split `train`.

    Args:
      path: The file, see `npz_images.open_arrays`.
      channels: 1 (gray) or 3 (colour), to which the images are converted; None = as they are.
      image_size: Size to which images are cropped and resized; None = neither.
      crop: See `Preparation`.
      resample: See `Preparation`.
      choice: The classes to take. Images keep their index in the file as key of label files.

    Raises:
      UserError: The file is damaged, holds no images, images or labels of another form, or no such
        classes as were chosen.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets.npz_source import load_npz
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.npz")
      ...     np.savez(path, images=np.zeros([2, 8, 8, 3], np.uint8), labels=np.array([1, 0]))
      ...     source = load_npz(path)
      >>> source.image_shape, source.num_classes
      ((8, 8, 3), 2)
    """
    arrays = require_arrays(path)
    images, labels = checked(path, arrays.images, arrays.labels)
    chosen = choose_arrays(path, labels, arrays.class_names, choice, len(images))
    height, width = (image_size, image_size) if image_size else images.shape[1:3]
    shape = (int(height), int(width), channels or int(images.shape[3]))
    preparation = Preparation(shape, image_size, crop=crop, resample=resample)
    rows, labels, names = chosen.rows, chosen.labels, chosen.class_names
    num_classes = None if labels is None else len(names or ()) or int(labels.max()) + 1 or None

    def read(index: int) -> np.ndarray:
        pixels = np.asarray(images[rows[index]])
        pixels = decoding.to_channels(
            pixels[..., 0] if pixels.shape[-1] == 1 else pixels, shape[-1]
        )
        return preparation.fit(pixels)

    def read_all() -> np.ndarray:
        return np.stack([read(i) for i in range(len(rows))])

    if num_classes and labels is not None:
        counts = np.bincount(labels[labels >= 0], minlength=num_classes).tolist()
        classes = describe_classes(names, counts)
    else:
        classes = "no classes"
    left_out = f"; left out: {', '.join(chosen.left_out)}" if chosen.left_out else ""
    _log.info("'%s': %s images, %s%s.", path, f"{len(rows):,}", classes, left_out)
    true_labels = no_labels(len(rows)) if labels is None else labels
    attributes: dict[str, Any] = dict(
        image_shape=shape,
        splits={"train": len(rows)},
        example_keys=None if choice.is_everything else lambda split: list(map(str, rows.tolist())),
        num_classes=num_classes,
        class_names=names if num_classes else None,
        true_labels={"train": true_labels},
    )
    if len(rows) * np.prod(shape) > sources.MEMORY_LIMIT:
        return DecodingSource(load_array=lambda split, i: read(i), **attributes)
    return ArraySource(images={"train": read_all}, **attributes)
