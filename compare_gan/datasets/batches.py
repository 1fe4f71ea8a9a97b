"""Batches of a data set: for training with everything random, for evaluation in a fixed order."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.latents import UNIFORM, LatentDistribution
from compare_gan.datasets.layout import Layout
from compare_gan.datasets.sources import on_host, with_fixed_threads
from compare_gan.errors import UserError

# Nothing here branches on tensors, and AutoGraph would take seconds to find that out.
_plain = tf.autograph.experimental.do_not_convert


def train_batches(
    dataset: Dataset,
    *,
    batch_size: int,
    disc_iters: int,
    z_dim: int,
    latents: LatentDistribution = UNIFORM,
    seed: int,
    start_step: int = 0,
    fit_label_distribution: bool = False,
    num_replicas: int = 1,
    replica_ids: Sequence[int] = (0,),
) -> tf.data.Dataset:
    """The batches of training: one element per generator step for each of `replica_ids`.

    Everything random depends only on (seed, step): any number of replicas shares the same numbers,
    and a run that starts at `start_step` continues exactly like one that trained up to it. Batches
    may be larger than the data set; examples then repeat.

    Args:
      dataset: The data set.
      batch_size: Batch size, over all replicas.
      disc_iters: Number of discriminator steps in a generator step.
      z_dim: Dimension of the latent.
      latents: Distribution of the latents.
      seed: The run's seed.
      start_step: The first generator step.
      fit_label_distribution: Whether `fake_labels` are drawn with the frequencies of the shown
        labels (a soft label counts as its most probable class); False = uniformly.
      num_replicas: Number of replicas.
      replica_ids: Ids of the replicas that this pipeline feeds.

    Returns:
      An endless dataset of dicts. Each entry has the leading axes [disc_iters + 1, b], b =
      batch_size / num_replicas:
        images: uint8 [.., H, W, C], or float in [0, 1] if the source is float;
        labels: float32 [.., num_classes], one-hot or soft, a row of zeros if the label is hidden or
          absent; only if there are classes;
        fake_labels: float32 [.., num_classes], one-hot; only if there are classes;
        z: float32 [.., z_dim];
        seed: int32 [disc_iters + 1, 2], the same on every replica.

    Raises:
      UserError: `num_replicas` does not divide `batch_size`, or there is no label to fit.

    Example:
      >>> from compare_gan import datasets
      >>> dataset = datasets.get_dataset("synthetic", num_examples=20, image_size=8)
      >>> batches = datasets.train_batches(dataset, batch_size=4, disc_iters=2, z_dim=5, seed=0)
      >>> batch = next(batches.as_numpy_iterator())
      >>> batch["images"].shape, batch["labels"].shape, batch["z"].shape
      ((3, 4, 8, 8, 3), (3, 4, 4), (3, 4, 5))
    """
    layout = Layout(batch_size, disc_iters + 1, num_replicas, tuple(replica_ids), start_step)
    classes = dataset.num_classes
    labels = None
    replaced = dataset.given_mask is not None or dataset.inferred is not None
    if classes and (replaced or fit_label_distribution):
        labels = dataset.shown_labels
    shown_classes = _shown_classes(dataset) if fit_label_distribution and classes else None

    @_plain
    def draw(step: tf.Tensor, replica: tf.Tensor) -> dict[str, tf.Tensor]:
        keys = tf.random.split(tf.stack([tf.constant(seed, tf.int64), step]), 3)
        whole = [layout.sub_batches, batch_size]
        entries = {
            "z": layout.own_rows(latents.draw([*whole, z_dim], keys[0]), replica),
            "seed": tf.random.stateless_uniform(
                [layout.sub_batches, 2], keys[1], None, None, tf.int32
            ),
        }
        if classes:
            limit = classes if shown_classes is None else tf.size(shown_classes)
            fake = tf.random.stateless_uniform(whole, keys[2], 0, limit, tf.int32)
            fake = fake if shown_classes is None else tf.gather(shown_classes, fake)
            entries["fake_labels"] = tf.one_hot(layout.own_rows(fake, replica), classes)
        return entries

    @_plain
    def assemble(
        drawn: dict[str, tf.Tensor], examples: tuple[tf.Tensor, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        images, labels = examples
        lead = [layout.sub_batches, layout.rows]
        batch = drawn | {"images": tf.reshape(_pad(images, dataset), [*lead, *dataset.image_shape])}
        if classes:
            labels = labels if labels.dtype.is_floating else tf.one_hot(labels, classes)
            batch["labels"] = tf.reshape(labels, [*lead, classes])
        return batch

    drawn = layout.turns().map(draw, tf.data.AUTOTUNE)
    examples = dataset.source.training(layout, (seed, dataset.seed), labels)
    batches = tf.data.Dataset.zip(drawn, examples).map(assemble)
    return with_fixed_threads(batches.prefetch(2))


def eval_batches(
    dataset: Dataset,
    split: str,
    batch_size: int,
    num_examples: int | None = None,
    shown_only: bool = False,
) -> tf.data.Dataset:
    """Images for evaluation and pictures, each once, always in the same order.

    The order is one fixed permutation (for streams, the order of the files), so that the first few
    images come from all classes.

    Args:
      dataset: The data set.
      split: One of `dataset.splits`.
      batch_size: Size of every batch but the last.
      num_examples: Number of examples; all if None or greater than the split.
      shown_only: Whether to yield the shown labels of the split `train`: given labels, -1 if they
        are hidden, or inferred labels. By default the labels are the true ones.

    Returns:
      A finite dataset of pairs: images uint8 [<= batch_size, H, W, C] (float if the source is),
      labels int32 [<= batch_size], -1 for no label; a soft label becomes its most probable class.

    Raises:
      UserError: There is no such split.

    Example:
      >>> from compare_gan import datasets
      >>> dataset = datasets.get_dataset("synthetic", num_examples=5, image_size=8)
      >>> [len(images) for images, labels in datasets.eval_batches(dataset, "test", batch_size=2)]
      [2, 2, 1]
    """
    dataset.check_split(split)
    size = dataset.splits[split]
    count = size if num_examples is None else min(num_examples, size)
    labels = to_hard_labels(dataset.shown_labels) if shown_only and split == "train" else None
    examples = dataset.source.evaluation(split, batch_size, count, labels)
    pad = _plain(lambda images, labels: (_pad(images, dataset), labels))
    return with_fixed_threads(examples.map(pad).prefetch(2))


def _shown_classes(dataset: Dataset) -> tf.Tensor:
    """The class of each training example with a shown label, int32 [n]."""
    labels = to_hard_labels(dataset.shown_labels)
    if not (labels >= 0).any():
        raise UserError(
            f"fit_label_distribution is True, but no training image of '{dataset.name}' has a "
            "label."
        )
    return on_host(labels[labels >= 0])


def as_arrays(
    dataset: Dataset, split: str = "train", num_examples: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a split in memory, in the order of `eval_batches`.

    Args:
      dataset: The data set.
      split: One of `dataset.splits`.
      num_examples: Number of examples; all if None or greater than the split.

    Returns:
      Images uint8 [n, H, W, C] (float if the source is), labels int32 [n], -1 for no label.

    Raises:
      UserError: There is no such split.

    Example:
      >>> from compare_gan import datasets
      >>> images, labels = datasets.as_arrays(datasets.get_dataset("fashion_mnist_10k"))
      >>> images.shape, images.dtype, labels.shape
      ((10000, 28, 28, 1), dtype('uint8'), (10000,))
    """
    batches = eval_batches(dataset, split, 256, num_examples).as_numpy_iterator()
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _pad(images: tf.Tensor, dataset: Dataset) -> tf.Tensor:
    before_after = [(0, 0)]
    for old, new in zip(dataset.source.image_shape, dataset.image_shape, strict=True):
        before_after.append(((new - old) // 2, (new - old + 1) // 2))
    return tf.pad(images, before_after) if dataset.pad_to else images
