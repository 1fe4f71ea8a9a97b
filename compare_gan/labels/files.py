"""Files of inferred labels.

manifest.json        key and quality of the labels, see below; written last
labels.npz           hard int32 [n], soft float32 [n, num_classes], given bool [n]
hard/train.tfrecord  hard labels for `replace_labels.file_pattern`, see `datasets.label_files`
soft/train.tfrecord  soft labels for the same; not written for clusters
lock                 held by the process that infers the labels

`soft` is missing for clusters; `given` marks the images with a given label.

The manifest, version 2, is a JSON object with these entries:

version              2; the entry is missing in version 1, see `read_manifest`
key                  everything that the labels depend on:
  computation_version  version of the computation
  dataset.name         name of the data set
  num_images           number of training images
  image_shape          for example "28x28x1"
  image_names_hash     hash of the names of the training images
  images_hash          hash of some training images
  train_imagenet_transform.crop_method, eval_imagenet_transform.crop_method
                       as set in the config; null if not set
  num_classes, num_given_labels, given_labels_hash
                       classes and given labels; missing for clusters
  infer_labels.*, backbone.*, pretext.*
                       options by their names in gin
classifier           missing for clusters:
  regularization_strength
                       chosen strength
  held_out_accuracy    accuracy on the labelled images held out to choose it; null if there are none
confidence_of_inferred_labels
                     histogram of the inferred labels' probabilities (`edges`, `images`: counts);
                     missing for clusters
code_version         version of this library
seconds              duration of the inference
labeled_fraction     fraction of the images with a given label
num_images           number of images
given_examples       indices of the images with a given label
label_counts         number of images of each class or cluster
reported_only        quality on hidden labels, on which nothing depends: `hidden_accuracy`, for
                     clusters `cluster_purity` (see `quality.measure_quality`); may be empty
config               all gin bindings
files                SHA-256 of each file, by its path in the folder

`InferredLabels.description` is a JSON object too, stored as `training_labels.json` of a run and
`training_labels` of its result rows (version 1: `upgrade_training_labels`):

version              2; missing in version 1
method, features, soft
                     options of `infer_labels`
labeled_fraction     fraction of the images with a given label
hidden_accuracy      for clusters `cluster_purity`: as in `reported_only`
hash                 SHA-256 of labels.npz
"""

import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.datasets.label_files import write_label_file
from compare_gan.datasets.labels import check_soft
from compare_gan.errors import UserError, check_version
from compare_gan.npz import check_npz

MANIFEST, ARRAYS = "manifest.json", "labels.npz"
# Sentence to log while another process holds a lock.
WAITING = "Waiting for another run that infers labels in '{}'."
_VERSION = 2
DESCRIPTION_VERSION = 2  # Of `InferredLabels.description`.
_HARD, _SOFT = "hard/train.tfrecord", "soft/train.tfrecord"
# Errors that `read_arrays` and reading its arrays raise for a damaged file.
DAMAGED = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
_ALTERNATIVE = "name another folder (infer_labels.label_dir) or delete this one"

# Names of version 1 of the manifest, by today's. Names of trained networks in a folder are hashes
# of a key with the old names, see `inputs.digest_of_key`.
OLD_KEY_NAMES = {
    "computation_version": "version",
    "num_images": "number of images",
    "image_shape": "image shape",
    "image_names_hash": "names of the images (hash)",
    "images_hash": "some images (hash)",
    "num_classes": "number of classes",
    "num_given_labels": "number of given labels",
    "given_labels_hash": "given labels (hash)",
}
_OLD_CLASSIFIER_NAMES = {
    "regularization_strength": "strength of regularization",
    "held_out_accuracy": "accuracy on labelled images held out for it",
}
_OLD_QUALITY_NAMES = {
    "hidden_accuracy": "accuracy on hidden labels",
    "cluster_purity": "share of images of their cluster's most frequent class",
}


def write_inferred_labels(
    folder: str,
    image_names: Sequence[str],
    key: Mapping[str, object],
    hard_labels: np.ndarray,
    soft_labels: np.ndarray | None,
    given_mask: np.ndarray,
    details: Mapping[str, object],
) -> None:
    """Writes labels of the split `train`; the manifest comes last, when all else is complete.

    Args:
      folder: Directory of the labels; made if absent.
      image_names: Names of the images, as `Source.keys` returns them.
      key: Everything that the labels depend on.
      hard_labels: int [n].
      soft_labels: float32 [n, num_classes], or None.
      given_mask: bool [n], the images with a given label.
      details: More entries of the manifest.
    """
    arrays = {"hard": hard_labels.astype(np.int32), "given": given_mask}
    hashes = {}
    if soft_labels is not None:
        arrays["soft"] = soft_labels.astype(np.float32)
        path = os.path.join(folder, _SOFT)
        hashes[_SOFT] = write_label_file(path, image_names, soft_labels)
    hashes[_HARD] = write_label_file(os.path.join(folder, _HARD), image_names, hard_labels)
    hashes[ARRAYS] = write_arrays(os.path.join(folder, ARRAYS), arrays)
    manifest = {"version": _VERSION, "key": key, **details, "files": hashes}
    files.write_json(os.path.join(folder, MANIFEST), manifest)


def read_manifest(folder: str) -> dict[str, Any] | None:
    """Reads the manifest of the labels in a folder, of any version, under today's names.

    Args:
      folder: Directory of the labels.

    Returns:
      The manifest; None where no labels have been finished.

    Raises:
      DamagedFileError: It is empty or cut off.
      UserError: It is not a manifest, or one that a newer version of this library wrote.

    Example:
      >>> from compare_gan.labels import read_manifest
      >>> read_manifest("runs/new/labels") is None
      True
    """
    path = os.path.join(folder, MANIFEST)
    try:
        manifest = damaged.read_object(path)
    except FileNotFoundError:
        return None
    if not manifest:
        raise DamagedFileError(path, "it has no entries")
    try:
        if manifest.get("version", 1) == 1:
            manifest |= {"version": 1, "key": _renamed(manifest["key"], OLD_KEY_NAMES)}
            for entry, names in (
                ("classifier", _OLD_CLASSIFIER_NAMES),
                ("reported_only", _OLD_QUALITY_NAMES),
            ):
                if entry in manifest:
                    manifest[entry] = _renamed(manifest[entry], names)
        complete = isinstance(manifest["key"], dict) and isinstance(manifest["files"], dict)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"'{path}' is not a manifest of inferred labels: {_ALTERNATIVE}."
        ) from error
    if not complete:
        raise UserError(f"'{path}' is not a manifest of inferred labels: {_ALTERNATIVE}.")
    check_version(f"'{path}'", manifest, _VERSION, _ALTERNATIVE)
    return manifest


def upgrade_training_labels(
    description: Mapping[str, object] | None, name: str = "training_labels"
) -> dict[str, object] | None:
    """A description of inferred labels, of any version, under today's names.

    Example:
      >>> from compare_gan.labels.files import upgrade_training_labels
      >>> upgrade_training_labels({"soft": False, "accuracy on hidden labels": 0.9})
      {'version': 1, 'soft': False, 'hidden_accuracy': 0.9}

    Args:
      description: `training_labels` of a result row, or the content of training_labels.json.
      name: Its name in messages.

    Returns:
      The description; None without inferred labels.

    Raises:
      UserError: A newer version of this library wrote it.
    """
    if description is None:
        return None
    check_version(name, description, DESCRIPTION_VERSION)
    return {"version": 1, **_renamed(description, _OLD_QUALITY_NAMES)}


def _renamed(entries: Mapping[str, object], old_names: Mapping[str, str]) -> dict[str, object]:
    """Entries of version 1 under today's names."""
    new_names = {old: new for new, old in old_names.items()}
    return {new_names.get(name, name): value for name, value in entries.items()}


def read_inferred_labels(
    folder: str, key: Mapping[str, object], soft: bool
) -> tuple[np.ndarray, dict[str, Any]] | None:
    """Reads the labels in a folder and their manifest.

    Args:
      folder: Directory of the labels.
      key: Everything that they must depend on.
      soft: Read soft labels instead of hard ones.

    Returns:
      The labels, int32 [n] or float32 [n, num_classes], and the manifest; None where no labels
      have been finished, or the manifest is damaged.

    Raises:
      UserError: They are labels of other data or made with other options, a file was changed, or
        soft labels do not sum to one.
    """
    try:
        manifest = read_manifest(folder)
    except DamagedFileError:
        return None
    if manifest is None:
        return None
    for name, value in json.loads(json.dumps(key)).items():
        made_for = manifest["key"].get(name)
        if made_for != value:
            raise UserError(
                f"The labels in '{folder}' were made for {name} = {made_for!r}, but here "
                f"it is {value!r}: {_ALTERNATIVE}."
            )
    path = os.path.join(folder, ARRAYS)
    if not os.path.exists(path) or files.file_digest(path) != manifest["files"].get(ARRAYS):
        raise UserError(
            f"'{path}' is missing or not the file whose hash is in {MANIFEST}: delete the folder "
            "to infer the labels again."
        )
    labels = read_arrays(path)["soft" if soft else "hard"]
    if soft:
        check_soft(labels, f"'{path}'")
    return labels, manifest


def set_damaged_aside(folder: str) -> None:
    """Sets a damaged manifest aside, and the labels whose origin nothing shows without it.

    Args:
      folder: Directory of the labels; only the process that has locked it may call this.
    """
    try:
        read_manifest(folder)
    except DamagedFileError as error:
        arrays = os.path.join(folder, ARRAYS)
        if os.path.exists(arrays):
            reason = f"{MANIFEST} does not show what it depends on"
            damaged.set_aside(arrays, reason, "the labels are inferred anew")
        path = os.path.join(folder, MANIFEST)
        damaged.set_aside(path, error.reason, "the labels are inferred anew")


def write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Writes an .npz file, whole or not at all, and its folder if absent; returns its SHA-256."""
    with files.atomic(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        return files.file_digest(temporary)


def read_arrays(path: str) -> Mapping[str, np.ndarray]:
    """Opens a file that `write_arrays` wrote; each array is read when it is accessed.

    Raises:
      UserError: It cannot be read, or holds less or far more than it declares.
    """
    check_npz(path)
    return np.load(path, allow_pickle=False)
