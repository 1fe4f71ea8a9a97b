"""The normalization that a network or block uses: construction, calls, serialization."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, Union

import keras

from compare_gan import registry
from compare_gan.layers.spectral_norm import SpectrallyNormalized, SpectralNormLike
from compare_gan.registry import call_with_requested
from compare_gan.types import Tensor, TensorShape

# Constructor arguments of every layer; those beyond them are settings of a normalization.
_GENERAL = ("name", "trainable", "dtype", "spectral_norm")


class Normalization:
    """A normalization class together with its settings, including those from gin at construction.

    Called like the class: `normalization(name=…, spectral_norm=…)`. A network that is restored from
    its config therefore has the same normalizations, whatever gin says by then.

    Args:
      fn: A Keras layer class with the parameters `name` and `spectral_norm` (and others), or a
        function with these parameters that returns such a layer.

    Example:
      >>> from compare_gan.layers import ConditionalBatchNorm, Normalization
      >>> norm = Normalization(ConditionalBatchNorm)
      >>> norm.needs("y"), norm.needs("z")
      (True, False)
      >>> norm("bn1").name
      'bn1'
    """

    def __init__(self, fn: Callable[..., keras.layers.Layer]):
        layer = fn(name="normalization")
        self.settings = _settings(layer)
        self.layer_class: Any = type(layer)
        self.call = self.layer_class.call  # Its parameters say what the normalization needs.
        self.__name__ = self.layer_class.__name__

    @classmethod
    def of(
        cls, fn: Union[Callable[..., keras.layers.Layer], str, "Normalization", None]
    ) -> "Normalization | None":
        """Returns the normalization that an argument `batch_norm_fn` describes.

        Args:
          fn: A normalization, its class, its registered name, or None for none.

        Raises:
          UserError: No normalization is registered under this name.
        """
        if fn is None or isinstance(fn, cls):
            return fn
        return cls(registry.get("normalization", fn))

    def __call__(self, name: str, spectral_norm: SpectralNormLike = False) -> keras.layers.Layer:
        return self.layer_class(name=name, spectral_norm=spectral_norm, **self.settings)

    def needs(self, name: str) -> bool:
        """Whether the layers cannot be called without the value of this name."""
        parameter = inspect.signature(self.call).parameters.get(name)
        return parameter is not None and parameter.default is parameter.empty

    def serialized(self) -> dict[str, Any]:
        """Returns JSON-serializable values, which `deserialized` reads."""
        serialized = keras.saving.serialize_keras_object(self("normalization"))
        return serialized | {"config": dict(self.settings)}

    @classmethod
    def deserialized(cls, serialized: dict[str, Any]) -> "Normalization":
        """Returns the normalization that `serialized` has described."""
        layer_class = type(keras.saving.deserialize_keras_object(serialized))
        return cls(lambda name: layer_class(name=name, **serialized["config"]))


def _settings(layer: keras.layers.Layer) -> dict[str, Any]:
    """Returns the constructor arguments of a layer beyond those of every layer."""
    if type(layer).get_config is SpectrallyNormalized.get_config:
        return layer.settings()
    return {key: value for key, value in layer.get_config().items() if key not in _GENERAL}


# Values of a network's argument `batch_norm_fn`; see `Normalization.of`.
NormalizationLike: TypeAlias = Callable[..., keras.layers.Layer] | str | Normalization | None


def normalize(
    norm: keras.layers.Layer | None,
    x: Tensor,
    z: Tensor | None = None,
    y: Tensor | None = None,
    training: bool | None = None,
    activation: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Applies a normalization to `x`, if there is one, and then an activation.

    Args:
      norm: Layer whose `call` has a parameter `inputs`, and parameters for those of the other
        values that it needs; or None.
      x: [batch, …, channels].
      z: Latent [batch, z_dim], or None.
      y: Label [batch, num_classes], or None.
      training: Whether the network is in training mode.
      activation: Function of a tensor; None for none. It is left out after a normalization that
        contains an activation, which says so by an attribute `activates = True`.

    Returns:
      Tensor with the shape of `x`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import BatchNorm, SelfModulatedBatchNorm, normalize
      >>> x, z = ops.ones((2, 4, 4, 3)), ops.ones((2, 16))
      >>> for norm in (None, BatchNorm(), SelfModulatedBatchNorm()):
      ...     print(tuple(normalize(norm, x, z=z, training=True).shape))
      (2, 4, 4, 3)
      (2, 4, 4, 3)
      (2, 4, 4, 3)
    """
    if norm is not None:
        x = call_with_requested(norm, inputs=x, z=z, y=y, training=training)
    if activation is None or getattr(norm, "activates", False):
        return x
    return activation(x)


def build_norm(
    norm: keras.layers.Layer | None,
    x_shape: TensorShape,
    z_shape: TensorShape | None = None,
    y_shape: TensorShape | None = None,
) -> None:
    """Builds a normalization with the shapes that its `build` has parameters for, if there is one.

    Args:
      norm: Layer, or None.
      x_shape: Shape of its input.
      z_shape: Shape of the latent, or None.
      y_shape: Shape of the label, or None.
    """
    if norm is not None:
        # Keras uses either name for the first argument.
        call_with_requested(
            norm.build, input_shape=x_shape, inputs_shape=x_shape, z_shape=z_shape, y_shape=y_shape
        )
