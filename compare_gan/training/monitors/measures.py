"""Numbers that monitors watch, from images and logits: pure NumPy."""

import numpy as np

_SIDE = 32  # Images are compared at this size at most.
_NEAR = 0.25  # A copy is nearer to its original than this share of the usual distance.


def as_vectors(images: np.ndarray) -> np.ndarray:
    """Images as vectors for comparisons, averaged down to at most 32 x 32 pixels.

    Args:
      images: uint8 [n, H, W, C], or float in [0, 1].

    Returns:
      float32 [n, d], in [0, 1].

    Example:
      >>> import numpy as np
      >>> from compare_gan.training.monitors.measures import as_vectors
      >>> as_vectors(np.full([2, 64, 64, 3], 255, np.uint8)).shape
      (2, 3072)
    """
    n, height, width, channels = images.shape
    scale = np.float32(1 / 255 if images.dtype == np.uint8 else 1)
    rows, columns = max(1, height // _SIDE), max(1, width // _SIDE)
    cropped = images[:, : height - height % rows, : width - width % columns]
    blocks = cropped.reshape(n, height // rows, rows, width // columns, columns, channels)
    return blocks.mean(axis=(2, 4), dtype=np.float32).reshape(n, -1) * scale


def nearest_distances(vectors: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """The root mean square difference of each vector to the nearest of others.

    Args:
      vectors: float32 [n, d].
      others: float32 [m, d]; None = the other vectors, of which there must be one.

    Returns:
      float32 [n].

    Example:
      >>> import numpy as np
      >>> from compare_gan.training.monitors.measures import nearest_distances
      >>> nearest_distances(np.array([[0.0], [1.0], [1.5]], np.float32)).tolist()
      [1.0, 0.5, 0.5]
    """
    second = vectors if others is None else others
    squares = (
        np.sum(vectors**2, axis=1)[:, None] - 2 * vectors @ second.T + np.sum(second**2, axis=1)
    )
    if others is None:
        np.fill_diagonal(squares, np.inf)
    return np.sqrt(np.maximum(squares.min(axis=1), 0) / vectors.shape[1])


def variety(fakes: np.ndarray, reals: np.ndarray) -> float | None:
    """The distance between neighbours among generated images, as a share of that among real ones.

    It is the median over the images, and small for one mode as well as for a few.

    Args:
      fakes: float32 [n, d], from `as_vectors`.
      reals: float32 [m, d]; as many of them as there are fakes are compared.

    Returns:
      The share; None if there are too few images, or the real ones are all equal.

    Example:
      >>> import numpy as np
      >>> from compare_gan.training.monitors.measures import variety
      >>> reals = np.eye(4, dtype=np.float32)
      >>> round(variety(reals / 2, reals), 6), variety(np.ones((4, 4), np.float32), reals)
      (0.5, 0.0)
    """
    count = min(len(fakes), len(reals))
    if count < 2:
        return None
    usual = float(np.median(nearest_distances(reals[:count])))
    return float(np.median(nearest_distances(fakes[:count]))) / usual if usual > 1e-4 else None


def share_inside(images: np.ndarray) -> float:
    """The share of the pixels that are neither black nor white, within one level of 255.

    Example:
      >>> import numpy as np
      >>> from compare_gan.training.monitors.measures import share_inside
      >>> share_inside(np.array([0, 1, 128, 255], np.uint8))
      0.25
    """
    levels = images if images.dtype == np.uint8 else images * 255
    return float(np.mean((levels > 1) & (levels < 254)))


def share_of_copies(fakes: np.ndarray, reals: np.ndarray) -> float | None:
    """The share of generated images that are copies of real ones.

    A copy is four times as near to a real image as half of the real images are to each other.

    Args:
      fakes: float32 [n, d], from `as_vectors`.
      reals: float32 [m, d].

    Returns:
      The share; None if there are too few real images.

    Example:
      >>> import numpy as np
      >>> from compare_gan.training.monitors.measures import share_of_copies
      >>> reals = np.eye(4, dtype=np.float32)
      >>> share_of_copies(np.concatenate([reals[:1], np.zeros((3, 4), np.float32)]), reals)
      0.25
    """
    if len(reals) < 2:
        return None
    usual = np.median(nearest_distances(reals))
    return float(np.mean(nearest_distances(fakes, reals) < _NEAR * usual)) if usual > 0 else None


def overfitting(
    trained: np.ndarray, held_out: np.ndarray, fakes: np.ndarray
) -> tuple[float, float] | None:
    """The overfitting of a discriminator: r_v in https://arxiv.org/abs/2006.06676.

    Args:
      trained: Logits of real images that it was trained on, float [n].
      held_out: Logits of real images that it was not trained on, float [m].
      fakes: Logits of generated images, float [k].

    Returns:
      The distance between trained and held-out images as a share of that between trained and
      generated ones: 0 = none, 1 = held-out images are judged like generated ones; and the first
      distance in standard errors. None if it does not tell trained from generated images apart.

    Example:
      >>> import numpy as np
      >>> from compare_gan.training.monitors.measures import overfitting
      >>> logits = np.array([-0.1, 0.1])
      >>> share, errors = overfitting(logits + 2, logits + 0.5, logits - 1)
      >>> round(share, 6), errors > 4
      (0.5, True)
    """
    whole = trained.mean() - fakes.mean()
    if whole <= 3 * _error(trained, fakes):
        return None
    part = trained.mean() - held_out.mean()
    return float(part / whole), float(part / max(_error(trained, held_out), 1e-12))


def _error(a: np.ndarray, b: np.ndarray) -> float:
    """The standard error of the difference of two means."""
    return float(np.sqrt(a.var() / len(a) + b.var() / len(b)))
