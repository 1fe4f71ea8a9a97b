"""Keras's initializers in NumPy: for equal integer seeds the values on TensorFlow.

They are equal up to rounding: a run has the same initial weights on both engines.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import initializers
from scipy import linalg

from compare_gan.backend import philox

Shape = tuple[int, ...]

# Standard deviation of a standard normal distribution that is cut at two.
_TRUNCATED_STDDEV = 0.87962566103423978


def in_numpy(initializer: Any) -> Callable[[Shape], np.ndarray] | None:
    """The function from a shape to the values of an initializer; None if it has no such form.

    Args:
      initializer: Keras initializer, or any function of shape and dtype.

    Returns:
      Function from a shape to a float32 array, which is always the same.
    """
    # A subclass that overrides the call is not what it is derived from.
    compute = _FORMS.get(type(initializer).__call__)
    with_axes = any(getattr(initializer, f"{side}_axes", None) for side in ("input", "output"))
    if compute is None or with_axes or not isinstance(getattr(initializer, "seed", 0), int):
        return None
    return lambda shape: np.asarray(compute(initializer, shape), np.float32)


def _normal(shape: Shape, seed: int) -> np.ndarray:
    count = math.prod(shape)
    words = philox.numpy_words(count + count % 2, _pair(seed))
    return philox.normal(words)[:count].reshape(shape)


def _uniform(shape: Shape, seed: int, least: float, most: float) -> np.ndarray:
    draws = philox.unit(philox.numpy_words(math.prod(shape), _pair(seed))).reshape(shape)
    return draws * np.float32(most - least) + np.float32(least)


def _truncated_normal(shape: Shape, seed: int) -> np.ndarray:
    """Standard normal numbers, of which those beyond two standard deviations are left out."""
    count = math.prod(shape)
    values = np.empty((-(-count // 4), 4), np.float32)
    # As in TensorFlow, each row has 256 blocks of random words of its own.
    filled, rows, block = np.zeros(len(values), int), np.arange(len(values)), 0
    while len(rows):
        blocks = (256 * rows + block).astype(np.uint32)
        for draws in philox.normal(philox.numpy_blocks(blocks, _pair(seed))).T:
            used = (np.abs(draws) < 2) & (filled[rows] < 4)
            values[rows[used], filled[rows[used]]] = draws[used]
            filled[rows[used]] += 1
        rows, block = rows[filled[rows] < 4], block + 1
    return values.reshape(-1)[:count].reshape(shape)


def _pair(seed: int) -> np.ndarray:
    """The seed that Keras passes to TensorFlow."""
    return np.array([seed % (2**31 - 2), 0], np.int32)


def _variance_scaling(initializer: Any, shape: Shape) -> np.ndarray:
    receptive_field = math.prod(shape[:-2])
    fan_in = receptive_field * shape[-2] if len(shape) > 1 else math.prod(shape)
    fan_out = receptive_field * shape[-1] if len(shape) > 1 else math.prod(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    stddev = math.sqrt(initializer.scale / max(1.0, fan[initializer.mode]))
    if initializer.distribution == "truncated_normal":
        return _truncated_normal(shape, initializer.seed) * (stddev / _TRUNCATED_STDDEV)
    if initializer.distribution == "untruncated_normal":
        return _normal(shape, initializer.seed) * stddev
    limit = math.sqrt(3.0) * stddev
    return _uniform(shape, initializer.seed, -limit, limit)


def _orthogonal(initializer: Any, shape: Shape) -> np.ndarray:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    drawn = _normal((max(rows, columns), min(rows, columns)), initializer.seed)
    q = orthonormal(drawn)
    return initializer.gain * (q if rows >= columns else q.T).reshape(shape)


def orthonormal(a: np.ndarray) -> np.ndarray:
    """Q of the decomposition A = QR in which R's diagonal is positive, which makes it unique."""
    rows, columns = a.shape
    if rows < 2 * columns:
        q, r = np.linalg.qr(a)
        return q * np.sign(np.diag(r))
    # Singular values of a tall matrix of independent draws differ by less than a factor of six:
    # RᵀR = AᵀA loses no digits then. These products use all cores, a QR decomposition does not.
    lower = np.linalg.cholesky(a.T @ a)
    return linalg.solve_triangular(lower, a.T, lower=True, check_finite=False).T


def _forms() -> dict[Any, Callable[[Any, Shape], Any]]:
    """The functions that compute what the calls of Keras's classes compute."""
    forms: dict[type, Callable[[Any, Shape], Any]] = {
        initializers.Zeros: lambda _, shape: np.zeros(shape),
        initializers.Ones: lambda _, shape: np.ones(shape),
        initializers.Constant: lambda i, shape: np.full(shape, i.value),
        initializers.RandomNormal: lambda i, shape: i.mean + i.stddev * _normal(shape, i.seed),
        initializers.RandomUniform: lambda i, shape: _uniform(shape, i.seed, i.minval, i.maxval),
        initializers.TruncatedNormal: lambda i, shape: (
            i.mean + i.stddev * _truncated_normal(shape, i.seed)
        ),
        initializers.VarianceScaling: _variance_scaling,
        initializers.Orthogonal: _orthogonal,
    }
    return {cls.__call__: compute for cls, compute in forms.items()}


_FORMS = _forms()
