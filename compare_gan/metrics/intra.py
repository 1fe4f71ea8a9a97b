"""Intra-FID: the Fréchet distance within each class."""

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.arrays import as_feature_pair
from compare_gan.metrics.base import Metric
from compare_gan.metrics.collected import Collected
from compare_gan.metrics.frechet import frechet_distance


def intra_frechet_distance(
    real_features, real_labels, fake_features, fake_labels
) -> dict[int, float]:
    """The Fréchet distance between the real and the generated images of each class.

    Papers: https://arxiv.org/abs/1802.05637, https://arxiv.org/abs/1706.08500.

    Args:
      real_features: [n, f].
      real_labels: int [n]; images with a negative one have no label and are left out.
      fake_features: [m, f].
      fake_labels: int [m], likewise.

    Returns:
      By class, in ascending order; intra-FID is the mean of the values.

    Raises:
      UserError: A class has fewer than 2 images in either set, no image has a label, labels do not
        fit the features, unequal widths, or a value that is not finite.
    """
    real, fake = as_feature_pair(real_features, fake_features)
    real_labels = _checked_labels(real_labels, len(real), "real")
    fake_labels = _checked_labels(fake_labels, len(fake), "generated")
    classes = [int(c) for c in np.union1d(real_labels, fake_labels) if c >= 0]
    if not classes:
        raise UserError("Intra-FID needs labels, and no image has one.")
    for name, labels in (("real", real_labels), ("generated", fake_labels)):
        for c in classes:
            count = np.count_nonzero(labels == c)
            if count < 2:
                raise UserError(
                    f"Intra-FID needs at least 2 {name} images of each class, received {count} of "
                    f"class {c}."
                )
    return {c: frechet_distance(real[real_labels == c], fake[fake_labels == c]) for c in classes}


def _checked_labels(labels, count: int, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise UserError(
            f"The labels of {count} {name} images must be integers [{count}], received "
            f"{labels.dtype} {list(labels.shape)}."
        )
    return labels


@registry.register("metric", "intra_fid", paper="https://arxiv.org/abs/1802.05637")
class IntraFrechetInceptionDistance(Metric):
    """Mean over classes of the FID within each (and each, `_class_N`); lower is better.

    Each class must have 2 real and 2 generated images at least. The fewer there are, the farther
    apart even equal distributions come out: compare only equal numbers of images.
    """

    name = "intra_fid"
    canonical_name = "intra_fid"
    needs = frozenset({"features", "labels"})
    uses_real = True

    def statistics(self, num_images):
        return Collected("features", "labels")

    def value(self, real, fake):
        distances = intra_frechet_distance(
            real["features"], real["labels"], fake["features"], fake["labels"]
        )
        mean = float(np.mean(list(distances.values())))
        return {"": mean} | {f"class_{c}": distance for c, distance in distances.items()}
