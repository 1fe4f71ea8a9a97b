"""The Inception network of December 2015 as a Keras model, with weights from two kinds of file.

Published FID and Inception Scores are measured with this network of TF-Slim. It differs from the
paper's and from torchvision's: average pooling ignores padding, the last block uses maximum pooling
instead, and there are 1008 classes. Layers are named as in the published graph.
"""

import os
import tarfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from compare_gan.errors import UserError
from compare_gan.metrics.extractors.folded import ConvWeights, FoldedConv
from compare_gan.metrics.extractors.torch_file import read_torch_tensors
from compare_gan.metrics.extractors.weights import arrays_hash
from compare_gan.startup import import_tensorflow
from compare_gan.types import Tensor
from compare_gan.unpacking import DAMAGED, check_size, open_tar

SIZE = 299
NUM_FEATURES, NUM_CLASSES = 2048, 1008
GRAPH = "classify_image_graph_def.pb"
_EPSILON = float(np.float32(1e-3))  # As in the graph.

# Names in the graph, by block, and the corresponding names in PyTorch's conversions.
_STEM = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
}
_A = {
    "conv": "branch1x1",
    "tower/conv": "branch5x5_1",
    "tower/conv_1": "branch5x5_2",
    "tower_1/conv": "branch3x3dbl_1",
    "tower_1/conv_1": "branch3x3dbl_2",
    "tower_1/conv_2": "branch3x3dbl_3",
    "tower_2/conv": "branch_pool",
}
_B = {
    "conv": "branch3x3",
    "tower/conv": "branch3x3dbl_1",
    "tower/conv_1": "branch3x3dbl_2",
    "tower/conv_2": "branch3x3dbl_3",
}
_C = {
    "conv": "branch1x1",
    "tower/conv": "branch7x7_1",
    "tower/conv_1": "branch7x7_2",
    "tower/conv_2": "branch7x7_3",
    "tower_1/conv": "branch7x7dbl_1",
    "tower_1/conv_1": "branch7x7dbl_2",
    "tower_1/conv_2": "branch7x7dbl_3",
    "tower_1/conv_3": "branch7x7dbl_4",
    "tower_1/conv_4": "branch7x7dbl_5",
    "tower_2/conv": "branch_pool",
}
_D = {
    "tower/conv": "branch3x3_1",
    "tower/conv_1": "branch3x3_2",
    "tower_1/conv": "branch7x7x3_1",
    "tower_1/conv_1": "branch7x7x3_2",
    "tower_1/conv_2": "branch7x7x3_3",
    "tower_1/conv_3": "branch7x7x3_4",
}
_E = {
    "conv": "branch1x1",
    "tower/conv": "branch3x3_1",
    "tower/mixed/conv": "branch3x3_2a",
    "tower/mixed/conv_1": "branch3x3_2b",
    "tower_1/conv": "branch3x3dbl_1",
    "tower_1/conv_1": "branch3x3dbl_2",
    "tower_1/mixed/conv": "branch3x3dbl_3a",
    "tower_1/mixed/conv_1": "branch3x3dbl_3b",
    "tower_2/conv": "branch_pool",
}
_BLOCKS = (
    ("5b", _A),
    ("5c", _A),
    ("5d", _A),
    ("6a", _B),
    ("6b", _C),
    ("6c", _C),
    ("6d", _C),
    ("6e", _C),
    ("7a", _D),
    ("7b", _E),
    ("7c", _E),
)


def _names() -> dict[str, str]:
    names = dict(_STEM)
    for i, (block, convolutions) in enumerate(_BLOCKS):
        scope = f"mixed_{i}" if i else "mixed"
        names |= {f"{scope}/{a}": f"Mixed_{block}.{b}" for a, b in convolutions.items()}
    return names


# The 94 convolutions: name in the graph -> name in PyTorch's conversions.
CONVOLUTIONS = _names()


def build_inception_2015(logit_bias: bool = True) -> keras.Model:
    """Builds the network, without trained weights.

    It was trained on 299 x 299 pixels, to which the comments on sizes refer. The smallest size is
    75 x 75.

    Paper: https://arxiv.org/abs/1512.00567; the differences are listed at the top of this module.

    Args:
      logit_bias: Whether logits include the bias.

    Returns:
      A model from images float [n, h, w, 3] in [-1, 1] to features [n, 2048] and logits [n, 1008].
    """
    layers = keras.layers
    exact = {"dtype": "float32"}  # Even if the GAN is trained in mixed precision.

    def conv(
        x: Tensor,
        name: str,
        filters: int,
        height: int,
        width: int | None = None,
        strides: int = 1,
        padding: str = "same",
    ) -> Tensor:
        size = (height, width or height)
        name = name.replace("/", "_")
        return FoldedConv(filters, size, strides, padding, name=name, **exact)(x)

    def chain(x: Tensor, scope: str, *convolutions: tuple[int, ...]) -> Tensor:
        for i, (filters, *size) in enumerate(convolutions):
            name = f"{scope}/conv_{i}" if i else f"{scope}/conv"
            x = conv(x, name, filters, height=size[0], width=size[-1])
        return x

    def pooled(
        x: Tensor, scope: str, filters: int, pooling: Any = layers.AveragePooling2D
    ) -> Tensor:
        # The average in TensorFlow ignores padding.
        return conv(pooling(3, 1, "same", **exact)(x), f"{scope}/tower_2/conv", filters, 1)

    def halved(x: Tensor) -> Tensor:
        return layers.MaxPooling2D(3, 2, "valid", **exact)(x)

    def joined(*branches: Tensor) -> Tensor:
        return layers.Concatenate(**exact)(branches)

    def forked(x: Tensor, scope: str) -> Tensor:
        return joined(
            conv(x, f"{scope}/mixed/conv", 384, 1, 3), conv(x, f"{scope}/mixed/conv_1", 384, 3, 1)
        )

    inputs = keras.Input((None, None, 3), **exact)
    x = conv(inputs, "conv", 32, 3, strides=2, padding="valid")
    x = conv(x, "conv_1", 32, 3, padding="valid")
    x = halved(conv(x, "conv_2", 64, 3))
    x = conv(x, "conv_3", 80, 1, padding="valid")
    x = halved(conv(x, "conv_4", 192, 3, padding="valid"))
    for scope, filters in (("mixed", 32), ("mixed_1", 64), ("mixed_2", 64)):  # 35 x 35.
        x = joined(
            conv(x, f"{scope}/conv", 64, 1),
            chain(x, f"{scope}/tower", (48, 1), (64, 5)),
            chain(x, f"{scope}/tower_1", (64, 1), (96, 3), (96, 3)),
            pooled(x, scope, filters),
        )
    x = joined(
        conv(x, "mixed_3/conv", 384, 3, strides=2, padding="valid"),
        conv(
            chain(x, "mixed_3/tower", (64, 1), (96, 3)),
            "mixed_3/tower/conv_2", 96, 3, strides=2, padding="valid",
        ),
        halved(x),
    )  # fmt: skip
    for i, n in ((4, 128), (5, 160), (6, 160), (7, 192)):  # 17 x 17.
        scope = f"mixed_{i}"
        x = joined(
            conv(x, f"{scope}/conv", 192, 1),
            chain(x, f"{scope}/tower", (n, 1), (n, 1, 7), (192, 7, 1)),
            chain(x, f"{scope}/tower_1", (n, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7)),
            pooled(x, scope, 192),
        )
    x = joined(
        conv(
            chain(x, "mixed_8/tower", (192, 1)),
            "mixed_8/tower/conv_1", 320, 3, strides=2, padding="valid",
        ),
        conv(
            chain(x, "mixed_8/tower_1", (192, 1), (192, 1, 7), (192, 7, 1)),
            "mixed_8/tower_1/conv_3", 192, 3, strides=2, padding="valid",
        ),
        halved(x),
    )  # fmt: skip
    for scope, pooling in (
        ("mixed_9", layers.AveragePooling2D),
        ("mixed_10", layers.MaxPooling2D),
    ):  # 8 x 8.
        x = joined(
            conv(x, f"{scope}/conv", 320, 1),
            forked(chain(x, f"{scope}/tower", (384, 1)), f"{scope}/tower"),
            forked(chain(x, f"{scope}/tower_1", (448, 1), (384, 3)), f"{scope}/tower_1"),
            pooled(x, scope, 192, pooling),
        )
    features = layers.GlobalAveragePooling2D(**exact)(x)
    logits = layers.Dense(NUM_CLASSES, use_bias=logit_bias, name="softmax", **exact)(features)
    return keras.Model(inputs, (features, logits), name="inception_2015")


def load_inception_2015(path: str, logit_bias: bool = True) -> tuple[keras.Model, str]:
    """Builds the network and loads its weights.

    Args:
      path: The frozen graph (`classify_image_graph_def.pb`, or `inception-2015-12-05.tgz`, in which
        it was published), or PyTorch's conversion (`pt_inception-2015-12-05-6726825d.pth`).
      logit_bias: Whether logits include the bias.

    Returns:
      The network and the hash of its weights, which does not depend on the kind of file.

    Raises:
      UserError: The file is of another kind, is damaged, or contains other weights; or TensorFlow,
        which reads the graph, is not installed.
    """
    read = _from_torch
    if not path.endswith((".pth", ".pt")):
        read = _from_graph
        import_tensorflow("The published graph of Inception")
    try:
        convolution, kernel, bias = read(path)
        convolutions = {name: convolution(name) for name in CONVOLUTIONS}
        if kernel.shape != (NUM_FEATURES, NUM_CLASSES):
            raise UserError(f"it has {kernel.shape[1]} classes, not {NUM_CLASSES}")
        model = build_inception_2015(logit_bias)
        for name, weights in convolutions.items():
            model.get_layer(name.replace("/", "_")).load(weights)
        dense = [kernel, bias] if logit_bias else [kernel]
        model.get_layer("softmax").set_weights(dense)
    except KeyError as error:
        raise UserError(
            f"'{path}' is not the Inception of 2015: it has no {error.args[0]!r}."
        ) from error
    except DAMAGED as error:  # Includes UserError.
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise UserError(f"'{path}' is not the Inception of 2015: {reason}.") from error
    arrays = [array for name in sorted(convolutions) for array in convolutions[name].arrays()]
    return model, arrays_hash([*arrays, *dense])


def _from_torch(path: str) -> tuple[Callable[[str], ConvWeights], np.ndarray, np.ndarray]:
    tensors = read_torch_tensors(path)

    def convolution(name: str) -> ConvWeights:
        name = CONVOLUTIONS[name]
        return ConvWeights(
            kernel=tensors[f"{name}.conv.weight"].transpose(2, 3, 1, 0),
            beta=tensors[f"{name}.bn.bias"],
            gamma=tensors[f"{name}.bn.weight"],
            mean=tensors[f"{name}.bn.running_mean"],
            variance=tensors[f"{name}.bn.running_var"],
            epsilon=_EPSILON,
        )

    return convolution, tensors["fc.weight"].T, tensors["fc.bias"]


def _from_graph(path: str) -> tuple[Callable[[str], ConvWeights], np.ndarray, np.ndarray]:
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(_graph_bytes(path))
    except DecodeError as error:
        raise UserError("it is not a TensorFlow graph") from error
    nodes = {node.name: node for node in graph.node}

    def constant(name: str) -> np.ndarray:
        return tf.make_ndarray(nodes[name].attr["value"].tensor)

    def convolution(name: str) -> ConvWeights:
        norm = nodes[f"{name}/batchnorm"].attr
        gamma = constant(f"{name}/batchnorm/gamma")
        return ConvWeights(
            kernel=constant(f"{name}/conv2d_params"),
            beta=constant(f"{name}/batchnorm/beta"),
            # The graph contains gammas that it does not use.
            gamma=gamma if norm["scale_after_normalization"].b else np.ones_like(gamma),
            mean=constant(f"{name}/batchnorm/moving_mean"),
            variance=constant(f"{name}/batchnorm/moving_variance"),
            epsilon=norm["variance_epsilon"].f,
        )

    return convolution, constant("softmax/weights"), constant("softmax/biases")


def _graph_bytes(path: str) -> bytes:
    if not tarfile.is_tarfile(path):
        with open(path, "rb") as file:
            return file.read()
    with open_tar(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if os.path.basename(member.name) == GRAPH and content is not None:
                check_size(f"'{GRAPH}' in it", member.size, os.path.getsize(path))
                return content.read()
    raise UserError(f"it does not contain {GRAPH}")
