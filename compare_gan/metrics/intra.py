"""Intra-FID: the Fréchet distance within each class."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Arrays, Metric, SetSize
from compare_gan.metrics.collected import CollectedFields
from compare_gan.metrics.frechet import few_images_note, frechet_distance


def intra_frechet_distance(
    real_features: npt.ArrayLike,
    real_labels: npt.ArrayLike,
    fake_features: npt.ArrayLike,
    fake_labels: npt.ArrayLike,
) -> dict[int, float]:
    """Fréchet distance between the real and the generated images of each class.

    Papers: https://arxiv.org/abs/1802.05637, https://arxiv.org/abs/1706.08500.

    Args:
      real_features: Features of real images, [n, f].
      real_labels: Their classes, int [n]; images with a negative label are left out.
      fake_features: Features of generated images, [m, f].
      fake_labels: Their classes, int [m]; images with a negative label are left out.

    Returns:
      The distance by class, in ascending order of the classes; intra-FID is the mean.

    Raises:
      UserError: A class has fewer than 2 images in either set, no image has a label, the labels do
        not match the features, the widths differ, or a value is not finite.

    Example:
      >>> from compare_gan.metrics import intra_frechet_distance
      >>> real, fake = [[0.0], [2.0], [10.0], [12.0]], [[1.0], [3.0], [10.0], [12.0]]
      >>> distances = intra_frechet_distance(real, [0, 0, 1, 1], fake, [0, 0, 1, 1])
      >>> {c: round(distance, 6) for c, distance in distances.items()}
      {0: 1.0, 1: 0.0}
    """
    real, fake = as_feature_pair(real_features, fake_features)
    real_labels = _checked_labels(real_labels, len(real), "real")
    fake_labels = _checked_labels(fake_labels, len(fake), "generated")
    classes = [int(c) for c in np.union1d(real_labels, fake_labels) if c >= 0]
    if not classes:
        raise UserError("Intra-FID needs labels, but no image has one.")
    for name, labels in (("real", real_labels), ("generated", fake_labels)):
        for c in classes:
            count = np.count_nonzero(labels == c)
            if count < 2:
                raise _too_few(name, int(count), c)
    return {c: frechet_distance(real[real_labels == c], fake[fake_labels == c]) for c in classes}


def _too_few(name: str, count: int, label: int | str) -> UserError:
    remedy = ""
    if name == "generated":
        remedy = ": use more of them (num_fake), or draw classes in turn (evaluation.labels)"
    return UserError(
        f"Intra-FID needs at least 2 {name} images of each class, received {count} of class "
        f"{label}{remedy}."
    )


def _checked_labels(labels: npt.ArrayLike, count: int, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise UserError(
            f"The labels of {count} {name} images must be integers [{count}], received "
            f"{labels.dtype} {list(labels.shape)}."
        )
    return labels


@registry.register("metric", "intra_fid", paper="https://arxiv.org/abs/1802.05637")
class IntraFrechetInceptionDistance(Metric):
    """Mean over classes of the FID within each class (`_class_NAME`); lower is better.

    Where classes have no names, NAME is a number. Characters besides letters, digits, dots and
    hyphens become underscores.

    Each class needs at least 2 real and 2 generated images. With few images, the distance between
    equal distributions is biased upwards, so compare only scores from equal numbers of images.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import IntraFrechetInceptionDistance
      >>> labels = np.array([0, 0, 1, 1])
      >>> real = {"features": np.array([[0.0], [2.0], [10.0], [12.0]]), "labels": labels}
      >>> fake = {"features": np.array([[1.0], [3.0], [10.0], [12.0]]), "labels": labels}
      >>> metric = IntraFrechetInceptionDistance()
      >>> values = metric.value(real=real, fake=fake, class_names=["cat", "dog"])
      >>> {suffix: round(value, 6) for suffix, value in values.items()}
      {'': 0.5, 'class_cat': 1.0, 'class_dog': 0.0}
    """

    name = "intra_fid"
    canonical_name = "intra_fid"
    needs = frozenset({"features", "labels"})
    uses_real = True
    better = "lower"

    def statistics(self, num_images: int) -> CollectedFields:
        return CollectedFields("features", "labels")

    def check_sizes(self, fake: SetSize, real: SetSize | None = None) -> None:
        counts, class_names = {}, {}
        for name, size in (("generated", fake), ("real", real)):
            if size is not None and size.class_counts is not None:
                counts[name] = np.array(size.class_counts)
                class_names[name] = tuple(size.class_names or range(len(counts[name])))
        aligned = len(set(class_names.values())) == 1
        for name, each in counts.items():
            present = np.max(list(counts.values()), axis=0) > 0 if aligned else each > 0
            if few := np.flatnonzero(present & (each < 2)).tolist():
                raise _too_few(name, int(each[few[0]]), class_names[name][few[0]])

    def note(
        self, real: Arrays, fake: Arrays, class_names: Sequence[str] | None = None
    ) -> str | None:
        smallest = {}
        for arrays in (real, fake):
            classes, counts = np.unique(arrays["labels"][arrays["labels"] >= 0], return_counts=True)
            smallest[int(counts.min(initial=1_000_000))] = int(classes[counts.argmin()])
        count = min(smallest)
        label = f" of class {class_names[smallest[count]] if class_names else smallest[count]}"
        return few_images_note("Intra-FID", count, fake["features"].shape[1], label)

    def value(
        self, real: Arrays, fake: Arrays, class_names: Sequence[str] | None = None
    ) -> dict[str, float]:
        distances = intra_frechet_distance(
            real["features"], real["labels"], fake["features"], fake["labels"]
        )
        mean = float(np.mean(list(distances.values())))
        suffixes = _suffixes(class_names) if class_names else range(max(distances) + 1)
        return {"": mean} | {f"class_{suffixes[c]}": each for c, each in distances.items()}


def _suffixes(class_names: Sequence[str]) -> list[str]:
    """The names of classes as parts of the names of scores, all different."""
    plain = [re.sub(r"[^\w.-]", "_", name) for name in class_names]
    if len(set(plain)) == len(plain):
        return plain
    return [f"{name}_{number}" for number, name in enumerate(plain)]
