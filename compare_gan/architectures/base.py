"""The base of all architectures: options of the gin scopes `G` and `D`, checks, serialization.

A family is a module with two Keras models, `Generator` and `Discriminator`, each decorated with
`@network`, and a call of `register_family`. It is listed nowhere else: the modules of this folder
are found automatically, and any other module is imported by its user (`import my_family` in a gin
file).
"""

import logging
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.layers import LayerNorm, Normalization, SpectralNorm
from compare_gan.layers.normalization_choice import NormalizationLike
from compare_gan.layers.spectral_norm import SpectralNormLike
from compare_gan.types import Tensor, TensorShape

_log = logging.getLogger(__name__)

# Height, width and number of channels.
ImageShape: TypeAlias = tuple[int, int, int]


def network(cls: type) -> type:
    """Makes a class serializable by Keras and configurable by gin, as `<module>.<class>`.

    The generator in `architectures/sndcgan.py` is `sndcgan.Generator` in both.
    """
    family = _family(cls.__module__)
    cls = keras.saving.register_keras_serializable(f"compare_gan.{family}")(cls)
    return registry.gin_configurable()(cls)


def register_family(module: str, paper: str = "") -> None:
    """Registers a module as the architecture `<module>_arch`.

    `compare_gan list` prints the first line of the module's docstring.

    Args:
      module: Name of the module; a family passes its `__name__`.
      paper: URL or citation of the paper.
    """
    registry.add("architecture", f"{_family(module)}_arch", sys.modules[module], paper=paper)


def option_name(network_class: type, option: str) -> str:
    """Returns the gin name of an option of one family, such as `resnet5.Generator.ch`."""
    return f"{_family(network_class.__module__)}.{network_class.__name__}.{option}"


def _family(module: str) -> str:
    return module.rsplit(".", 1)[-1]


class _Network(keras.Model):
    """Base of both networks: a Keras model of two inputs, the second of which is y or None."""

    # Gin scope of the options, and those of the options that the family ignores.
    scope: str
    unused_options: tuple[str, ...] = ()

    def __init__(
        self,
        image_shape: ImageShape,
        batch_norm_fn: NormalizationLike,
        spectral_norm: SpectralNormLike,
        name: str,
    ):
        super().__init__(name=name)
        self.image_shape = tuple(map(int, image_shape))  # The sizes may be NumPy's.
        if len(self.image_shape) != 3 or self.image_shape[2] not in (1, 3):
            raise UserError(
                f"Networks support images of shape (height, width, 1 or 3 channels), received "
                f"{self.image_shape}."
            )
        self.batch_norm_fn = Normalization.of(batch_norm_fn)
        if not isinstance(spectral_norm, (bool, int, dict, SpectralNorm, type(None))):
            raise UserError(
                f"{self.scope}.spectral_norm must be True or False, received {spectral_norm!r}."
            )
        # Layers receive these settings: those at construction, not those when they are built.
        self.kernel_norm = SpectralNorm.of(spectral_norm)
        self.spectral_norm = self.kernel_norm is not None

    @property
    def family(self) -> str:
        """Name of the family, which is that of its module."""
        return _family(type(self).__module__)

    def build(self, input_shape: tuple[TensorShape, TensorShape | None]) -> None:
        """Creates all variables, by one forward pass (see `backend.first_call`).

        Args:
          input_shape: Shapes of both inputs; the second is None if there is no y.

        Raises:
          UserError: A normalization needs an input that the network does not have, or the size of z
            is not supported.
        """
        first, y = input_shape
        shapes = tuple(first), None if y is None else tuple(y)
        self.check_inputs(*shapes)
        # In a symbolic forward pass on TensorFlow each use of a kernel would draw its values again.
        backend.first_call(
            lambda inputs: self.call(inputs, training=False),
            *(s and (1, *s[1:]) for s in shapes),
            dtype=self.compute_dtype,
        )

    def check_inputs(self, first: TensorShape, y: TensorShape | None) -> None:
        """Raises UserError if inputs of these shapes are not supported; needs no variables."""
        if y is None and self.batch_norm_fn is not None and self.batch_norm_fn.needs("y"):
            raise UserError(
                f"{self.scope}.batch_norm_fn = {self.batch_norm_fn.__name__} needs labels, but the "
                f"{self.name} has none: train conditionally or choose another normalization."
            )

    def check_positive(self, **options: int) -> None:
        """Raises UserError unless these options of the family are positive integers."""
        for option, value in options.items():
            check_positive_integer(option_name(type(self), option), value)

    def check_multiple(self, factor: int, **options: int) -> None:
        """Raises UserError unless these options of the family are multiples of `factor`."""
        for option, value in options.items():
            if value % factor:
                height, width = self.image_shape[:2]
                raise UserError(
                    f"{option_name(type(self), option)} must be a multiple of {factor} for images "
                    f"of {height}x{width}, received {value}."
                )

    def widths_by_size(
        self, smallest: int, ch: int, full_width_size: int, factor: int = 1
    ) -> list[int]:
        """Numbers of channels from the smallest feature map to the size of the image.

        Args:
          smallest: Height of the smallest feature map; each next one is twice as high.
          ch: Width up to `full_width_size`; each doubling beyond it halves the width.
          full_width_size: Height of the largest feature map with the full width.
          factor: Number by which each width must be divisible.

        Raises:
          UserError: `ch` cannot be halved so often.
        """
        num_sizes = (self.image_shape[0] // smallest).bit_length()
        shrinkages = [max(1, smallest * 2**i // full_width_size) for i in range(num_sizes)]
        self.check_multiple(shrinkages[-1] * factor, ch=ch)
        return [ch // shrinkage for shrinkage in shrinkages]

    def make_norm(self, name: str) -> keras.layers.Layer | None:
        """Returns a normalization as the options say, or None."""
        return self.batch_norm_fn and self.batch_norm_fn(name, self.kernel_norm)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "image_shape": self.image_shape,
            "batch_norm_fn": self.batch_norm_fn and self.batch_norm_fn.serialized(),
            "spectral_norm": self.kernel_norm and self.kernel_norm.get_config(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "_Network":
        """Returns the network that `get_config` has described, whatever gin says now."""
        norms = {
            key: Normalization.deserialized(value)
            for key, value in config.items()
            if isinstance(value, dict) and "class_name" in value
        }
        return cls(**(config | norms))

    def _warn_of_unused_options(self, **options: Any) -> None:
        norm = None if "batch_norm_fn" in self.unused_options else self.batch_norm_fn
        modulated = norm is not None and (norm.needs("y") or norm.needs("z"))
        for option in self.unused_options:
            if not options[option]:
                continue
            where = self.family
            if option == "spectral_norm" and modulated:
                where = f"the layers of {where}, only on its conditional or self-modulated norms"
            _log.warning("%s.%s has no effect on %s.", self.scope, option, where)


@registry.gin_configurable("G")
class Generator(_Network):
    """Base of generators: a Keras model, (z, y) -> images (gin scope `G`).

    Called as `generator((z, y), training=…)` with z float [b, z_dim] and y float [b, num_classes],
    which is one-hot, soft, or a row of zeros for no label; y is None for an unconditional
    generator. Returns images [b, H, W, C] in [0, 1], in the compute dtype. Families without an
    activation at the end, such as `r3gan`, may leave this range: `sampling.Sampler` and the
    exported SavedModel clip, the network does not, so that gradients pass through all pixels.

    Args:
      image_shape: (H, W, C), where C is 1 or 3.
      batch_norm_fn: Class of the normalizations, such as `layers.ConditionalBatchNorm`, or its
        registered name; None for none.
      spectral_norm: Spectral normalization of the kernels; see `layers.SpectralNorm.of`.
      name: Name of the model.

    Raises:
      UserError: The family does not support the image shape.
    """

    scope = "G"

    def __init__(
        self,
        image_shape: ImageShape,
        batch_norm_fn: NormalizationLike = None,
        spectral_norm: SpectralNormLike = False,
        name: str = "generator",
    ):
        super().__init__(image_shape, batch_norm_fn, spectral_norm, name)
        self._warn_of_unused_options(batch_norm_fn=batch_norm_fn, spectral_norm=spectral_norm)


@registry.gin_configurable("D")
class Discriminator(_Network):
    """Base of discriminators: a Keras model, (images, y) -> (logits, features) (gin scope `D`).

    Called as `discriminator((x, y), training=…)` with x float [b, H, W, C] in [0, 1] and y as for
    generators. Returns logits [b, 1] and the features [b, f] from which they are computed, both in
    the compute dtype. In training mode there may be more logits, [b, n]: the others judge parts of
    the image.

    Args:
      image_shape: (H, W, C), where C is 1 or 3.
      batch_norm_fn: Class of the normalizations, or its registered name; None for none.
      layer_norm: Whether to use layer normalization instead.
      spectral_norm: Spectral normalization of the kernels; see `layers.SpectralNorm.of`.
      name: Name of the model.

    Raises:
      UserError: The family does not support the image shape.
    """

    scope = "D"

    def __init__(
        self,
        image_shape: ImageShape,
        batch_norm_fn: NormalizationLike = None,
        layer_norm: bool = False,
        spectral_norm: SpectralNormLike = False,
        name: str = "discriminator",
    ):
        super().__init__(image_shape, batch_norm_fn, spectral_norm, name)
        self.layer_norm = layer_norm
        self._warn_of_unused_options(
            batch_norm_fn=batch_norm_fn, layer_norm=layer_norm, spectral_norm=spectral_norm
        )

    def check_inputs(self, first: TensorShape, y: TensorShape | None) -> None:
        super().check_inputs(first, y)
        if self.batch_norm_fn is not None and self.batch_norm_fn.needs("z"):
            raise UserError(
                f"{self.scope}.batch_norm_fn = {self.batch_norm_fn.__name__} needs a latent z, "
                "which discriminators do not have."
            )

    def make_norm(self, name: str) -> keras.layers.Layer | None:
        return LayerNorm(name=name) if self.layer_norm else super().make_norm(name)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"layer_norm": self.layer_norm}


def check_image_size(family: str, image_shape: Sequence[int], sizes: Sequence[int]) -> None:
    """Raises UserError unless the images are square, with a side among `sizes`."""
    h, w = image_shape[:2]
    if h == w and h in sizes:
        return
    allowed = ", ".join(f"{size}x{size}" for size in sizes)
    larger = [size for size in sorted(sizes) if size >= max(h, w)]
    hint = f"; pad the data with dataset.pad_to = {larger[0]}" if larger else ""
    raise UserError(f"{family} is made for images of {allowed}, received {h}x{w}{hint}.")


def halved_sizes(image_shape: ImageShape, times: int) -> list[tuple[int, int]]:
    """Returns height and width halved (rounding up) up to `times` times, in ascending order."""
    sizes = [(image_shape[0], image_shape[1])]
    for _ in range(times):
        h, w = sizes[0]
        sizes.insert(0, (-(-h // 2), -(-w // 2)))
    return sizes


def flatten(x: Tensor) -> Tensor:
    """Flattens all axes but the first: [b, h, w, c] -> [b, h·w·c]."""
    return ops.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))
