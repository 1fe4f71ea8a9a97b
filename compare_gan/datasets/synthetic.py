"""Data sets made by the program: shapes that can be learned, and plain noise."""

import gin
import numpy as np
import tensorflow as tf

from compare_gan.datasets.sources import ArraySource, DecodingSource, Source

_SHAPES = 4


@gin.configurable("synthetic")
def load_synthetic(
    image_size: int | None = None,
    num_examples: int = 1000,
    num_classes: int = 4,
    channels: int = 3,
) -> Source:
    """Shapes of one kind and colour a class, in any place and size; for tests.

    Args:
      image_size: Height and width; 32 if None.
      num_examples: Images of each of the splits `train` and `test`.
      num_classes: Discs, squares, diamonds and rings take turns, each in a colour of its own.
      channels: 3, or 1 for shapes of different brightness.
    """
    size = image_size or 32
    splits = {}
    for seed, split in enumerate(("train", "test")):
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(num_examples) % num_classes)
        splits[split] = _draw_shapes(rng, labels, size, num_classes, channels), labels
    return ArraySource.from_arrays(splits, eval_split="test", num_classes=num_classes)


def _draw_shapes(rng, labels, size: int, num_classes: int, channels: int) -> np.ndarray:
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
    turn = 2 * np.pi * labels[:, None] / num_classes
    if channels == 3:
        colours = 155 + 100 * np.cos(turn + 2 * np.pi * np.arange(3) / 3)
    else:
        colours = 100 + 155 * (labels[:, None] + 1) / num_classes
    return (inside[..., None] * colours[:, None, None, :]).astype(np.uint8)


def make_noise(
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    eval_split: str,
    images_per_class: int = 100,
) -> Source:
    """Uniform noise in the shape of a data set, its classes taking turns; 1,000 images at least."""
    count = max(1000, images_per_class * (num_classes or 0))
    labels = np.full([count], -1) if num_classes is None else np.arange(count) % num_classes
    splits = {"train", eval_split}

    def load(split: str, index: tf.Tensor) -> tf.Tensor:
        seed = tf.stack([index, tf.constant(split == "train", tf.int64)])
        return tf.cast(tf.random.stateless_uniform(image_shape, seed, 0, 256, tf.int32), tf.uint8)

    return DecodingSource(
        image_shape,
        splits=dict.fromkeys(splits, count),
        eval_split=eval_split,
        num_classes=num_classes,
        load=load,
        true_labels=dict.fromkeys(splits, labels.astype(np.int32)),
    )
