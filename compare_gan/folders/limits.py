"""Limits of labels, the same in every form of a data set."""

import numpy as np

from compare_gan.errors import UserError

MOST_CLASSES = 2**20
# Allows for probabilities that were stored with few digits.
_SUM_TOLERANCE = 0.01


def check_largest(label: int, where: str) -> None:
    """Raises UserError if a label is so large that memory for each class would be exhausted.

    Args:
      label: The largest label.
      where: The place that it comes from, for the message.

    Example:
      >>> from compare_gan.folders.limits import check_largest
      >>> check_largest(1000, "'a.npz'")
    """
    if label >= MOST_CLASSES:
        raise UserError(
            f"The label {label} in {where} is too large: classes count from 0 to at most "
            f"{MOST_CLASSES - 1:,}."
        )


def wrong_sums(labels: np.ndarray) -> np.ndarray:
    """The rows of soft labels, float [n, classes], whose probabilities do not add up to one.

    Returns:
      Their indices, int [k].

    Example:
      >>> import numpy as np
      >>> from compare_gan.folders.limits import wrong_sums
      >>> wrong_sums(np.array([[0.5, 0.5], [0.5, 0.2]])).tolist()
      [1]
    """
    return np.flatnonzero(abs(labels.sum(1) - 1) > _SUM_TOLERANCE)
