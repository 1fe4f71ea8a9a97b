"""What the architectures share: options of gin scopes `G` and `D`, checks, serialization.

A family is a module with two Keras models, `Generator` and `Discriminator`, each decorated with
`@network`, and one line in `architectures/__init__.py` (or, outside this package, a call of
`registry.add("architecture", name, module)`).
"""

import inspect
import logging
from collections.abc import Callable

import keras

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.layers import LayerNorm, SpectralNorm
from compare_gan.utils import call_with_requested

_log = logging.getLogger(__name__)

Shape = tuple[int, int, int]
SpectralSetting = bool | dict | SpectralNorm


def network(cls: type) -> type:
    """Class decorator: serializable by Keras, configurable by gin, as `<module>.<class>`.

    So `architectures/sndcgan.py`'s generator is `sndcgan.Generator` in both.
    """
    family = cls.__module__.rsplit(".", 1)[-1]
    cls = keras.saving.register_keras_serializable(f"compare_gan.{family}")(cls)
    return registry.gin_configurable()(cls)


class Normalization:
    """A normalization class together with its settings, those of gin at this moment included.

    Called like the class: `normalization(name=…, spectral_norm=…)`. So a network that is made
    again from its config has the same normalizations, whatever gin says by then.

    Args:
      fn: A Keras layer class with the parameters `name` and `spectral_norm` (and more), or a
        function of these that returns such a layer.
    """

    def __init__(self, fn: Callable):
        layer = fn(name="normalization")
        not_settings = {*keras.layers.Layer().get_config(), "spectral_norm"}
        config = layer.get_config()
        self.settings = {key: config[key] for key in config if key not in not_settings}
        self.layer_class = type(layer)
        self.call = self.layer_class.call  # Its parameters say what the normalization needs.
        self.__name__ = self.layer_class.__name__

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


class _Network(keras.Model):
    """Base of both networks: a Keras model called with a pair whose second entry is y or None."""

    # Options of `G` or `D` that the family has no use for.
    unused_options: tuple[str, ...] = ()

    def __init__(
        self, image_shape: Shape, batch_norm_fn, spectral_norm: SpectralSetting, name: str
    ):
        super().__init__(name=name)
        self.image_shape = tuple(image_shape)
        if len(self.image_shape) != 3 or self.image_shape[2] not in (1, 3):
            raise UserError(
                f"Networks are made for images of shape (height, width, 1 or 3 channels), "
                f"received {self.image_shape}."
            )
        if batch_norm_fn is not None:
            batch_norm_fn = Normalization(registry.get("normalization", batch_norm_fn))
        self.batch_norm_fn = batch_norm_fn
        # What layers are given: the settings of now, not those of when they are built.
        self.kernel_norm = SpectralNorm.of(spectral_norm)
        self.spectral_norm = self.kernel_norm is not None

    def build(self, input_shape):
        """Builds all layers by one symbolic forward: the model then has all its variables.

        Args:
          input_shape: A pair of shapes, that of y None where there is none.

        Raises:
          UserError: A normalization needs what the network is not given, or z does not fit.
        """
        shapes = [None if shape is None else tuple(shape) for shape in input_shape]
        self.check_inputs(*shapes)
        inputs = [s if s is None else keras.KerasTensor(s, self.compute_dtype) for s in shapes]
        self.compute_output_spec(tuple(inputs), training=False)

    def check_inputs(self, first: tuple, y: tuple | None) -> None:
        """Raises UserError if inputs of these shapes cannot be used; before variables exist."""
        if y is None and self.batch_norm_fn is not None and self.batch_norm_fn.needs("y"):
            raise UserError(
                f"The {self.name}'s normalization {self.batch_norm_fn.__name__} needs labels, but "
                "is given none: train conditionally or choose another batch_norm_fn."
            )

    def make_norm(self, name: str) -> keras.layers.Layer | None:
        """A normalization as the options say; None for none."""
        if self.batch_norm_fn is None:
            return None
        return self.batch_norm_fn(name, self.kernel_norm)

    def get_config(self):
        norm = self.batch_norm_fn
        return {
            "name": self.name,
            "image_shape": self.image_shape,
            "batch_norm_fn": None if norm is None else norm.serialized(),
            "spectral_norm": self.kernel_norm and self.kernel_norm.get_config(),
        }

    @classmethod
    def from_config(cls, config):
        """The network as it was, whatever gin says now: a config holds every value."""
        norms = {
            key: Normalization.deserialized(value)
            for key, value in config.items()
            if isinstance(value, dict) and "class_name" in value
        }
        return cls(**(config | norms))

    def _warn_of_unused_options(self, scope: str, **options) -> None:
        for option in self.unused_options:
            if options[option]:
                family = type(self).__module__.rsplit(".", 1)[-1]
                _log.warning("%s.%s has no effect on %s.", scope, option, family)


@registry.gin_configurable("G")
class Generator(_Network):
    """Base of generators: a Keras model, (z, y) -> images (gin scope `G`).

    Called as `generator((z, y), training=…)` with z float [b, z_dim] and y float [b, num_classes],
    one-hot, soft or a row of zeros for no label; None for an unconditional generator. Returns
    images [b, H, W, C] in [0, 1], of the compute dtype.

    Args:
      image_shape: (H, W, C) with C 1 or 3.
      batch_norm_fn: Class of the normalizations, e.g. `layers.ConditionalBatchNorm`; None = none.
      spectral_norm: Spectrally normalize the kernels; see `layers.SpectralNorm.of`.
      name: Name of the model.

    Raises:
      UserError: The image shape is not one that the family makes.
    """

    def __init__(
        self,
        image_shape: Shape,
        batch_norm_fn: Callable | None = None,
        spectral_norm: SpectralSetting = False,
        name: str = "generator",
    ):
        super().__init__(image_shape, batch_norm_fn, spectral_norm, name)
        self._warn_of_unused_options("G", spectral_norm=spectral_norm)


@registry.gin_configurable("D")
class Discriminator(_Network):
    """Base of discriminators: a Keras model, (images, y) -> (logits, features) (gin scope `D`).

    Called as `discriminator((x, y), training=…)` with x float [b, H, W, C] in [0, 1] and y as for
    generators. Returns logits [b, 1] and the features [b, f] that they are made of, both of the
    compute dtype.

    Args:
      image_shape: (H, W, C) with C 1 or 3.
      batch_norm_fn: Class of the normalizations; None = none.
      layer_norm: Use layer normalization instead.
      spectral_norm: Spectrally normalize the kernels; see `layers.SpectralNorm.of`.
      name: Name of the model.

    Raises:
      UserError: The image shape is not one that the family takes.
    """

    def __init__(
        self,
        image_shape: Shape,
        batch_norm_fn: Callable | None = None,
        layer_norm: bool = False,
        spectral_norm: SpectralSetting = False,
        name: str = "discriminator",
    ):
        super().__init__(image_shape, batch_norm_fn, spectral_norm, name)
        self.layer_norm = layer_norm
        self._warn_of_unused_options(
            "D", batch_norm_fn=batch_norm_fn, layer_norm=layer_norm, spectral_norm=spectral_norm
        )

    def check_inputs(self, first, y):
        super().check_inputs(first, y)
        if self.batch_norm_fn is not None and self.batch_norm_fn.needs("z"):
            raise UserError(
                f"D.batch_norm_fn = {self.batch_norm_fn.__name__} needs a latent z, which "
                "discriminators have not."
            )

    def make_norm(self, name: str) -> keras.layers.Layer | None:
        return LayerNorm(name=name) if self.layer_norm else super().make_norm(name)

    def get_config(self):
        return super().get_config() | {"layer_norm": self.layer_norm}


def normalize(norm: keras.layers.Layer | None, x, z=None, y=None, training=None):
    """`norm` of x, given what it asks for; x where there is no normalization."""
    if norm is None:
        return x
    return call_with_requested(norm, inputs=x, z=z, y=y, training=training)


def halved_sizes(image_shape: Shape, times: int) -> list[tuple[int, int]]:
    """Height and width halved (rounding up) `times` times, smallest first, full size last."""
    sizes = [tuple(image_shape[:2])]
    for _ in range(times):
        h, w = sizes[0]
        sizes.insert(0, (-(-h // 2), -(-w // 2)))
    return sizes
