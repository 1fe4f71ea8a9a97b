"""From a data set with few labels, or none, to one in which every training image has a label.

Each stage is skipped where its result exists: the network (see `network`), the labels (see
`files`).
"""

import dataclasses
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from compare_gan import engine, locks, paths
from compare_gan.datasets.dataset import Dataset, InferredLabels
from compare_gan.labels.checks import check_dataset, check_strategy
from compare_gan.labels.classifier import train_classifier
from compare_gan.labels.clustering import fit_clusters
from compare_gan.labels.features import BackboneFeatures, compute_features, iterate_features
from compare_gan.labels.files import (
    ARRAYS,
    DESCRIPTION_VERSION,
    WAITING,
    read_inferred_labels,
    set_damaged_aside,
    write_inferred_labels,
)
from compare_gan.labels.inputs import InferenceInputs
from compare_gan.labels.label_options import LabelOptions
from compare_gan.labels.network import get_backbone
from compare_gan.labels.quality import measure_quality
from compare_gan.version import code_version

_log = logging.getLogger(__name__)

# Clusters are fitted to as many images as have features of so many bytes.
_CLUSTERING_BYTES = 2**31


@dataclasses.dataclass(frozen=True)
class _Labelling:
    """A label for every image.

    Attributes:
      hard_labels: int [n].
      soft_labels: float32 [n, num_classes]; None for clusters.
      given_mask: bool [n], the images whose label was given.
      details: Entries of the manifest.
    """

    hard_labels: np.ndarray
    soft_labels: np.ndarray | None
    given_mask: np.ndarray
    details: Mapping[str, object] = dataclasses.field(default_factory=dict)


def infer(
    dataset: Dataset,
    folder: str,
    options: LabelOptions,
    *,
    config_text: str = "",
    strategy: engine.Strategy | None = None,
) -> Dataset:
    """Gives a data set inferred labels: read from the folder, or inferred and written there.

    Given labels stay as they are; hidden ones are not used.

    Example:
      >>> import tempfile
      >>> import numpy as np
      >>> from compare_gan.datasets import ArraySource, Dataset
      >>> from compare_gan.labels import (
      ...     BackboneOptions, InferOptions, LabelOptions, PretextOptions, infer
      ... )
      >>> images = np.repeat([0, 10, 240, 250], 4).astype(np.uint8).reshape(4, 2, 2, 1)
      >>> source = ArraySource.from_arrays({"train": (images, np.array([0, -1, -1, 1]))})
      >>> options = LabelOptions(InferOptions(features="raw"), BackboneOptions(), PretextOptions())
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     infer(Dataset("two", source), folder, options).shown_labels.tolist()
      [0, 0, 1, 1]

    Args:
      dataset: A data set.
      folder: Directory of the labels.
      options: Options of label inference.
      config_text: All bindings of the config, for the manifest.
      strategy: Distribution strategy for the training of the network; None = one device.

    Returns:
      The data set as training sees it.

    Raises:
      UserError: The folder holds labels of other data or made with other options; there is nothing
        to infer from, or nothing to infer; or the labels are missing and this is one of several
        hosts.
      DivergenceError: The training of the network or of the classifier diverged.
    """
    options.check(dataset)
    inputs = InferenceInputs(dataset, options)
    key, soft = inputs.key(), options.infer.soft
    found = read_inferred_labels(folder, key, soft)
    if found is not None:
        _log.info("Labels are taken from %s.", folder)
        return _with_labels(dataset, options, *found)
    strategy = strategy or engine.make_strategy("one_device")
    check_strategy(folder, strategy, options)
    check_dataset(dataset, options)
    paths.check_place(folder)
    with locks.locked(os.path.join(folder, "lock"), WAITING.format(folder)):
        # Another process may have inferred them meanwhile.
        if read_inferred_labels(folder, key, soft) is None:
            set_damaged_aside(folder)
            _infer_and_write(inputs, folder, strategy, config_text)
        found = read_inferred_labels(folder, key, soft)
    assert found is not None
    return _with_labels(dataset, options, *found)


def with_pending_labels(dataset: Dataset, options: LabelOptions) -> Dataset:
    """The data set with the classes or clusters that inferred labels will have; reads no labels.

    Args:
      dataset: A data set.
      options: Options of label inference.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import ArraySource, Dataset
      >>> from compare_gan.labels import (
      ...     BackboneOptions, InferOptions, LabelOptions, PretextOptions, with_pending_labels
      ... )
      >>> infer = InferOptions(method="clustering", num_clusters=5)
      >>> options = LabelOptions(infer, BackboneOptions(), PretextOptions())
      >>> source = ArraySource.from_arrays({"train": (np.zeros((4, 8, 8, 3), np.uint8), None)})
      >>> with_pending_labels(Dataset("mine", source), options).num_classes
      5
    """
    pending = InferredLabels(options.num_clusters, description=_describe_options(options))
    return dataclasses.replace(dataset, inferred=pending)


def _with_labels(
    dataset: Dataset, options: LabelOptions, labels: np.ndarray, manifest: Mapping[str, Any]
) -> Dataset:
    description = _describe_options(options) | {
        "labeled_fraction": manifest["labeled_fraction"],
        **manifest["reported_only"],
        "hash": manifest["files"][ARRAYS],
    }
    inferred = InferredLabels(options.num_clusters, labels, description)
    return dataclasses.replace(dataset, inferred=inferred)


def _describe_options(options: LabelOptions) -> dict[str, object]:
    infer = options.infer
    return {
        "version": DESCRIPTION_VERSION,
        "method": infer.method,
        "features": infer.features,
        "soft": infer.soft,
    }


def _infer_and_write(
    inputs: InferenceInputs, folder: str, strategy: engine.Strategy, config_text: str
) -> None:
    """Infers and writes the labels, and reports how good they are."""
    started = time.monotonic()
    options, dataset = inputs.options, inputs.dataset
    features = BackboneFeatures(
        get_backbone(inputs, folder, strategy),
        options.infer.layer,
        options.infer.grid,
        dataset.source.image_shape,
    )
    labelling = (_cluster if options.infer.clusters else _classify)(inputs, features)
    hard_labels, given_mask = labelling.hard_labels, labelling.given_mask
    details = {
        **labelling.details,
        "code_version": code_version(),
        "seconds": round(time.monotonic() - started, 1),
        "labeled_fraction": float(given_mask.mean()),
        "num_images": len(hard_labels),
        "given_examples": np.flatnonzero(given_mask).tolist(),
        "label_counts": np.bincount(hard_labels).tolist(),
        "reported_only": measure_quality(dataset, hard_labels, given_mask, options.num_clusters),
        "config": config_text,
    }
    write_inferred_labels(
        folder,
        inputs.image_names,
        inputs.key(),
        hard_labels,
        labelling.soft_labels,
        given_mask,
        details,
    )


def _classify(inputs: InferenceInputs, features: BackboneFeatures) -> _Labelling:
    """Labels by a classifier that is trained on the labelled images."""
    dataset, options, given_mask = inputs.dataset, inputs.options.infer, inputs.given_mask
    num_classes = int(dataset.source.num_classes or 0)
    classifier = train_classifier(
        compute_features(dataset, features, given_mask),
        inputs.given_labels[given_mask],
        num_classes,
        options.hidden,
        options.seed,
        held_out_mask=inputs.held_out_mask[given_mask],
    )
    soft_labels = np.zeros([len(given_mask), num_classes], np.float32)
    for indices, batch in iterate_features(dataset, features, ~given_mask):
        soft_labels[indices] = classifier.probabilities(batch)
    hard_labels = np.where(given_mask, inputs.given_labels, soft_labels.argmax(1))
    counts, edges = np.histogram(soft_labels[~given_mask].max(1), bins=10, range=(0, 1))
    given_labels = dataset.given_labels
    if given_labels.ndim == 2:
        soft_labels[given_mask] = given_labels[given_mask]
    else:
        soft_labels[np.flatnonzero(given_mask), given_labels[given_mask]] = 1
    details = {
        "classifier": {
            "regularization_strength": classifier.strength,
            "held_out_accuracy": classifier.held_out_accuracy,
        },
        "confidence_of_inferred_labels": {
            "edges": edges.astype(float).round(1).tolist(),
            "images": counts.tolist(),
        },
    }
    return _Labelling(hard_labels, soft_labels, given_mask, details)


def _cluster(inputs: InferenceInputs, features: BackboneFeatures) -> _Labelling:
    """Labels by clusters of all images."""
    dataset, options = inputs.dataset, inputs.options.infer
    count = dataset.num_train
    limit = max(_CLUSTERING_BYTES // (4 * features.width), options.num_clusters)
    fitted = np.random.default_rng(options.seed).permutation(count) < limit
    assign = fit_clusters(
        compute_features(dataset, features, fitted), options.num_clusters, options.seed
    )
    hard_labels = np.empty([count], np.int32)
    for indices, batch in iterate_features(dataset, features):
        hard_labels[indices] = assign(batch)
    return _Labelling(hard_labels, None, np.zeros(count, bool))
