"""Labels as arrays: hard or soft, chosen and hidden.

Hard labels are int32 [n], -1 for none; soft ones float32 [n, num_classes], a row of zeros for none.
"""

from collections.abc import Sequence

import numpy as np

from compare_gan.errors import UserError, check_number

# Soft labels may have been stored with few digits.
_SOFT_TOLERANCE = 0.01


def check_fraction(fraction: float) -> None:
    """Raises UserError if this is no fraction of labels to keep."""
    check_number("dataset.labeled_fraction", fraction)
    if not 0 < fraction <= 1:
        raise UserError(
            f"dataset.labeled_fraction must be above 0 and at most 1, received {fraction!r}."
        )


def choose_labelled(
    labels: np.ndarray,
    fraction: float,
    seed: int,
    class_names: Sequence[str],
) -> np.ndarray:
    """Chooses at random, within each class, the examples that keep their label.

    Args:
      labels: int [n], -1 for none.
      fraction: In (0, 1]; of a class with m examples round(fraction · m) keep their label.
      seed: Equal seeds choose equally; a greater fraction keeps a superset.
      class_names: One for each class.

    Returns:
      bool [n].

    Raises:
      UserError: `fraction` is not in (0, 1], or leaves a class without a labelled example, or a
        class has no example.
    """
    check_fraction(fraction)
    rank = np.random.default_rng(seed).permutation(len(labels))
    labelled = np.zeros(len(labels), bool)
    for label, name in enumerate(class_names):
        members = np.flatnonzero(labels == label)
        if not len(members):
            raise UserError(f"The class '{name}' has no images to train on.")
        count = round(fraction * len(members))
        if not count:
            raise UserError(
                f"dataset.labeled_fraction = {fraction} leaves none of the {len(members)} images "
                f"of the class '{name}' labelled."
            )
        labelled[members[np.argsort(rank[members])[:count]]] = True
    return labelled


def hide(labels: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """`labels`, hard or soft, where `labelled` (bool [n]); no label elsewhere."""
    if labels.ndim == 2:
        return np.where(labelled[:, None], labels, 0).astype(np.float32)
    return np.where(labelled, labels, -1).astype(np.int32)


def likeliest(labels: np.ndarray) -> np.ndarray:
    """Hard labels: of soft ones the likeliest class, -1 where they sum to one half at most."""
    if labels.ndim == 1:
        return labels
    return np.where(labels.sum(1) > 0.5, labels.argmax(1), -1).astype(np.int32)


def check_soft(labels: np.ndarray, where: str) -> None:
    """Raises UserError unless each row of soft labels sums to one or, for no label, is zero."""
    if not (np.isfinite(labels).all() and labels.min() >= 0):
        raise UserError(f"The soft labels in {where} must not be negative or NaN.")
    sums = labels.sum(1)
    wrong = np.flatnonzero((abs(sums - 1) > _SOFT_TOLERANCE) & (sums > 0))
    if len(wrong):
        raise UserError(
            f"The soft labels in {where} must sum to one for each image; those of {len(wrong)} do "
            f"not, the first sums to {sums[wrong[0]]:.4g}."
        )
