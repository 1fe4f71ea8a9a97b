"""From a data set with few labels, or none, to one in which every training image has a label.

Each stage is skipped where its result is there: the trained network in `backbone-<key>.npz`, a
begun training in `pretext-<key>/`, the labels as `files` has them.
"""

import dataclasses
import functools
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping

import gin
import keras
import numpy as np
import tensorflow as tf

from compare_gan import files
from compare_gan.datasets.dataset import Dataset, InferredLabels
from compare_gan.datasets.label_files import IMAGES_HASH
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.views import images_digest
from compare_gan.labels.backbone import BackboneOptions, make_backbone
from compare_gan.labels.checks import check_data, check_strategy
from compare_gan.labels.classifier import held_out, train_classifier
from compare_gan.labels.clustering import fit_clusters
from compare_gan.labels.features import Extractor, features_of, in_batches
from compare_gan.labels.files import (
    ARRAYS,
    DAMAGED,
    read_arrays,
    read_labels,
    write_arrays,
    write_labels,
)
from compare_gan.labels.options import InferOptions
from compare_gan.labels.pretext import PretextOptions, PretextTask
from compare_gan.labels.quality import told_quality
from compare_gan.version import code_version

_log = logging.getLogger(__name__)

_WAITING = "Waiting for another run that infers labels in '{}'."

# Names the computation: labels of another are not those that would be made now.
_VERSION = 3
# What images are cropped by, of those data sets that are.
_CROPS = ("train_imagenet_transform", "eval_imagenet_transform")
# Clusters are fitted to as many images as have features of so many bytes.
_CLUSTERING_BYTES = 2**31


def infer(dataset: Dataset, folder: str, strategy: tf.distribute.Strategy | None = None) -> Dataset:
    """The data set with labels as the gin scopes `infer_labels`, `pretext`, `backbone` say.

    They are read from the folder or, where they are not there, inferred and written there. Given
    labels stay as they are; hidden ones have no part in it.

    Args:
      dataset: A data set.
      folder: Where the labels go, or are.
      strategy: Where the network is trained; None = on one device.

    Returns:
      The data set as training sees it.

    Raises:
      UserError: The folder holds labels of other data or another config; there is nothing to infer
        from, or nothing to infer; or they are not there and this is one of several hosts.
      DivergenceError: The training of the network or the classifier diverged.
    """
    options = InferOptions()
    options.check(dataset)
    task = _Task(dataset, folder, options, strategy or tf.distribute.get_strategy())
    found = read_labels(folder, task.key, options.soft)
    if found is None:
        task.check()
        with files.locked(os.path.join(folder, "lock"), _WAITING.format(folder)):
            found = read_labels(folder, task.key, options.soft)  # Another run's, meanwhile.
            if found is None:
                task.run()
                found = read_labels(folder, task.key, options.soft)
    else:
        _log.info("Labels are taken from %s.", folder)
    labels, manifest = found
    inferred = InferredLabels(_num_clusters(options), labels, _about(manifest, options))
    return dataclasses.replace(dataset, inferred=inferred)


def announced(dataset: Dataset) -> Dataset:
    """The data set with the number of classes or clusters that it will have; reads no labels."""
    options = InferOptions()
    about = _about_options(options)
    return dataclasses.replace(
        dataset, inferred=InferredLabels(_num_clusters(options), description=about)
    )


def _num_clusters(options: InferOptions) -> int | None:
    return options.num_clusters if options.clusters else None


def _about(manifest: Mapping[str, object], options: InferOptions) -> dict[str, object]:
    """`InferredLabels.description`: what result rows say of the labels."""
    return _about_options(options) | {
        "labeled_fraction": manifest["labeled_fraction"],
        **manifest["reported_only"],
        "hash": manifest["files"][ARRAYS],
    }


def _about_options(options: InferOptions) -> dict[str, object]:
    return {"method": options.method, "features": options.features, "soft": options.soft}


class _Task:
    """What is to be inferred, from what, and where it is kept."""

    def __init__(self, dataset, folder: str, options: InferOptions, strategy):
        self._dataset = dataset
        self._folder = folder
        self._options = options
        self._strategy = strategy
        self.key = self._data_key(with_labels=not options.clusters) | options.key()

    def check(self) -> None:
        """Raises UserError if the labels cannot be inferred."""
        check_strategy(self._folder, self._strategy, self._options)
        check_data(self._dataset, self._options)

    def run(self) -> None:
        """Infers and writes the labels, and tells how good they are."""
        started = time.monotonic()
        hard, soft, about = self._cluster() if self._options.clusters else self._classify()
        given = np.zeros(len(hard), bool) if self._options.clusters else self._given
        about |= {
            "code_version": code_version(),
            "seconds": round(time.monotonic() - started, 1),
            "labeled_fraction": float(given.mean()),
            "num_images": len(hard),
            "given_examples": np.flatnonzero(given).tolist(),
            "label_counts": np.bincount(hard).tolist(),
            "reported_only": told_quality(self._dataset, hard, given, _num_clusters(self._options)),
            "config": gin.config_str(),
        }
        write_labels(self._folder, self._keys, self.key, hard, soft, given, about)

    @functools.cached_property
    def _labels(self) -> np.ndarray:
        """The given labels, int32 [n], -1 where there is none."""
        return to_hard_labels(self._dataset.given_labels)

    @property
    def _given(self) -> np.ndarray:
        return self._labels >= 0

    @functools.cached_property
    def _held_out(self) -> np.ndarray:
        """Which given labels only the choice of the classifier's regularization sees, bool [n]."""
        held = np.zeros(len(self._labels), bool)
        held[self._given] = held_out(self._labels[self._given], self._options.seed)
        return held

    def _data_key(self, with_labels: bool) -> dict[str, object]:
        dataset, source = self._dataset, self._dataset.source
        key = {
            "version": _VERSION,
            "dataset.name": dataset.name,
            "number of images": dataset.num_train,
            "image shape": "x".join(map(str, source.image_shape)),
            "names of the images (hash)": _digest("\n".join(self._keys).encode()),
            IMAGES_HASH: self._images_digest,
        }
        for name in _CROPS:
            key[f"{name}.crop_method"] = gin.get_bindings(name).get("crop_method")
        if with_labels:
            key |= {
                "number of classes": int(source.num_classes),
                "number of given labels": int(self._given.sum()),
                "given labels (hash)": _digest(np.ascontiguousarray(dataset.given_labels)),
            }
        return key

    @functools.cached_property
    def _keys(self) -> list[str]:
        """What the images are called; a reading of all records where those tell it."""
        return self._dataset.source.keys("train")

    @functools.cached_property
    def _images_digest(self) -> str:
        return images_digest(self._dataset.source)

    def _path(self, what: str) -> str:
        """Where the training of the network, or its result, is kept: a name for all it hangs on.

        Other labels that take features from the same network find it there.
        """
        supervised = self._options.features == "semi_supervised"
        key = self._data_key(with_labels=supervised) | self._options.backbone_key()
        digest = _digest(json.dumps(key, sort_keys=True).encode())[:12]
        return os.path.join(self._options.backbone_dir or self._folder, f"{what}-{digest}")

    def _backbone(self) -> keras.Model | None:
        """The network as the options have it, trained if need be; None for raw pixels."""
        options = self._options
        if not options.has_network:
            return None
        make = functools.partial(
            make_backbone, BackboneOptions(), self._dataset.source.image_shape, options.seed
        )
        if not options.has_pretext:
            return make()
        path = self._path("backbone") + ".npz"
        backbone = make()
        if os.path.exists(path) and _restored(backbone, path):
            return backbone
        with files.locked(f"{self._path('backbone')}.lock", _WAITING.format(path)):
            # Another run's, meanwhile.
            if not (os.path.exists(path) and _restored(backbone, path)):
                self._train_backbone(make, path)
                _restored(backbone, path)
        return backbone

    def _train_backbone(self, make: Callable[[], keras.Model], path: str) -> None:
        with self._strategy.scope():
            backbone = make(synchronized=self._strategy.num_replicas_in_sync > 1)
        dataset, supervised = self._dataset, self._options.features == "semi_supervised"
        if supervised:
            # Of images whose labels it has learned, a network's features are too good to be true.
            dataset = dataclasses.replace(dataset, given_mask=self._given & ~self._held_out)
        task = PretextTask(
            backbone,
            dataset,
            PretextOptions(),
            supervised,
            self._options.seed,
            self._strategy,
        )
        task.train(self._path("pretext"))
        write_arrays(path, {str(i): v.numpy() for i, v in enumerate(backbone.variables)})
        # Training is over: its checkpoints have served.
        shutil.rmtree(self._path("pretext"), ignore_errors=True)

    def _extractor(self) -> Extractor:
        shape = self._dataset.source.image_shape
        return Extractor(self._backbone(), self._options.layer, self._options.grid, shape)

    def _classify(self):
        options, given = self._options, self._given
        classes, extract = self._dataset.source.num_classes, self._extractor()
        features = features_of(self._dataset, extract, given)
        classifier = train_classifier(
            features,
            self._labels[given],
            classes,
            options.hidden,
            options.seed,
            held=self._held_out[given],
        )
        soft = np.zeros([len(given), classes], np.float32)
        for numbers, batch in in_batches(self._dataset, extract, ~given):
            soft[numbers] = classifier.probabilities(batch)
        hard = np.where(given, self._labels, soft.argmax(1))
        confidence, edges = np.histogram(soft[~given].max(1), bins=10, range=(0, 1))
        own = self._dataset.given_labels
        if own.ndim == 2:
            soft[given] = own[given]
        else:
            soft[np.flatnonzero(given), own[given]] = 1
        about = {
            "classifier": {
                "strength of regularization": classifier.strength,
                "accuracy on labelled images held out for it": classifier.held_out_accuracy,
            },
            "confidence_of_inferred_labels": {
                "edges": edges.astype(float).round(1).tolist(),
                "images": confidence.tolist(),
            },
        }
        return hard, soft, about

    def _cluster(self):
        options, extract = self._options, self._extractor()
        count, width = self._dataset.num_train, extract.width
        most = max(_CLUSTERING_BYTES // (4 * width), options.num_clusters)
        chosen = np.random.default_rng(options.seed).permutation(count) < most
        features = features_of(self._dataset, extract, chosen)
        nearest = fit_clusters(features, options.num_clusters, options.seed)
        hard = np.empty([count], np.int32)
        for numbers, batch in in_batches(self._dataset, extract):
            hard[numbers] = nearest(batch)
        return hard, None, {}


def _restored(backbone: keras.Model, path: str) -> bool:
    """Gives the network the weights in a file; False, with a warning, where it is damaged."""
    try:
        arrays = read_arrays(path)
        weights = [arrays[str(i)] for i in range(len(backbone.variables))]
    except DAMAGED as error:
        _log.warning("'%s' is damaged (%s): the network is trained anew.", path, error)
        return False
    backbone.set_weights(weights)
    return True


def _digest(content: bytes | np.ndarray) -> str:
    return files.digest(content)[:16]
