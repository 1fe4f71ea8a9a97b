"""Convolutions with the batch norm behind them folded in, for networks that are not trained."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError


@dataclasses.dataclass(frozen=True)
class ConvWeights:
    """A convolution without bias, and its batch norm; float32.

    Attributes:
      kernel: [h, w, c, filters]; of a depthwise one [h, w, c, 1].
      beta: [filters] or [c], and so are the other three.
      gamma: What the normalized output is multiplied with.
      mean: The moving mean.
      variance: The moving variance.
      epsilon: Added to the variance.
    """

    kernel: np.ndarray
    beta: np.ndarray
    gamma: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    epsilon: float

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and bias of one convolution that computes the same, float64."""
        scale = self.gamma / np.sqrt(self.variance.astype(np.float64) + self.epsilon)
        depthwise = self.kernel.shape[-1] != len(scale)
        kernel = self.kernel * (scale[:, None] if depthwise else scale)
        return kernel, self.beta - self.mean * scale

    def arrays(self) -> tuple[np.ndarray, ...]:
        """What names these weights, whichever file they come from."""
        return self.kernel, self.beta, self.gamma, self.mean, self.variance


@keras.saving.register_keras_serializable("compare_gan")
class FoldedConv(keras.layers.Layer):
    """Convolution, bias, activation.

    Args:
      filters: Output channels; None = a depthwise convolution.
      kernel_size: (height, width).
      strides: In both directions.
      padding: `same` or `valid`.
      activation: Keras's name of it; None = none.
    """

    def __init__(
        self,
        filters: int | None,
        kernel_size: Sequence[int],
        strides: int = 1,
        padding: str = "same",
        activation: str | None = "relu",
        **kwargs,
    ):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self._options = {
            "filters": filters,
            "kernel_size": tuple(kernel_size),
            "strides": strides,
            "padding": padding,
            "activation": activation,
        }
        self._convolve = ops.conv if filters else ops.depthwise_conv
        self._activation = keras.activations.get(activation)

    def build(self, input_shape):
        channels, filters = input_shape[-1], self._options["filters"]
        shape = (*self._options["kernel_size"], channels, filters or 1)
        self.kernel = self.add_weight(shape=shape, name="kernel")
        self.bias = self.add_weight(shape=(filters or channels,), name="bias")

    def call(self, inputs):
        x = self._convolve(
            inputs, self.kernel, strides=self._options["strides"], padding=self._options["padding"]
        )
        return self._activation(backend.add_bias(x, self.bias))

    def compute_output_shape(self, input_shape):
        batch, *space, channels = input_shape
        strides, same = self._options["strides"], self._options["padding"] == "same"
        sizes = [
            n and -(-(n if same else n - k + 1) // strides)
            for n, k in zip(space, self._options["kernel_size"], strict=True)
        ]
        return (batch, *sizes, self._options["filters"] or channels)

    def load(self, weights: ConvWeights) -> None:
        """Takes over weights; UserError if they are of another shape."""
        if weights.kernel.shape != self.kernel.shape:
            raise UserError(
                f"the kernel of '{self.name}' must have the shape {list(self.kernel.shape)}, "
                f"received {list(weights.kernel.shape)}"
            )
        kernel, bias = weights.folded()
        self.kernel.assign(kernel.astype(np.float32))
        self.bias.assign(bias.astype(np.float32))

    def get_config(self):
        return super().get_config() | self._options
