"""What the architectures share: options of gin scopes `G` and `D`, checks, serialization.

A family is a module with two Keras models, `Generator` and `Discriminator`, each decorated with
`@network`, and a call of `register_family`. Nothing else names it: the modules of this folder are
found by themselves, any other is imported by whoever uses it (`import my_family` in a gin file).
"""

import logging
import sys
from collections.abc import Callable

import keras
from keras import ops

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.layers import LayerNorm, Normalization, SpectralNorm

_log = logging.getLogger(__name__)

Shape = tuple[int, int, int]
SpectralSetting = bool | dict | SpectralNorm


def network(cls: type) -> type:
    """Class decorator: serializable by Keras, configurable by gin, as `<module>.<class>`.

    So `architectures/sndcgan.py`'s generator is `sndcgan.Generator` in both.
    """
    family = _family(cls.__module__)
    cls = keras.saving.register_keras_serializable(f"compare_gan.{family}")(cls)
    return registry.gin_configurable()(cls)


def register_family(module: str, paper: str = "") -> None:
    """Registers the module of this name (a family calls it with `__name__`) as `<module>_arch`.

    The first line of the module's docstring is what `compare_gan list` prints.
    """
    registry.add("architecture", f"{_family(module)}_arch", sys.modules[module], paper=paper)


def option_name(network_class: type, option: str) -> str:
    """What gin calls an option of a family's own: `resnet5.Generator.ch`."""
    return f"{_family(network_class.__module__)}.{network_class.__name__}.{option}"


def _family(module: str) -> str:
    return module.rsplit(".", 1)[-1]


class _Network(keras.Model):
    """Base of both networks: a Keras model called with a pair whose second entry is y or None."""

    # The gin scope of the options, and those of them that the family has no use for.
    scope: str
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
        self.batch_norm_fn = Normalization.of(batch_norm_fn)
        if not isinstance(spectral_norm, (bool, int, dict, SpectralNorm, type(None))):
            raise UserError(
                f"{self.scope}.spectral_norm must be True or False, received {spectral_norm!r}."
            )
        # What layers are given: the settings of now, not those of when they are built.
        self.kernel_norm = SpectralNorm.of(spectral_norm)
        self.spectral_norm = self.kernel_norm is not None

    @property
    def family(self) -> str:
        """Name of the family, that of its module."""
        return _family(type(self).__module__)

    def build(self, input_shape):
        """Builds all layers by one forward of zeros: the model then has all its variables.

        Args:
          input_shape: A pair of shapes, that of y None where there is none.

        Raises:
          UserError: A normalization needs what the network is not given, or z does not fit.
        """
        shapes = [None if shape is None else tuple(shape) for shape in input_shape]
        self.check_inputs(*shapes)
        if keras.backend.backend() == "jax":
            # Which would compile each operation of a real forward by itself.
            inputs = tuple(s and keras.KerasTensor(s, self.compute_dtype) for s in shapes)
            self.compute_output_spec(inputs, training=False)
        else:
            # In a symbolic forward each reading of a kernel draws its first values anew.
            inputs = tuple(s and ops.zeros((1, *s[1:]), self.compute_dtype) for s in shapes)
            self.call(inputs, training=False)

    def check_inputs(self, first: tuple, y: tuple | None) -> None:
        """Raises UserError if inputs of these shapes cannot be used; before variables exist."""
        if y is None and self.batch_norm_fn is not None and self.batch_norm_fn.needs("y"):
            raise UserError(
                f"{self.scope}.batch_norm_fn = {self.batch_norm_fn.__name__} needs labels, but the "
                f"{self.name} is given none: train conditionally or choose another."
            )

    def check_positive(self, **options: int) -> None:
        """Raises UserError unless these options of the family's own are positive integers."""
        for option, value in options.items():
            check_positive_integer(option_name(type(self), option), value)

    def check_multiple(self, factor: int, **options: int) -> None:
        """Raises UserError unless these options of the family's own are multiples of `factor`."""
        for option, value in options.items():
            if value % factor:
                height, width = self.image_shape[:2]
                raise UserError(
                    f"{option_name(type(self), option)} must be a multiple of {factor} for images "
                    f"of {height}x{width}, received {value}."
                )

    def make_norm(self, name: str) -> keras.layers.Layer | None:
        """A normalization as the options say; None for none."""
        return self.batch_norm_fn and self.batch_norm_fn(name, self.kernel_norm)

    def get_config(self):
        return {
            "name": self.name,
            "image_shape": self.image_shape,
            "batch_norm_fn": self.batch_norm_fn and self.batch_norm_fn.serialized(),
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

    def _warn_of_unused_options(self, **options) -> None:
        norm = self.batch_norm_fn
        modulated = norm is not None and (norm.needs("y") or norm.needs("z"))
        for option in self.unused_options:
            if not options[option]:
                continue
            what = self.family
            if option == "spectral_norm" and modulated:
                what = f"the layers of {what}, only on its conditional or self-modulated norms"
            _log.warning("%s.%s has no effect on %s.", self.scope, option, what)


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

    scope = "G"

    def __init__(
        self,
        image_shape: Shape,
        batch_norm_fn: Callable | None = None,
        spectral_norm: SpectralSetting = False,
        name: str = "generator",
    ):
        super().__init__(image_shape, batch_norm_fn, spectral_norm, name)
        self._warn_of_unused_options(spectral_norm=spectral_norm)


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

    scope = "D"

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
            batch_norm_fn=batch_norm_fn, layer_norm=layer_norm, spectral_norm=spectral_norm
        )

    def check_inputs(self, first, y):
        super().check_inputs(first, y)
        if self.batch_norm_fn is not None and self.batch_norm_fn.needs("z"):
            raise UserError(
                f"{self.scope}.batch_norm_fn = {self.batch_norm_fn.__name__} needs a latent z, "
                "which discriminators have not."
            )

    def make_norm(self, name: str) -> keras.layers.Layer | None:
        return LayerNorm(name=name) if self.layer_norm else super().make_norm(name)

    def get_config(self):
        return super().get_config() | {"layer_norm": self.layer_norm}


def halved_sizes(image_shape: Shape, times: int) -> list[tuple[int, int]]:
    """Height and width halved (rounding up) `times` times, smallest first, full size last."""
    sizes = [tuple(image_shape[:2])]
    for _ in range(times):
        h, w = sizes[0]
        sizes.insert(0, (-(-h // 2), -(-w // 2)))
    return sizes
