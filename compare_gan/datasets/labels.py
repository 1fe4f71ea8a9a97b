"""Labels as arrays: hard or soft, given or hidden.

Hard labels are int32 [n], -1 for no label; soft labels float32 [n, num_classes], a row of zeros for
no label. A `given_mask`, bool [n], marks the examples with a given label, the only true labels that
training may see; the others are hidden. See docs/glossary.md.
"""

from collections.abc import Sequence

import numpy as np

from compare_gan.errors import UserError, check_number
from compare_gan.folders.limits import wrong_sums


def check_fraction(fraction: float, name: str = "dataset.labeled_fraction") -> None:
    """Raises UserError unless this option, by its name, is a fraction: a number in (0, 1]."""
    check_number(name, fraction)
    if not 0 < fraction <= 1:
        raise UserError(f"{name} must be above 0 and at most 1, received {fraction!r}.")


def choose_images(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Chooses a fraction of the images at random, within each class.

    Args:
      labels: int [n], -1 for no label; images without one are chosen from as if they were a class.
      fraction: Fraction in (0, 1]: round(fraction · m) of the m images of a class, at least one.
      seed: Equal seeds choose equally; a greater fraction chooses a superset.

    Returns:
      The chosen images, bool [n].

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets.labels import choose_images
      >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2])
      >>> np.bincount(labels[choose_images(labels, fraction=0.5, seed=547)]).tolist()
      [2, 2, 1]
    """
    check_fraction(fraction, "dataset.fraction")
    # Another stream than that of `choose_given`, which chooses among the chosen.
    rank = np.random.default_rng([seed, 1]).permutation(len(labels))
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        _choose(chosen, labels == label, fraction, rank)
    return chosen


def _choose(chosen: np.ndarray, members: np.ndarray, fraction: float, rank: np.ndarray) -> None:
    """Marks a fraction of the members in `chosen`, at least one: those of the lowest ranks."""
    indices = np.flatnonzero(members)
    count = max(1, round(fraction * len(indices)))
    chosen[indices[np.argsort(rank[indices])[:count]]] = True


def choose_given(
    true_labels: np.ndarray,
    fraction: float,
    seed: int,
    class_names: Sequence[str],
) -> np.ndarray:
    """Chooses at random, within each class, the examples whose label is given.

    Args:
      true_labels: int [n], -1 for no label.
      fraction: Fraction in (0, 1]: round(fraction · m) of the m labels of a class are given, and
        one of a rare class where that is none.
      seed: Equal seeds choose equally; a greater fraction chooses a superset.
      class_names: Names of the classes, for messages.

    Returns:
      The given mask, bool [n].

    Raises:
      UserError: `fraction` is not in (0, 1], a class has no example, or the fraction of all labels
        is less than one for each class.

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
    total = round(fraction * np.count_nonzero(true_labels >= 0))
    for label, name in enumerate(class_names):
        members = true_labels == label
        if not members.any():
            raise UserError(f"The class '{name}' has no images to train on.")
        if not round(fraction * members.sum()) and total < len(class_names):
            raise UserError(
                f"dataset.labeled_fraction = {fraction} leaves none of the {members.sum()} images "
                f"of the class '{name}' labelled: that fraction gives {total} labels in all, for "
                f"{len(class_names)} classes."
            )
        _choose(given_mask, members, fraction, rank)
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
    wrong = wrong_sums(labels)
    wrong = wrong[sums[wrong] > 0]
    if len(wrong):
        raise UserError(
            f"The soft labels in {where} must sum to one for each image; those of {len(wrong)} do "
            f"not, the first of which sum to {sums[wrong[0]]:.4g}."
        )
