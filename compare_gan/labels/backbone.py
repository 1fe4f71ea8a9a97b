"""The network that features come from: a ResNet v2 for images from 28x28 pixels to ImageNet's."""

import dataclasses
from collections.abc import Callable, Sequence

import gin
import keras

from compare_gan import backend
from compare_gan.errors import UserError, check_positive_integer, unknown_name

POOLED = "pooled"
_STEMS = ("small", "imagenet")

# Applies batch norm and ReLU under a name; a convolution of so many filters, size and strides.
_NormRelu = Callable[[keras.KerasTensor, str], keras.KerasTensor]
_Convolution = Callable[[keras.KerasTensor, int, int, int, str], keras.KerasTensor]


@gin.configurable("backbone")
@dataclasses.dataclass(frozen=True)
class BackboneOptions:
    """Size of the network (gin scope `backbone`).

    Example:
      >>> from compare_gan.labels import BackboneOptions
      >>> BackboneOptions(units=(1, 1)).layers
      ['block1', 'block2', 'pooled']

    ResNet-50 v2 is `width = 64`, `units = [3, 4, 6, 3]`, `bottleneck = True`,
    `stem = "imagenet"`; the defaults suit 28 to 32 pixels on a CPU.

    Attributes:
      width: Channels of the first block, doubled in each further block; with `bottleneck` all
        blocks have four times as many.
      units: Number of residual units in each block. The first unit of each block but the first
        halves the height and width.
      bottleneck: Build units of 1x1, 3x3 and 1x1 convolutions instead of two 3x3 convolutions.
      stem: `small`, a 3x3 convolution that halves height and width, or `imagenet`, a 7x7
        convolution and max pooling that divide them by four.
    """

    width: int = 32
    units: Sequence[int] = (1, 1, 1)
    bottleneck: bool = False
    stem: str = "small"

    def __post_init__(self) -> None:
        check_positive_integer("backbone.width", self.width)
        if not isinstance(self.units, (list, tuple)) or not self.units:
            raise UserError(f"backbone.units must be a list of integers, received {self.units!r}.")
        for count in self.units:
            check_positive_integer("Each of backbone.units", count)
        if self.stem not in _STEMS:
            raise unknown_name("backbone.stem", self.stem, _STEMS)

    @property
    def layers(self) -> list[str]:
        """Names of the layers that features can be taken from, in order."""
        return [f"block{i}" for i in range(1, len(self.units) + 1)] + [POOLED]


def make_backbone(
    options: BackboneOptions,
    image_shape: tuple[int, int, int],
    seed: int,
    synchronized: bool = False,
) -> keras.Model:
    """Builds the network, with initial weights that follow from the seed.

    Paper: https://arxiv.org/abs/1603.05027.

    Example:
      >>> from compare_gan.labels import BackboneOptions, make_backbone
      >>> backbone = make_backbone(BackboneOptions(width=4, units=(1,)), (8, 8, 1), seed=0)
      >>> {name: tuple(output.shape) for name, output in backbone.output.items()}
      {'block1': (None, 4, 4, 4), 'pooled': (None, 4)}

    Args:
      options: Size of the network.
      image_shape: (H, W, C).
      seed: Seed of the initial weights.
      synchronized: Compute the moments of batch norm over the batches of all replicas.

    Returns:
      A model from images, float [n, H, W, C] in [0, 1], to a dict of features: `block1`, `block2`,
      … the output of each block [n, h, w, c]; `pooled` the last output, normalized and averaged
      over the pixels, [n, c].
    """
    convolution, norm_relu = _Convolutions(seed), _BatchNormRelu(synchronized)
    inputs = keras.Input(tuple(image_shape))
    x = keras.layers.Rescaling(2.0, offset=-1.0)(inputs)
    if options.stem == "imagenet":
        x = convolution(x, options.width, 7, 2, "stem")
        x = keras.layers.MaxPooling2D(3, 2, padding="same")(x)
    else:
        x = convolution(x, options.width, 3, 2, "stem")
    outputs = {}
    for i, count in enumerate(options.units):
        for j in range(count):
            strides = 2 if i and not j else 1
            unit = _bottleneck_unit if options.bottleneck else _plain_unit
            name, width = f"block{i + 1}_unit{j + 1}", options.width * 2**i
            x = unit(convolution, norm_relu, x, width, strides, name)
        outputs[f"block{i + 1}"] = x
    x = norm_relu(x, "final")
    outputs[POOLED] = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, outputs, name="backbone")


class _Convolutions:
    """Applies new convolutions; initial weights follow from a seed and the order of the calls."""

    def __init__(self, seed: int):
        self._seed = seed
        self._count = 0

    def __call__(
        self, x: keras.KerasTensor, filters: int, size: int, strides: int, name: str
    ) -> keras.KerasTensor:
        self._count += 1
        initializer = keras.initializers.HeNormal(seed=self._seed * 1009 + self._count)
        return keras.layers.Conv2D(
            filters,
            size,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=backend.initializer(initializer),
            name=name,
        )(x)


class _BatchNormRelu:
    """Applies new batch norm and ReLU layers."""

    def __init__(self, synchronized: bool):
        self._synchronized = synchronized

    def __call__(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        norm = keras.layers.BatchNormalization(
            momentum=0.95, epsilon=1e-3, synchronized=self._synchronized, name=f"{name}_norm"
        )
        return keras.layers.ReLU()(norm(x))


def _plain_unit(
    convolution: _Convolution,
    norm_relu: _NormRelu,
    x: keras.KerasTensor,
    width: int,
    strides: int,
    name: str,
) -> keras.KerasTensor:
    h = norm_relu(x, f"{name}_1")
    shortcut = _shortcut(convolution, x, h, width, strides, name)
    h = convolution(h, width, 3, strides, f"{name}_conv1")
    h = convolution(norm_relu(h, f"{name}_2"), width, 3, 1, f"{name}_conv2")
    return keras.layers.Add()([shortcut, h])


def _bottleneck_unit(
    convolution: _Convolution,
    norm_relu: _NormRelu,
    x: keras.KerasTensor,
    width: int,
    strides: int,
    name: str,
) -> keras.KerasTensor:
    h = norm_relu(x, f"{name}_1")
    shortcut = _shortcut(convolution, x, h, 4 * width, strides, name)
    h = convolution(h, width, 1, 1, f"{name}_conv1")
    h = convolution(norm_relu(h, f"{name}_2"), width, 3, strides, f"{name}_conv2")
    h = convolution(norm_relu(h, f"{name}_3"), 4 * width, 1, 1, f"{name}_conv3")
    return keras.layers.Add()([shortcut, h])


def _shortcut(
    convolution: _Convolution,
    x: keras.KerasTensor,
    normalized: keras.KerasTensor,
    width: int,
    strides: int,
    name: str,
) -> keras.KerasTensor:
    if strides == 1 and x.shape[-1] == width:
        return x
    return convolution(normalized, width, 1, strides, f"{name}_shortcut")
