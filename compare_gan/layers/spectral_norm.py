"""Spectral normalization: a kernel divided by its largest singular value, by power iteration."""

import dataclasses
import math
from typing import Any, TypeAlias, Union

import gin
import keras
from keras import ops

from compare_gan import backend
from compare_gan.errors import check_range, unknown_name
from compare_gan.types import Tensor, TensorShape

_SIDES = ("left", "right", "auto")


def _l2_normalize(x: Tensor, epsilon: float) -> Tensor:
    # The clamp applies to the squared norm, as in TensorFlow's l2_normalize.
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x)), epsilon))


@gin.configurable("spectral_norm")
@dataclasses.dataclass(frozen=True)
class SpectralNorm:
    """Settings of spectral normalization (gin scope `spectral_norm`), callable as one iteration.

    https://arxiv.org/abs/1802.05957

    Attributes:
      epsilon: Lower bound of squared norms when vectors are normalized.
      singular_value: Singular vector that is stored between steps: `left` (its length is the
        product of all axes of the kernel but the last), `right` (the length of the last axis) or
        `auto`, the shorter of the two.

    Raises:
      UserError: `singular_value` is none of the three, or `epsilon` is negative.

    Example:
      >>> from compare_gan.layers import Conv2D, SpectralNorm
      >>> layer = Conv2D(4, 3, spectral_norm=SpectralNorm(singular_value="auto"))
      >>> layer.build((None, 8, 8, 3))
      >>> tuple(layer.u_var.shape)
      (1, 4)
    """

    epsilon: float = 1e-12
    singular_value: str = "left"

    def __post_init__(self) -> None:
        if self.singular_value not in _SIDES:
            raise unknown_name("spectral_norm.singular_value", self.singular_value, _SIDES)
        check_range("spectral_norm.epsilon", self.epsilon)

    @classmethod
    def of(
        cls, spectral_norm: Union[bool, dict[str, Any], "SpectralNorm", None]
    ) -> "SpectralNorm | None":
        """Returns the settings that a layer's argument `spectral_norm` describes.

        Args:
          spectral_norm: False or None for no normalization; True for the settings of gin; settings
            as an object, or as the dictionary in a layer's config.
        """
        if not spectral_norm:
            return None
        if isinstance(spectral_norm, cls):
            return spectral_norm
        return cls(**(spectral_norm if isinstance(spectral_norm, dict) else {}))

    def get_config(self) -> dict[str, Any]:
        """Returns the settings as JSON-serializable values."""
        return dataclasses.asdict(self)

    def u_shape(self, w_shape: TensorShape) -> tuple[int, int]:
        """Shape of the stored singular vector: [rows, 1] (left) or [1, columns] (right)."""
        rows, columns = math.prod(w_shape[:-1]), w_shape[-1]
        return (rows, 1) if self._stores_left(w_shape) else (1, columns)

    def _stores_left(self, w_shape: TensorShape) -> bool:
        if self.singular_value == "auto":
            return math.prod(w_shape[:-1]) <= w_shape[-1]
        return self.singular_value == "left"

    def __call__(self, w: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """Runs one power iteration.

        Args:
          w: Kernel [..., units], float32.
          u: Stored singular vector, of shape `u_shape(w.shape)`.

        Returns:
          `w` divided by the estimate of its largest singular value (differentiable with respect to
          `w`, with the singular vectors as constants; a kernel of zeros is returned unchanged), and
          the new `u`.
        """

        def normalize(x: Tensor) -> Tensor:
            return ops.stop_gradient(_l2_normalize(x, self.epsilon))

        with keras.name_scope("power_iteration"):  # So that profiles show its cost.
            matrix = ops.reshape(w, (-1, w.shape[-1]))
            if self._stores_left(w.shape):
                v = normalize(ops.matmul(ops.reshape(u, (1, -1)), matrix))
                product = ops.matmul(matrix, ops.reshape(v, (-1, 1)))
            else:
                v = normalize(ops.matmul(matrix, ops.reshape(u, (-1, 1))))
                product = ops.matmul(ops.reshape(v, (1, -1)), matrix)
            new_u = normalize(product)
            sigma = ops.sum(new_u * product)
        return w / ops.where(sigma > 0, sigma, 1.0), new_u


# Values of a layer's argument `spectral_norm`; see `SpectralNorm.of`.
SpectralNormLike: TypeAlias = bool | dict[str, Any] | SpectralNorm | None


def spectral_norm(
    w: Tensor, u: Tensor, epsilon: float = 1e-12, singular_value: str = "left"
) -> tuple[Tensor, Tensor]:
    """Divides a kernel by its largest singular value, estimated by one power iteration.

    Args:
      w: Kernel [..., units], float32.
      u: Singular vector from the previous call: [rows, 1] for `left`, [1, units] for `right`.
      epsilon: Lower bound of squared norms; see `SpectralNorm`.
      singular_value: Singular vector that `u` is; see `SpectralNorm`.

    Returns:
      (normalized kernel, new `u`).

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import spectral_norm
      >>> w, u = ops.array([[3.0, 0.0], [0.0, 4.0]]), ops.array([[0.0], [1.0]])
      >>> normalized, u = spectral_norm(w, u)
      >>> ops.convert_to_numpy(normalized).tolist()
      [[0.75, 0.0], [0.0, 1.0]]
    """
    return SpectralNorm(epsilon=epsilon, singular_value=singular_value)(w, u)


class SpectrallyNormalized(keras.layers.Layer):
    """Base of all layers with the argument `spectral_norm`.

    A subclass with its own kernel calls `add_kernel` in `build` and `normalized_kernel` in `call`;
    a subclass that consists of other layers passes `self.spectral_norm` on to them.

    Args:
      name: Name of the layer.
      spectral_norm: Spectral normalization of the kernels; see `SpectralNorm.of`.
      **kwargs: Further arguments of `keras.layers.Layer`.
    """

    def __init__(
        self, name: str | None = None, spectral_norm: SpectralNormLike = False, **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        self.spectral_norm = SpectralNorm.of(spectral_norm)

    def add_weight(self, *args: Any, initializer: Any = None, **kwargs: Any) -> keras.Variable:
        """Adds a variable as `keras.layers.Layer` does; see `backend.initializer`."""
        initializer = initializer and backend.initializer(initializer)
        return super().add_weight(*args, initializer=initializer, **kwargs)

    def add_kernel(
        self, shape: tuple[int, ...], initializer: keras.initializers.Initializer
    ) -> None:
        """Adds the weight `kernel` and, under spectral normalization, its vector `u_var`."""
        settings = self.spectral_norm
        # Singular values are estimated in float32 also where the layer computes in half precision.
        self.kernel = self.add_weight(
            shape=shape, initializer=initializer, autocast=settings is None, name="kernel"
        )
        self.u_var: Any = None
        if settings is not None:
            # A function of the weights, which are equal on all replicas: so is the update.
            self.u_var = self.add_weight(
                shape=settings.u_shape(shape),
                initializer="random_normal",
                dtype="float32",
                trainable=False,
                autocast=False,
                aggregation="only_first_replica",
                name="u_var",
            )

    def normalized_kernel(self, training: bool | None) -> Tensor:
        """Returns the kernel to compute with; in training it also updates the singular vector."""
        if self.spectral_norm is None:
            return ops.cast(self.kernel, self.compute_dtype)
        kernel, new_u = self.spectral_norm(ops.cast(self.kernel, "float32"), self.u_var)
        if training:
            self.u_var.assign(new_u)
        return ops.cast(kernel, self.compute_dtype)

    def settings(self) -> dict[str, Any]:
        """Returns a subclass's own constructor arguments, as part of `get_config`.

        `Normalization` reads them: unlike `get_config` of Keras's layers, which imports TensorFlow
        on every backend, this needs nothing from Keras.
        """
        return {}

    def get_config(self) -> dict[str, Any]:
        spectral_norm = self.spectral_norm and self.spectral_norm.get_config()
        return super().get_config() | {"spectral_norm": spectral_norm} | self.settings()
