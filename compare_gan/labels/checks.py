"""Checks that labels can be inferred, before anything is built or trained."""

import os

import numpy as np

from compare_gan import engine
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.streams import StreamSource
from compare_gan.errors import UserError
from compare_gan.labels.files import MANIFEST
from compare_gan.labels.label_options import LabelOptions


def check_batch_sizes(folder: str | None, options: LabelOptions, num_replicas: int) -> None:
    """Raises UserError if labels are to be inferred on more replicas than can share a batch.

    Reads no data.

    Args:
      folder: Directory of the labels; None = there is none yet.
      options: Options of label inference.
      num_replicas: Number of replicas.

    Example:
      >>> from compare_gan.labels import (
      ...     BackboneOptions, InferOptions, LabelOptions, PretextOptions, check_batch_sizes
      ... )
      >>> options = LabelOptions(InferOptions(), BackboneOptions(), PretextOptions())
      >>> check_batch_sizes(None, options, num_replicas=1)
    """
    if not _are_inferred(folder):
        options.check_batch_sizes(num_replicas)


def check_given_labels(dataset: Dataset, folder: str | None, options: LabelOptions) -> None:
    """Raises UserError if labels are to be inferred, and the given labels do not allow it.

    Reads no images. Given labels that only a reading of all images would give are not checked.

    Args:
      dataset: A data set.
      folder: Directory of the labels; None = there is none yet.
      options: Options of label inference.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import ArraySource, Dataset
      >>> from compare_gan.labels import (
      ...     BackboneOptions, InferOptions, LabelOptions, PretextOptions, check_given_labels
      ... )
      >>> options = LabelOptions(InferOptions(), BackboneOptions(), PretextOptions())
      >>> images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, -1, -1])
      >>> dataset = Dataset("mine", ArraySource.from_arrays({"train": (images, labels)}))
      >>> check_given_labels(dataset, None, options)
    """
    known = dataset.given_mask is not None or not isinstance(dataset.source, StreamSource)
    if not _are_inferred(folder) and (known or options.infer.clusters):
        check_dataset(dataset, options)


def check_dataset(dataset: Dataset, options: LabelOptions) -> None:
    """Raises UserError if labels cannot be inferred from the given ones.

    Args:
      dataset: A data set.
      options: Options of label inference.
    """
    if options.infer.clusters:
        if options.infer.num_clusters > dataset.num_train:
            raise UserError(
                f"infer_labels.num_clusters is {options.infer.num_clusters}, but '{dataset.name}' "
                f"has {dataset.num_train} images."
            )
        return
    source, labels = dataset.source, to_hard_labels(dataset.given_labels)
    counts = np.bincount(labels[labels >= 0], minlength=source.num_classes or 0)
    if not counts.all():
        absent = int(counts.argmin())
        name = source.class_names[absent] if source.class_names else absent
        raise UserError(
            f"No image of the class '{name}' of '{dataset.name}' is labelled: labels cannot be "
            "inferred from the others."
        )
    if (labels >= 0).all():
        raise UserError(
            f"All images of '{dataset.name}' are labelled, so there is nothing to infer: set "
            "dataset.labeled_fraction below 1."
        )


def check_strategy(folder: str, strategy: engine.Strategy, options: LabelOptions) -> None:
    """Raises UserError if labels cannot be inferred under this distribution strategy.

    Args:
      folder: Directory of the labels.
      strategy: Distribution strategy for the training of the network.
      options: Options of label inference.
    """
    if engine.on_several_hosts(strategy):
        raise UserError(
            f"There are no labels in '{folder}' yet, and one of several hosts cannot infer them: "
            f"run `compare_gan label --gin_config … --label_dir {folder}` on one host first."
        )
    options.check_batch_sizes(strategy.num_replicas_in_sync)


def _are_inferred(folder: str | None) -> bool:
    return folder is not None and os.path.exists(os.path.join(folder, MANIFEST))
