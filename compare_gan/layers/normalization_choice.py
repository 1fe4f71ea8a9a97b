"""The normalization that a network or block was given: made, called and serialized."""

import inspect
from collections.abc import Callable

import keras

from compare_gan import registry
from compare_gan.registry import call_with_requested

# What a network decides for each of its normalizations: the rest of a config is settings.
_NOT_SETTINGS = ("name", "trainable", "dtype", "spectral_norm")


class Normalization:
    """A normalization class together with its settings, those of gin at this moment included.

    Called like the class: `normalization(name=…, spectral_norm=…)`. So what is made again from its
    config has the same normalizations, whatever gin says by then.

    Args:
      fn: A Keras layer class with the parameters `name` and `spectral_norm` (and more), or a
        function of these that returns such a layer.
    """

    def __init__(self, fn: Callable):
        layer = fn(name="normalization")
        config = layer.get_config()
        self.settings = {key: config[key] for key in config if key not in _NOT_SETTINGS}
        self.layer_class = type(layer)
        self.call = self.layer_class.call  # Its parameters say what the normalization needs.
        self.__name__ = self.layer_class.__name__

    @classmethod
    def of(cls, fn: "Callable | str | Normalization | None") -> "Normalization | None":
        """What an argument `batch_norm_fn` means, a registered name too; None for none."""
        return fn if fn is None or isinstance(fn, cls) else cls(registry.get("normalization", fn))

    def __call__(self, name: str, spectral_norm=False) -> keras.layers.Layer:
        return self.layer_class(name=name, spectral_norm=spectral_norm, **self.settings)

    def needs(self, name: str) -> bool:
        """Whether the layers cannot be called without the value of this name."""
        parameter = inspect.signature(self.call).parameters.get(name)
        return parameter is not None and parameter.default is parameter.empty

    def serialized(self) -> dict:
        """As JSON-ready values; see `deserialized`."""
        serialized = keras.saving.serialize_keras_object(self("normalization"))
        return serialized | {"config": dict(self.settings)}

    @classmethod
    def deserialized(cls, serialized: dict) -> "Normalization":
        layer_class = type(keras.saving.deserialize_keras_object(serialized))
        return cls(lambda name: layer_class(name=name, **serialized["config"]))


def normalize(norm: keras.layers.Layer | None, x, z=None, y=None, training=None):
    """`norm` of x, given what it asks for; x where there is no normalization."""
    if norm is None:
        return x
    return call_with_requested(norm, inputs=x, z=z, y=y, training=training)


def build_norm(norm: keras.layers.Layer | None, x_shape, z_shape=None, y_shape=None) -> None:
    """Builds `norm`, given the shapes that its `build` asks for; does nothing for None."""
    if norm is not None:
        # Keras's own custom is to name the first of them either way.
        call_with_requested(
            norm.build, input_shape=x_shape, inputs_shape=x_shape, z_shape=z_shape, y_shape=y_shape
        )
