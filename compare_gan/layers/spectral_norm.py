"""Spectral normalization: a kernel divided by its largest singular value, by power iteration."""

import math
from typing import Any

import gin
import keras
from keras import ops

from compare_gan.errors import check_range, unknown_name

_SIDES = ("left", "right", "auto")


def _l2_normalize(x, epsilon):
    # The clamp applies to the squared norm, as in TensorFlow's l2_normalize.
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x)), epsilon))


@gin.configurable("spectral_norm")
class SpectralNorm:
    """Settings of spectral normalization (gin scope `spectral_norm`) and its one step.

    https://arxiv.org/abs/1802.05957

    Args:
      epsilon: Lower bound of squared norms when vectors are normalized.
      singular_value: Which singular vector is kept between steps: `left` (length: product of the
        kernel's axes but the last), `right` (length: its last axis), or `auto`, the shorter one.

    Raises:
      UserError: `singular_value` is none of the three, or `epsilon` is negative.
    """

    def __init__(self, epsilon: float = 1e-12, singular_value: str = "left"):
        if singular_value not in _SIDES:
            raise unknown_name("spectral_norm.singular_value", singular_value, _SIDES)
        check_range("spectral_norm.epsilon", epsilon)
        self.epsilon = epsilon
        self.singular_value = singular_value

    @classmethod
    def of(cls, spectral_norm: "bool | dict | SpectralNorm | None") -> "SpectralNorm | None":
        """What a layer's argument `spectral_norm` means.

        Args:
          spectral_norm: False or None for none, True for gin's settings; or the settings
            themselves, as an object or (from a layer's config) as a dictionary.
        """
        if not spectral_norm:
            return None
        if isinstance(spectral_norm, cls):
            return spectral_norm
        return cls(**(spectral_norm if isinstance(spectral_norm, dict) else {}))

    def get_config(self) -> dict:
        return {"epsilon": self.epsilon, "singular_value": self.singular_value}

    def u_shape(self, w_shape) -> tuple[int, int]:
        """Shape of the stored singular vector: [rows, 1] (left) or [1, columns] (right)."""
        rows, columns = math.prod(w_shape[:-1]), w_shape[-1]
        return (rows, 1) if self._keeps_left(w_shape) else (1, columns)

    def _keeps_left(self, w_shape) -> bool:
        if self.singular_value == "auto":
            return math.prod(w_shape[:-1]) <= w_shape[-1]
        return self.singular_value == "left"

    def __call__(self, w, u):
        """One power iteration.

        Args:
          w: Kernel [..., units], float32.
          u: The stored vector, of `u_shape(w.shape)`.

        Returns:
          `w` divided by the estimated largest singular value (differentiable with respect to `w`,
          the vectors being constants; a kernel of zeros stays as it is), and the new `u`.
        """

        def normalize(x):
            return ops.stop_gradient(_l2_normalize(x, self.epsilon))

        with keras.name_scope("power_iteration"):  # So that profiles can tell what it costs.
            matrix = ops.reshape(w, (-1, w.shape[-1]))
            if self._keeps_left(w.shape):
                v = normalize(ops.matmul(ops.reshape(u, (1, -1)), matrix))
                product = ops.matmul(matrix, ops.reshape(v, (-1, 1)))
            else:
                v = normalize(ops.matmul(matrix, ops.reshape(u, (-1, 1))))
                product = ops.matmul(ops.reshape(v, (1, -1)), matrix)
            new_u = normalize(product)
            sigma = ops.sum(new_u * product)
        return w / ops.where(sigma > 0, sigma, 1.0), new_u


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
    """Base of all layers that take the argument `spectral_norm`.

    A subclass with a kernel of its own calls `add_kernel` in `build` and `normalized_kernel` in
    `call`; others hand `self.spectral_norm` on to the layers that they consist of.

    Args:
      name: Name of the layer.
      spectral_norm: Whether kernels are spectrally normalized; see `SpectralNorm.of`.
    """

    def __init__(
        self, name: str | None = None, spectral_norm: bool | dict | SpectralNorm = False, **kwargs
    ):
        super().__init__(name=name, **kwargs)
        self.spectral_norm = SpectralNorm.of(spectral_norm)

    def add_kernel(self, shape, initializer) -> None:
        """Adds the weight `kernel` and, under spectral normalization, its vector `u_var`."""
        normalized = self.spectral_norm is not None
        # Singular values are estimated in float32 also where the layer computes in half precision.
        self.kernel = self.add_weight(
            shape=shape, initializer=initializer, autocast=not normalized, name="kernel"
        )
        self.u_var = None
        if normalized:
            # A function of the weights, which are equal on all replicas: so is the update.
            self.u_var = self.add_weight(
                shape=self.spectral_norm.u_shape(shape),
                initializer="random_normal",
                dtype="float32",
                trainable=False,
                autocast=False,
                aggregation="only_first_replica",
                name="u_var",
            )

    def normalized_kernel(self, training: bool | None):
        """The kernel to compute with; in training the singular vector moves one step on."""
        if self.spectral_norm is None:
            return ops.cast(self.kernel, self.compute_dtype)
        kernel, new_u = self.spectral_norm(ops.cast(self.kernel, "float32"), self.u_var)
        if training:
            self.u_var.assign(new_u)
        return ops.cast(kernel, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        # Keras's own get_config serializes the dtype policy, and for that imports TensorFlow under
        # every backend. Networks read the configs of their normalizations when they are made.
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": _policy_config(self.dtype_policy),
            "spectral_norm": self.spectral_norm and self.spectral_norm.get_config(),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = keras.regularizers.serialize(self.activity_regularizer)
        return config


def _policy_config(policy: keras.DTypePolicy) -> str | dict[str, Any]:
    """What a layer's argument `dtype` takes: the name of a plain policy, else its config."""
    if type(policy) is keras.DTypePolicy:
        return policy.name
    return keras.dtype_policies.serialize(policy)
