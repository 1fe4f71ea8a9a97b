"""Computed images: shapes that can be learned, and plain noise."""

from __future__ import annotations

import dataclasses

import gin
import numpy as np

from compare_gan.datasets import random
from compare_gan.datasets.image_source import DecodingSource
from compare_gan.datasets.lazy import tf
from compare_gan.datasets.sources import ArraySource, Source

_SHAPES = 4


@gin.configurable("synthetic")
@dataclasses.dataclass(frozen=True)
class SyntheticOptions:
    """Options of the data set `synthetic` (gin scope `synthetic`).

    Attributes:
      num_examples: Number of images in each of the splits `train` and `test`.
      num_classes: Number of classes: discs, squares, diamonds and rings in turn, each class in a
        colour of its own.
      channels: 3, or 1 for shapes of different brightness.
    """

    num_examples: int = 1000
    num_classes: int = 4
    channels: int = 3


def load_synthetic(options: SyntheticOptions, image_size: int | None = None) -> Source:
    """Shapes at random positions and sizes, with one shape and colour per class; for tests.

    Args:
      options: Number of examples, classes and channels.
      image_size: Height and width; 32 if None.

    Example:
      >>> from compare_gan.datasets.synthetic import SyntheticOptions, load_synthetic
      >>> source = load_synthetic(SyntheticOptions(num_examples=6, num_classes=2), image_size=8)
      >>> source.image_shape, source.splits
      ((8, 8, 3), {'train': 6, 'test': 6})
    """
    size = image_size or 32
    splits = {}
    for seed, split in enumerate(("train", "test")):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(options.num_examples) % options.num_classes)
        splits[split] = _draw_shapes(rng, labels, size, options), labels
    return ArraySource.from_arrays(splits, eval_split="test", num_classes=options.num_classes)


def _draw_shapes(
    rng: np.random.Generator, labels: np.ndarray, size: int, options: SyntheticOptions
) -> np.ndarray:
    n = len(labels)
    radius = rng.uniform(0.15, 0.3, [n, 1, 1]) * size
    x, y = rng.uniform(0.35, 0.65, [2, n, 1, 1]) * size
    dx = np.abs(np.arange(size)[None, None, :] + 0.5 - x)
    dy = np.abs(np.arange(size)[None, :, None] + 0.5 - y)
    distance = np.hypot(dx, dy)
    inside = np.select(
        [(labels % _SHAPES == kind)[:, None, None] for kind in range(_SHAPES)],
        [
            distance < radius,
            np.maximum(dx, dy) < radius,
            dx + dy < radius,
            (distance < radius) & (distance > 0.6 * radius),
        ],
    )
    turn = 2 * np.pi * labels[:, None] / options.num_classes
    if options.channels == 3:
        colours = 155 + 100 * np.cos(turn + 2 * np.pi * np.arange(3) / 3)
    else:
        colours = 100 + 155 * (labels[:, None] + 1) / options.num_classes
    return (inside[..., None] * colours[:, None, None, :]).astype(np.uint8)


def make_noise(
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    eval_split: str,
    images_per_class: int = 100,
) -> Source:
    """Uniform noise in the shape of a data set, at least 1,000 images, with its classes in turn.

    Args:
      image_shape: (H, W, C).
      num_classes: Number of classes; None for images without labels.
      eval_split: Name of the evaluation split, in addition to `train`.
      images_per_class: Least number of images of each class in a split.

    Example:
      >>> from compare_gan.datasets.synthetic import make_noise
      >>> noise = make_noise((8, 8, 1), num_classes=2, eval_split="test")
      >>> noise.labels("test")[:4].tolist()
      [0, 1, 0, 1]
    """
    count = max(1000, images_per_class * (num_classes or 0))
    labels = np.full([count], -1) if num_classes is None else np.arange(count) % num_classes
    splits = {"train", eval_split}

    def load_tensor(split: str, index: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([index, tf.constant(split == "train", tf.int64)])
        return tf.cast(tf.random.stateless_uniform(image_shape, seed, 0, 256, tf.int32), tf.uint8)

    def load_array(split: str, index: int) -> np.ndarray:
        return random.integers(image_shape, (index, split == "train"), 0, 256).astype(np.uint8)

    return DecodingSource(
        image_shape,
        splits=dict.fromkeys(splits, count),
        eval_split=eval_split,
        num_classes=num_classes,
        load_tensor=load_tensor,
        load_array=load_array,
        true_labels=dict.fromkeys(splits, labels.astype(np.int32)),
    )
