"""Convolutions with folded batch norm, for networks that are not trained further."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError
from compare_gan.types import Tensor


@dataclasses.dataclass(frozen=True)
class ConvWeights:
    """Weights of a convolution without bias and of its batch norm, float32.

    Attributes:
      kernel: Kernel [h, w, c, filters], or [h, w, c, 1] of a depthwise convolution.
      beta: Offset of the normalized output; [filters] or [c], as the next three.
      gamma: Scale of the normalized output.
      mean: Moving mean.
      variance: Moving variance.
      epsilon: Constant added to the variance.
    """

    kernel: np.ndarray
    beta: np.ndarray
    gamma: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns kernel and bias of the equivalent convolution, float64."""
        scale = self.gamma / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        depthwise = self.kernel.shape[-1] != len(scale)
        kernel = self.kernel * (scale[:, None] if depthwise else scale)
        return kernel, self.beta - self.mean * scale

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Returns the arrays that identify the weights, independently of their file."""
        return self.kernel, self.beta, self.gamma, self.mean, self.variance


@keras.saving.register_keras_serializable("compare_gan")
class FoldedConv(keras.layers.Layer):
    """Convolution with bias and activation.

    Args:
      filters: Number of output channels; None = a depthwise convolution.
      kernel_size: Size (height, width) of the kernel.
      strides: Stride in both directions.
      padding: `same` or `valid`.
      activation: Name of the activation in Keras; None = none.
      **kwargs: Arguments of `keras.layers.Layer`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics.extractors.folded import FoldedConv
      >>> layer = FoldedConv(8, (3, 3), strides=2)
      >>> tuple(layer(np.zeros([1, 6, 6, 3], np.float32)).shape)
      (1, 3, 3, 8)
    """

    def __init__(
        self,
        filters: int | None,
        kernel_size: Sequence[int],
        strides: int = 1,
        padding: str = "same",
        activation: str | None = "relu",
        **kwargs: Any,
    ):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self._options: dict[str, Any] = {
            "filters": filters,
            "kernel_size": tuple(kernel_size),
            "strides": strides,
            "padding": padding,
            "activation": activation,
        }
        self._convolve = ops.conv if filters else ops.depthwise_conv
        self._activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        channels, filters = input_shape[-1], self._options["filters"]
        shape = (*self._options["kernel_size"], channels, filters or 1)
        self.kernel = self.add_weight(shape=shape, name="kernel")
        self.bias = self.add_weight(shape=(filters or channels,), name="bias")

    def call(self, inputs: Tensor) -> Tensor:
        x = self._convolve(
            inputs, self.kernel, strides=self._options["strides"], padding=self._options["padding"]
        )
        return self._activation(backend.add_bias(x, self.bias))

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        batch, *space, channels = input_shape
        strides, same = self._options["strides"], self._options["padding"] == "same"
        sizes = [
            n and -(-(n if same else n - k + 1) // strides)
            for n, k in zip(space, self._options["kernel_size"], strict=True)
        ]
        return (batch, *sizes, self._options["filters"] or channels)

    def load(self, weights: ConvWeights) -> None:
        """Assigns weights.

        Raises:
          UserError: The weights have another shape.
        """
        if weights.kernel.shape != self.kernel.shape:
            raise UserError(
                f"the kernel of '{self.name}' must have the shape {list(self.kernel.shape)}, "
                f"received {list(weights.kernel.shape)}"
            )
        kernel, bias = weights.folded()
        self.kernel.assign(kernel.astype(np.float32))
        self.bias.assign(bias.astype(np.float32))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self._options
