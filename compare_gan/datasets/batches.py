"""Batches of a data set: for training with everything random, for evaluation in a fixed order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from compare_gan.datasets.assembly import TrainingBatches
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.latents import UNIFORM, LatentDistribution
from compare_gan.datasets.layout import Layout
from compare_gan.datasets.lazy import tf
from compare_gan.datasets.prefetching import Prefetched
from compare_gan.datasets.sources import Examples


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
    batches = TrainingBatches(dataset, layout, z_dim, latents, seed, fit_label_distribution)
    return batches.as_dataset()


def train_arrays(
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
) -> Prefetched[dict[str, np.ndarray]]:
    """The elements of `train_batches` as arrays, without TensorFlow where the data set needs none.

    Integers, uniform numbers and the pixels of images in memory and PNG files are the same bit for
    bit, normal numbers up to rounding; see `datasets.random` and `datasets.decoding`. A thread
    computes two elements in advance; it ends when the result is closed or garbage-collected.

    Args:
      dataset: As for `train_batches`, like all others.
      batch_size: Batch size, over all replicas.
      disc_iters: Number of discriminator steps in a generator step.
      z_dim: Dimension of the latent.
      latents: Distribution of the latents.
      seed: The run's seed.
      start_step: The first generator step.
      fit_label_distribution: Whether `fake_labels` follow the shown labels.
      num_replicas: Number of replicas.
      replica_ids: Ids of the replicas that this iterator feeds.

    Returns:
      An endless iterator of dicts of arrays; see `train_batches`.

    Raises:
      UserError: As `train_batches`, or the data set needs TensorFlow, which is not installed.

    Example:
      >>> from compare_gan import datasets
      >>> dataset = datasets.get_dataset("synthetic", num_examples=20, image_size=8)
      >>> batches = datasets.train_arrays(dataset, batch_size=4, disc_iters=2, z_dim=5, seed=0)
      >>> batch = next(batches)
      >>> batch["images"].shape, batch["labels"].shape, batch["z"].shape
      ((3, 4, 8, 8, 3), (3, 4, 4), (3, 4, 5))
      >>> batches.close()
    """
    layout = Layout(batch_size, disc_iters + 1, num_replicas, tuple(replica_ids), start_step)
    batches = TrainingBatches(dataset, layout, z_dim, latents, seed, fit_label_distribution)
    return Prefetched(batches.as_arrays())


def eval_batches(
    dataset: Dataset,
    split: str,
    batch_size: int,
    num_examples: int | None = None,
    shown_only: bool = False,
) -> Iterable[Examples]:
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
      An iterable, which may be iterated over again, of pairs of arrays: images uint8
      [<= batch_size, H, W, C] (float if the source is), labels int32 [<= batch_size], -1
      for no label; a soft label becomes its most probable class.

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
    return _EvaluationBatches(dataset, split, batch_size, count, labels)


@dataclasses.dataclass(frozen=True, eq=False)
class _EvaluationBatches:
    dataset: Dataset
    split: str
    batch_size: int
    count: int
    labels: np.ndarray | None

    def __iter__(self) -> Iterator[Examples]:
        source = self.dataset.source
        pairs = source.evaluation(self.split, self.batch_size, self.count, self.labels)
        for images, labels in pairs:
            yield self.dataset.pad(images), labels


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
    images, labels = zip(*eval_batches(dataset, split, 256, num_examples), strict=True)
    return np.concatenate(images), np.concatenate(labels)
