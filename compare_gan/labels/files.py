"""Inferred labels on disk.

manifest.json        what they are of and depend on, how good they are; written last
labels.npz           hard int32 [n], soft float32 [n, num_classes], given bool [n]
hard/train.tfrecord  the same for `replace_labels.file_pattern`, see `datasets.label_files`
soft/train.tfrecord  likewise; clusters have no soft labels
lock                 held by the run that infers them
"""

import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from compare_gan import files
from compare_gan.datasets.label_files import write_label_file
from compare_gan.datasets.labels import check_soft
from compare_gan.errors import UserError

MANIFEST, ARRAYS = "manifest.json", "labels.npz"
_HARD, _SOFT = "hard/train.tfrecord", "soft/train.tfrecord"
# What `read_arrays` and its arrays may raise.
DAMAGED = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
_ELSE = "name another folder (infer_labels.label_dir) or delete this one"


def write_labels(
    folder: str,
    keys: Sequence[str],
    key: Mapping[str, object],
    hard: np.ndarray,
    soft: np.ndarray | None,
    given: np.ndarray,
    about: Mapping[str, object],
) -> None:
    """Writes labels of the split `train`, the manifest last: where that is, all is.

    Args:
      folder: Where to; made if absent.
      keys: What the images are called, as `Source.keys` gives it.
      key: All that they depend on; see `read_labels`.
      hard: int [n].
      soft: float32 [n, num_classes], or None.
      given: bool [n], whose labels were given.
      about: More for the manifest.
    """
    arrays = {"hard": hard.astype(np.int32), "given": given}
    hashes = {}
    if soft is not None:
        arrays["soft"] = soft.astype(np.float32)
        path = os.path.join(folder, _SOFT)
        hashes[_SOFT] = write_label_file(path, keys, soft)
    hashes[_HARD] = write_label_file(os.path.join(folder, _HARD), keys, hard)
    hashes[ARRAYS] = write_arrays(os.path.join(folder, ARRAYS), arrays)
    manifest = {"key": key, **about, "files": hashes}
    files.write_json(os.path.join(folder, MANIFEST), manifest)


def read_labels(
    folder: str, key: Mapping[str, object], soft: bool
) -> tuple[np.ndarray, dict[str, object]] | None:
    """The labels in a folder and their manifest; None where none have been finished.

    Args:
      folder: Where `write_labels` wrote them.
      key: All that they must depend on.
      soft: Class probabilities instead of classes.

    Returns:
      int32 [n], or float32 [n, num_classes]; and the manifest.

    Raises:
      UserError: They are of other data or were made otherwise, the file was changed, or soft labels
        do not sum to one.
    """
    path = os.path.join(folder, MANIFEST)
    try:
        with open(path) as file:
            manifest = json.load(file)
        present, hashes = manifest["key"], manifest["files"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"'{path}' is no manifest of inferred labels: {_ELSE}.") from error
    for name, value in json.loads(json.dumps(key)).items():
        if present.get(name) != value:
            raise UserError(
                f"The labels in '{folder}' were made for {name} = {present.get(name)!r}, but here "
                f"it is {value!r}: {_ELSE}."
            )
    path = os.path.join(folder, ARRAYS)
    if not os.path.exists(path) or files.file_digest(path) != hashes.get(ARRAYS):
        raise UserError(
            f"'{path}' is missing or not the file whose hash is in {MANIFEST}: delete the folder "
            "to infer the labels again."
        )
    labels = read_arrays(path)["soft" if soft else "hard"]
    if soft:
        check_soft(labels, f"'{path}'")
    return labels, manifest


def write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> str:
    """Writes an .npz file whole or not at all; makes its folder if need be; returns its hash."""
    with files.atomic(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)
        return files.file_digest(temporary)


def read_arrays(path: str) -> Mapping[str, np.ndarray]:
    """What `write_arrays` wrote, each array read when it is asked for."""
    return np.load(path, allow_pickle=False)
