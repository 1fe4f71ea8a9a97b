"""Whether labels can be inferred, told before anything is built or trained."""

import os

import numpy as np
import tensorflow as tf

from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.streams import StreamSource
from compare_gan.errors import UserError
from compare_gan.labels.files import MANIFEST
from compare_gan.labels.options import InferOptions


def check_shares(folder: str, num_replicas: int) -> None:
    """Raises UserError if labels are to be inferred on so many replicas and cannot; reads no data.

    Args:
      folder: Where the labels go, or are.
      num_replicas: How many share a batch.
    """
    if not _are_there(folder):
        InferOptions().check_shares(num_replicas)


def check_given(dataset: Dataset, folder: str | None) -> None:
    """Raises UserError if labels are to be inferred and cannot, by the given labels.

    Reads no images. Labels that only a reading of all images would tell are taken for suitable.

    Args:
      dataset: A data set.
      folder: Where the labels go, or are; None = nowhere yet.
    """
    known = dataset.given_mask is not None or not isinstance(dataset.source, StreamSource)
    options = InferOptions()
    if not _are_there(folder) and (known or options.clusters):
        check_data(dataset, options)


def check_data(dataset: Dataset, options: InferOptions) -> None:
    """Raises UserError if labels cannot be inferred from those given.

    Args:
      dataset: A data set.
      options: How.
    """
    if options.clusters:
        if options.num_clusters > dataset.num_train:
            raise UserError(
                f"infer_labels.num_clusters is {options.num_clusters}, but '{dataset.name}' has "
                f"{dataset.num_train} images."
            )
        return
    source, labels = dataset.source, to_hard_labels(dataset.given_labels)
    counts = np.bincount(labels[labels >= 0], minlength=source.num_classes)
    if not counts.all():
        name = (source.class_names or range(source.num_classes))[int(counts.argmin())]
        raise UserError(
            f"No image of the class '{name}' of '{dataset.name}' is labelled: labels cannot be "
            "inferred from the others."
        )
    if (labels >= 0).all():
        raise UserError(
            f"All images of '{dataset.name}' are labelled, there is nothing to infer: set "
            "dataset.labeled_fraction below 1."
        )


def check_strategy(folder: str, strategy: tf.distribute.Strategy, options: InferOptions) -> None:
    """Raises UserError if labels cannot be inferred where the strategy says.

    Args:
      folder: Where the labels would go.
      strategy: Where the network is to be trained.
      options: How.
    """
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        raise UserError(
            f"There are no labels in '{folder}' yet, and one of several hosts cannot infer them: "
            f"run `compare_gan label --gin_config … --label_dir {folder}` on one host first."
        )
    options.check_shares(strategy.num_replicas_in_sync)


def _are_there(folder: str | None) -> bool:
    return folder is not None and os.path.exists(os.path.join(folder, MANIFEST))
