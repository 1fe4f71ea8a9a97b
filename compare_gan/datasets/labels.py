"""Labels as arrays: hard or soft, given or hidden.

Hard labels are int32 [n], -1 for no label; soft labels float32 [n, num_classes], a row of zeros for
no label. A `given_mask`, bool [n], marks the examples with a given label, the only true labels that
training may see; the others are hidden. See docs/glossary.md.
"""

from collections.abc import Sequence

import numpy as np

from compare_gan.errors import UserError, check_number

# Allows for soft labels that were stored with few digits.
_SOFT_TOLERANCE = 0.01


def check_fraction(fraction: float) -> None:
    """Raises UserError unless this is a fraction of labels, a number in (0, 1]."""
    check_number("dataset.labeled_fraction", fraction)
    if not 0 < fraction <= 1:
        raise UserError(
            f"dataset.labeled_fraction must be above 0 and at most 1, received {fraction!r}."
        )


def choose_given(
    true_labels: np.ndarray,
    fraction: float,
    seed: int,
    class_names: Sequence[str],
) -> np.ndarray:
    """Chooses at random, within each class, the examples whose label is given.

    Args:
      true_labels: int [n], -1 for no label.
      fraction: Fraction in (0, 1]: round(fraction · m) of the m labels of a class are given.
      seed: Equal seeds choose equally; a greater fraction chooses a superset.
      class_names: Names of the classes, for messages.

    Returns:
      The given mask, bool [n].

    Raises:
      UserError: `fraction` is not in (0, 1], or leaves a class without a given label, or a
        class has no example.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.labels import choose_given
      >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
      >>> given_mask = choose_given(labels, fraction=0.5, seed=547, class_names=("cat", "dog"))
      >>> np.bincount(labels[given_mask]).tolist()
      [2, 2]
    """
    check_fraction(fraction)
    rank = np.random.default_rng(seed).permutation(len(true_labels))
    given_mask = np.zeros(len(true_labels), bool)
    for label, name in enumerate(class_names):
        members = np.flatnonzero(true_labels == label)
        if not len(members):
            raise UserError(f"The class '{name}' has no images to train on.")
        count = round(fraction * len(members))
        if not count:
            raise UserError(
                f"dataset.labeled_fraction = {fraction} leaves none of the {len(members)} images "
                f"of the class '{name}' labelled."
            )
        given_mask[members[np.argsort(rank[members])[:count]]] = True
    return given_mask


def hide_labels(labels: np.ndarray, given_mask: np.ndarray) -> np.ndarray:
    """`labels`, hard or soft, where `given_mask` (bool [n]) is true; no label elsewhere.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.labels import hide_labels
      >>> hide_labels(np.array([3, 1]), np.array([True, False])).tolist()
      [3, -1]
    """
    if labels.ndim == 2:
        return np.where(given_mask[:, None], labels, 0).astype(np.float32)
    return np.where(given_mask, labels, -1).astype(np.int32)


def to_hard_labels(labels: np.ndarray) -> np.ndarray:
    """Hard labels, int32 [n], from hard or soft ones.

    A soft label becomes its most probable class, or -1 if its probabilities sum to one half or
    less.

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.labels import to_hard_labels
      >>> to_hard_labels(np.array([[0.2, 0.8], [0.0, 0.0]])).tolist()
      [1, -1]
    """
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
            f"not, the first of which sum to {sums[wrong[0]]:.4g}."
        )
