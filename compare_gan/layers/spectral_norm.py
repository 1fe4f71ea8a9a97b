"""Spectral normalization: a kernel divided by its largest singular value, by power iteration."""

import gin
import keras
from keras import ops

from compare_gan.errors import UserError

_SIDES = ("left", "right", "auto")


def _as_matrix(w):
    """[..., units] -> [rows, units]; rows is the product of all axes but the last."""
    return ops.reshape(w, (-1, w.shape[-1]))


def _l2_normalize(x, epsilon):
    # The clamp applies to the squared norm, as in TensorFlow's l2_normalize.
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x)), epsilon))


def iterates_left(w_shape, singular_value: str) -> bool:
    """Whether the stored vector is the left singular vector (one entry a row)."""
    if singular_value not in _SIDES:
        raise UserError(
            f"spectral_norm.singular_value must be one of {', '.join(_SIDES)}, received "
            f"'{singular_value}'."
        )
    rows, columns = 1, w_shape[-1]
    for size in w_shape[:-1]:
        rows *= size
    return singular_value == "left" or (singular_value == "auto" and rows <= columns)


@gin.configurable("spectral_norm")
class SpectralNorm:
    """Settings of spectral normalization (gin scope `spectral_norm`) and its one step.

    https://arxiv.org/abs/1802.05957

    Args:
      epsilon: Lower bound of squared norms when vectors are normalized.
      singular_value: Which singular vector is kept between steps: `left` (length: product of the
        kernel's axes but the last), `right` (length: its last axis), or `auto`, the shorter one.
    """

    def __init__(self, epsilon: float = 1e-12, singular_value: str = "left"):
        self.epsilon = epsilon
        self.singular_value = singular_value
        iterates_left((1, 1), singular_value)  # Refuses an unknown name at once.

    def u_shape(self, w_shape) -> tuple[int, int]:
        """Shape of the stored singular vector: [rows, 1] (left) or [1, columns] (right)."""
        rows = 1
        for size in w_shape[:-1]:
            rows *= size
        if iterates_left(w_shape, self.singular_value):
            return (rows, 1)
        return (1, w_shape[-1])

    def __call__(self, w, u):
        """One power iteration.

        Args:
          w: Kernel [..., units], float32.
          u: The stored vector, of `u_shape(w.shape)`.

        Returns:
          `w` divided by the estimated largest singular value (differentiable with respect to `w`,
          the vectors being constants), and the new `u`.
        """
        matrix = _as_matrix(w)
        constant = ops.stop_gradient(matrix)
        if iterates_left(w.shape, self.singular_value):
            v = _l2_normalize(ops.matmul(ops.transpose(constant), u), self.epsilon)
            new_u = _l2_normalize(ops.matmul(constant, v), self.epsilon)
            left, right = new_u, v
        else:
            v = _l2_normalize(ops.matmul(u, ops.transpose(constant)), self.epsilon)
            new_u = _l2_normalize(ops.matmul(v, constant), self.epsilon)
            left, right = ops.transpose(v), ops.transpose(new_u)
        left, right = ops.stop_gradient(left), ops.stop_gradient(right)
        sigma = ops.sum(left * ops.matmul(matrix, right))
        return w / sigma, ops.stop_gradient(new_u)


def spectral_norm(w, u, epsilon: float = 1e-12, singular_value: str = "left"):
    """Divides a kernel by its largest singular value, estimated by one power iteration.

    Args:
      w: Kernel [..., units], float32.
      u: The singular vector of the call before: [rows, 1] for `left`, [1, units] for `right`.
      epsilon: See `SpectralNorm`.
      singular_value: See `SpectralNorm`.

    Returns:
      (normalized kernel, new `u`).
    """
    return SpectralNorm(epsilon=epsilon, singular_value=singular_value)(w, u)


class SpectrallyNormalized(keras.layers.Layer):
    """Base of layers with a kernel that may be spectrally normalized.

    A subclass calls `add_kernel` in `build` and reads `normalized_kernel` in `call`.
    """

    def __init__(self, spectral_norm: bool = False, name: str | None = None, **kwargs):
        super().__init__(name=name, **kwargs)
        self.spectral_norm = spectral_norm
        self._normalizer = SpectralNorm() if spectral_norm else None

    def add_kernel(self, shape, initializer) -> None:
        """Adds the weight `kernel` and, under spectral normalization, its vector `u_var`."""
        self.kernel = self.add_weight(shape=shape, initializer=initializer, name="kernel")
        self.u_var = None
        if self.spectral_norm:
            # A function of the weights, which are equal on all replicas: so is the update.
            self.u_var = self.add_weight(
                shape=self._normalizer.u_shape(shape),
                initializer="random_normal",
                dtype="float32",
                trainable=False,
                aggregation="only_first_replica",
                name="u_var",
            )

    def normalized_kernel(self, training: bool | None):
        """The kernel to compute with; in training the singular vector moves one step on."""
        if not self.spectral_norm:
            return ops.cast(self.kernel, self.compute_dtype)
        kernel, new_u = self._normalizer(ops.cast(self.kernel, "float32"), self.u_var)
        if training:
            self.u_var.assign(new_u)
        return ops.cast(kernel, self.compute_dtype)
