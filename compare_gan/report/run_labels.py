"""Inferred labels on the page of a run: confusion on hidden ones, confidence, wrong examples."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from compare_gan.datasets import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.views import select
from compare_gan.labels import read_manifest
from compare_gan.labels.files import ARRAYS, read_arrays
from compare_gan.report.absent import AbsentError
from compare_gan.report.run_images import shrunk
from compare_gan.report.run_neighbours import as_uint8
from compare_gan.sampling.classes import row_names
from compare_gan.training.run_dir import RunDir

MOST_CLASSES = 40  # In a confusion matrix that can still be read.
_PICTURED = 20
_BINS = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wrong:
    """An image with a wrong inferred label.

    Attributes:
      image: uint8 [H, W, C].
      true: Name of its class.
      inferred: Name of the inferred class.
      confidence: Probability of the inferred class; None if it is not known.
    """

    image: np.ndarray
    true: str
    inferred: str
    confidence: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Truth:
    """Inferred labels compared with the hidden true ones, which nothing was trained on.

    Attributes:
      matrix: Number of images by true class and inferred class or cluster, int [classes, k]; of the
        first `MOST_CLASSES` each.
      totals: Number of images of each of these true classes, whatever was inferred.
      num_classes: Number of all true classes.
      rows: Names of the true classes.
      columns: Names of the inferred classes or clusters.
      accuracy: Share of hidden labels that were inferred correctly; None for clusters.
      wrong: Wrong examples, the most confident ones first.
    """

    matrix: np.ndarray
    totals: Sequence[int]
    num_classes: int
    rows: Sequence[str]
    columns: Sequence[str]
    accuracy: float | None
    wrong: Sequence[Wrong]


@dataclasses.dataclass(frozen=True, kw_only=True)
class InferredLabels:
    """The inferred labels of a run.

    Attributes:
      description: Method, features and quality, by name; see `training_labels.json`.
      counts: Number of images of each class or cluster.
      num_given: Number of given labels.
      num_images: Number of images.
      seconds: Duration of the inference; None if it is not known.
      edges: Edges of the bins of confidences; empty for clusters.
      confidences: Number of inferred labels in each bin; if the truth is known, of `right` and
        `wrong` ones, else of `all`.
      truth: Comparison with the hidden labels; None if they are not known.
      why_no_truth: A sentence that says why; empty if they are known.
    """

    description: dict[str, object]
    counts: Sequence[int]
    num_given: int
    num_images: int
    seconds: float | None
    edges: Sequence[float]
    confidences: dict[str, Sequence[float]]
    truth: Truth | None
    why_no_truth: str = ""


def read_labels(run: RunDir, folder: str, dataset: Dataset | None, why: str) -> InferredLabels:
    """The inferred labels of a run.

    Args:
      run: The run.
      folder: Directory of the labels.
      dataset: The data set; None if it is not on this machine.
      why: A sentence that says why there is none.

    Raises:
      AbsentError: The run is trained on given labels, or the inferred ones are elsewhere.
      UserError: The files are damaged.
    """
    description = run.training_labels()
    if description is None:
        raise AbsentError("The run is trained on given labels, or on none.", expected=True)
    manifest = read_manifest(folder)
    if manifest is None:
        raise AbsentError("The folder of the inferred labels is not here.")
    arrays = read_arrays(os.path.join(folder, ARRAYS))
    hard, given, soft = arrays["hard"], arrays["given"], arrays.get("soft")
    confidence = None if soft is None else soft.max(axis=1)
    true: np.ndarray | None = None
    if dataset is not None:
        true, why = _true_labels(dataset, hard, given)
    edges, confidences = _histogram(manifest, confidence, hard, given, true)
    seconds = manifest.get("seconds")
    return InferredLabels(
        description={name: value for name, value in description.items() if name != "version"},
        counts=np.bincount(hard).tolist(),
        num_given=int(given.sum()),
        num_images=len(hard),
        seconds=None if seconds is None else float(seconds),
        edges=edges,
        confidences=confidences,
        truth=(
            None
            if dataset is None or true is None
            else _compare(dataset, hard, given, true, confidence)
        ),
        why_no_truth=why if true is None else "",
    )


def _true_labels(
    dataset: Dataset, hard: np.ndarray, given: np.ndarray
) -> tuple[np.ndarray | None, str]:
    """The true labels, -1 where there is none; or None, and why."""
    if not dataset.source.num_classes:
        return None, "The data set has no labels."
    true = to_hard_labels(dataset.source.labels("train"))
    if len(true) != len(hard):
        return None, "The data set here has another number of images."
    if not (~given & (true >= 0)).any():
        return None, "No label was hidden: the truth is not known."
    return true, ""


def _histogram(
    manifest: dict[str, Any],
    confidence: np.ndarray | None,
    hard: np.ndarray,
    given: np.ndarray,
    true: np.ndarray | None,
) -> tuple[Sequence[float], dict[str, Sequence[float]]]:
    if confidence is None:
        stored = manifest.get("confidence_of_inferred_labels")
        return (stored["edges"], {"all": stored["images"]}) if stored else ((), {})
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    groups = {"all": ~given}
    if true is not None:
        known = ~given & (true >= 0)
        groups = {"right": known & (true == hard), "wrong": known & (true != hard)}
    return edges.tolist(), {
        name: np.histogram(confidence[mask], edges)[0].tolist() for name, mask in groups.items()
    }


def _compare(
    dataset: Dataset,
    hard: np.ndarray,
    given: np.ndarray,
    true: np.ndarray,
    confidence: np.ndarray | None,
) -> Truth:
    classes = row_names(dataset.source.class_names, range(dataset.source.num_classes or 0))
    hidden = ~given & (true >= 0)
    size = max(int(hard.max()) + 1, len(classes))
    matrix = np.zeros([len(classes), size], int)
    np.add.at(matrix, (true[hidden], hard[hidden]), 1)
    is_classes = confidence is not None  # Clusters have no probabilities.
    names = classes
    if not is_classes:
        # Next to each other where the same class is the most frequent one.
        order = np.lexsort((-matrix.max(axis=0), matrix.argmax(axis=0)))
        matrix, names = matrix[:, order], [f"cluster {i}" for i in order]
    return Truth(
        matrix=matrix[:MOST_CLASSES, :MOST_CLASSES],
        totals=matrix.sum(axis=1)[:MOST_CLASSES].tolist(),
        num_classes=len(classes),
        rows=classes[:MOST_CLASSES],
        columns=names[:MOST_CLASSES],
        accuracy=float(np.mean(true[hidden] == hard[hidden])) if is_classes else None,
        wrong=_wrong(dataset, hidden, true, hard, confidence, classes) if is_classes else (),
    )


def _wrong(
    dataset: Dataset,
    hidden: np.ndarray,
    true: np.ndarray,
    hard: np.ndarray,
    confidence: np.ndarray | None,
    classes: Sequence[str],
) -> Sequence[Wrong]:
    places = np.flatnonzero(hidden & (true != hard))
    if confidence is not None:
        places = places[np.argsort(-confidence[places], kind="stable")]
    places = places[:_PICTURED]
    if not len(places):
        return ()
    chosen = np.isin(np.arange(len(hard)), places)
    # Each image comes with its index in place of its label.
    indices = np.flatnonzero(chosen).astype(np.int32)
    batches = select(dataset.source, chosen).evaluation("train", 64, len(places), indices)
    images = {
        int(i): shrunk(as_uint8(image))
        for batch, found in batches
        for image, i in zip(batch, found, strict=True)
    }
    return [
        Wrong(
            image=images[int(i)],
            true=classes[true[i]],
            inferred=classes[hard[i]],
            confidence=None if confidence is None else float(confidence[i]),
        )
        for i in places
    ]
