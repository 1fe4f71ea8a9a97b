"""The network that representations come from: a ResNet v2, from 28x28 pixels to ImageNet's."""

import dataclasses
from collections.abc import Sequence

import gin
import keras

from compare_gan.errors import UserError, check_positive_integer, unknown_name

POOLED = "pooled"
_STEMS = ("small", "imagenet")


@gin.configurable("backbone")
@dataclasses.dataclass(frozen=True)
class BackboneOptions:
    """The size of the network (gin scope `backbone`).

    ResNet-50 v2 is `width = 64`, `units = [3, 4, 6, 3]`, `bottleneck = True`,
    `stem = "imagenet"`; the defaults suit 28 to 32 pixels on a CPU.

    Attributes:
      width: Channels of the first block; each next one has twice as many (four times that with
        `bottleneck`).
      units: Residual units of each block. The first unit of every block but the first halves the
        image.
      bottleneck: Units of 1x1, 3x3, 1x1 convolutions instead of two of 3x3.
      stem: `small`, a 3x3 convolution that halves the image, or `imagenet`, one of 7x7 and a
        maximum over 3x3, which quarter it.
    """

    width: int = 32
    units: Sequence[int] = (1, 1, 1)
    bottleneck: bool = False
    stem: str = "small"

    def __post_init__(self):
        check_positive_integer("backbone.width", self.width)
        if not isinstance(self.units, (list, tuple)) or not self.units:
            raise UserError(f"backbone.units must be a list of integers, received {self.units!r}.")
        for count in self.units:
            check_positive_integer("Each of backbone.units", count)
        if self.stem not in _STEMS:
            raise unknown_name("backbone.stem", self.stem, _STEMS)

    @property
    def layers(self) -> list[str]:
        """The names of the layers that features can be taken from, first to last."""
        return [f"block{i}" for i in range(1, len(self.units) + 1)] + [POOLED]


def make_backbone(
    options: BackboneOptions,
    image_shape: tuple[int, int, int],
    seed: int,
    synchronized: bool = False,
) -> keras.Model:
    """The network, with weights that follow from the seed.

    Paper: https://arxiv.org/abs/1603.05027.

    Args:
      options: Its size.
      image_shape: (H, W, C).
      seed: Of the first weights.
      synchronized: Batch norm takes its moments over the batches of all replicas.

    Returns:
      A model from images, float [n, H, W, C] in [0, 1], to a dict: `block1`, … the output of each
      block [n, h, w, c], `pooled` the mean over the pixels of the last one, normalized, [n, c].
    """
    convolution, norm_relu = _Convolutions(seed), _NormRelu(synchronized)
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
    """Makes convolutions whose first weights follow from a seed and the order of their making."""

    def __init__(self, seed: int):
        self._seed = seed
        self._made = 0

    def __call__(self, x, filters: int, size: int, strides: int, name: str):
        self._made += 1
        initializer = keras.initializers.HeNormal(seed=self._seed * 1009 + self._made)
        return keras.layers.Conv2D(
            filters,
            size,
            strides,
            padding="same",
            use_bias=False,
            kernel_initializer=initializer,
            name=name,
        )(x)


class _NormRelu:
    def __init__(self, synchronized: bool):
        self._options = dict(momentum=0.95, epsilon=1e-3, synchronized=synchronized)

    def __call__(self, x, name: str):
        x = keras.layers.BatchNormalization(**self._options, name=f"{name}_norm")(x)
        return keras.layers.ReLU()(x)


def _plain_unit(convolution, norm_relu, x, width: int, strides: int, name: str):
    h = norm_relu(x, f"{name}_1")
    shortcut = _shortcut(convolution, x, h, width, strides, name)
    h = convolution(h, width, 3, strides, f"{name}_conv1")
    h = convolution(norm_relu(h, f"{name}_2"), width, 3, 1, f"{name}_conv2")
    return keras.layers.Add()([shortcut, h])


def _bottleneck_unit(convolution, norm_relu, x, width: int, strides: int, name: str):
    h = norm_relu(x, f"{name}_1")
    shortcut = _shortcut(convolution, x, h, 4 * width, strides, name)
    h = convolution(h, width, 1, 1, f"{name}_conv1")
    h = convolution(norm_relu(h, f"{name}_2"), width, 3, strides, f"{name}_conv2")
    h = convolution(norm_relu(h, f"{name}_3"), 4 * width, 1, 1, f"{name}_conv3")
    return keras.layers.Add()([shortcut, h])


def _shortcut(convolution, x, normalized, width: int, strides: int, name: str):
    if strides == 1 and x.shape[-1] == width:
        return x
    return convolution(normalized, width, 1, strides, f"{name}_shortcut")
