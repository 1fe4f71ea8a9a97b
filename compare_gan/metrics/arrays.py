"""Arrays of features as users give them: checked before anything is computed."""

import numpy as np

from compare_gan.errors import UserError

_LARGEST = 1e50


def as_matrix(array, what: str = "features") -> np.ndarray:
    """An array [n, f] of float32 or float64; what is neither is turned into float64.

    Raises:
      UserError: It is not of two dimensions, has no columns, or is not made of real numbers.
    """
    array = np.asarray(array)
    if np.iscomplexobj(array):
        raise UserError(f"The {what} must be real numbers, received {array.dtype}.")
    if array.dtype not in (np.float32, np.float64):
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"The {what} must be numbers, received {array.dtype}.") from error
    if array.ndim != 2 or not array.shape[1]:
        raise UserError(
            f"The {what} must be [n, f] with f at least 1, received shape {list(array.shape)}."
        )
    return array


def as_features(array, what: str = "features", least: int = 1) -> np.ndarray:
    """As `as_matrix`; also refuses fewer than `least` rows, what is not finite, and above 1e50."""
    array = as_matrix(array, what)
    if len(array) < least:
        raise UserError(
            f"The {what} of at least {least} images are needed, received those of {len(array)}."
        )
    largest = float(np.maximum(array.max(), -array.min()))  # NaN if there is one.
    if not np.isfinite(largest):
        raise UserError(f"The {what} are not all finite.")
    if largest > _LARGEST:
        raise UserError(f"The {what} reach {largest:.1g}; above {_LARGEST:.0g} products overflow.")
    return array


def as_feature_pair(real, fake, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Features of real and generated images, of one width; see `as_features`."""
    real = as_features(real, "real features", least)
    fake = as_features(fake, "generated features", least)
    if real.shape[1] != fake.shape[1]:
        raise UserError(
            f"Real and generated features must be equally wide, received {real.shape[1]} and "
            f"{fake.shape[1]}."
        )
    return real, fake
