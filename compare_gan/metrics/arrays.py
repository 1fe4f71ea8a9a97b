"""Checks of the arrays of features that users pass, before anything is computed."""

import numpy as np
import numpy.typing as npt

from compare_gan.errors import UserError

_LARGEST = 1e50


def as_matrix(array: npt.ArrayLike | None, name: str = "features") -> np.ndarray:
    """Converts to an array [n, f] of float32 or float64; other types become float64.

    Args:
      array: The values.
      name: Name of the values in error messages.

    Raises:
      UserError: The array is missing, does not have two dimensions, has no columns, or does not
        hold real numbers.
    """
    if array is None:
        raise UserError(f"The {name} are needed, received none.")
    array = np.asarray(array)
    if np.iscomplexobj(array):
        raise UserError(f"The {name} must be real numbers, received {array.dtype}.")
    if array.dtype not in (np.float32, np.float64):
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"The {name} must be numbers, received {array.dtype}.") from error
    if array.ndim != 2 or not array.shape[1]:
        raise UserError(
            f"The {name} must be [n, f] with f at least 1, received shape {list(array.shape)}."
        )
    return array


def as_features(
    array: npt.ArrayLike | None, name: str = "features", min_rows: int = 1
) -> np.ndarray:
    """Converts as `as_matrix` does, and checks the number of rows and the range of the values.

    Raises:
      UserError: See `as_matrix`; or there are fewer than `min_rows` rows, or a value is not finite
        or above 1e50.
    """
    array = as_matrix(array, name)
    if len(array) < min_rows:
        plural = "s" if min_rows > 1 else ""
        raise UserError(
            f"The {name} must cover at least {min_rows} image{plural}, received {len(array)}."
        )
    largest = float(np.maximum(array.max(), -array.min()))  # NaN if there is one.
    if not np.isfinite(largest):
        raise UserError(f"The {name} must be finite, received NaN or inf.")
    if largest > _LARGEST:
        raise UserError(
            f"The {name} must stay below {_LARGEST:.0g}, beyond which products overflow, received "
            f"{largest:.1g}."
        )
    return array


def as_feature_pair(
    real: npt.ArrayLike, fake: npt.ArrayLike, min_rows: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Checks features of real and generated images, which must have the same width.

    Raises:
      UserError: See `as_features`; or the widths differ.
    """
    real = as_features(real, "real features", min_rows)
    fake = as_features(fake, "generated features", min_rows)
    if real.shape[1] != fake.shape[1]:
        raise UserError(
            f"Real and generated features must have the same width, received {real.shape[1]} and "
            f"{fake.shape[1]}."
        )
    return real, fake
