"""Layers with an equalized learning rate: kernels of unit variance, scaled where they are used.

With an optimizer that normalizes its steps, such as Adam, all weights then learn at the same speed
relative to their size (https://arxiv.org/abs/1710.10196).
"""

import math
from typing import Any

import keras
from keras import ops

from compare_gan import backend
from compare_gan.layers.binomial_convolution import check_binomial, convolve_binomial
from compare_gan.types import Tensor, TensorShape


class _Equalized(keras.layers.Layer):
    """Base of both layers: scaled weights, serialization."""

    def __init__(
        self,
        use_bias: bool = True,
        gain: float = 1.0,
        lr_multiplier: float = 1.0,
        bias_start: float = 0.0,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        self.use_bias = use_bias
        self.gain = gain
        self.lr_multiplier = lr_multiplier
        self.bias_start = bias_start

    def _build(self, kernel_shape: tuple[int, ...]) -> None:
        start = keras.initializers.RandomNormal(stddev=1.0 / self.lr_multiplier)
        self.kernel = self.add_weight(
            shape=kernel_shape, initializer=backend.initializer(start), name="kernel"
        )
        fan_in = math.prod(kernel_shape[:-1])
        self._scale = self.gain * self.lr_multiplier / math.sqrt(fan_in)
        self.bias = None
        if self.use_bias:
            constant = keras.initializers.Constant(self.bias_start / self.lr_multiplier)
            self.bias = self.add_weight(
                shape=kernel_shape[-1:], initializer=backend.initializer(constant), name="bias"
            )

    def used_kernel(self) -> Tensor:
        """The scaled kernel; see `gans.networks.kernels`."""
        return self.kernel * self._scale

    def _cast_kernel(self) -> Tensor:
        return ops.cast(self.used_kernel(), self.compute_dtype)

    def _add_bias(self, x: Tensor) -> Tensor:
        if self.bias is None:
            return x
        return backend.add_bias(x, ops.cast(self.bias * self.gain * self.lr_multiplier, x.dtype))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "use_bias": self.use_bias,
            "gain": self.gain,
            "lr_multiplier": self.lr_multiplier,
            "bias_start": self.bias_start,
        }


@keras.saving.register_keras_serializable("compare_gan")
class EqualizedDense(_Equalized):
    """A fully connected layer with an equalized learning rate: [batch, n] -> [batch, units].

    The kernel starts from a normal distribution with standard deviation 1 / `lr_multiplier` and is
    multiplied by gain · lr_multiplier / sqrt(n), the bias by gain · lr_multiplier.
    Papers: https://arxiv.org/abs/1710.10196, learning rate multiplier
    https://arxiv.org/abs/1812.04948.

    Args:
      units: Number of outputs.
      use_bias: Whether to add a bias.
      gain: Factor of the output; sqrt(2) before a leaky ReLU preserves the variance.
      lr_multiplier: Learning rate relative to that of other layers.
      bias_start: Initial value of the bias, before the gain.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import EqualizedDense
      >>> layer = EqualizedDense(3, lr_multiplier=0.01)
      >>> tuple(layer(ops.ones((2, 5))).shape)
      (2, 3)
    """

    def __init__(self, units: int, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.units = units

    def build(self, input_shape: TensorShape) -> None:
        self._build((input_shape[-1], self.units))

    def call(self, inputs: Tensor) -> Tensor:
        return self._add_bias(ops.matmul(inputs, self._cast_kernel()))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units}


@keras.saving.register_keras_serializable("compare_gan")
class EqualizedConv2D(_Equalized):
    """Convolution with an equalized learning rate and SAME padding, see `EqualizedDense`.

    [batch, h, w, c] -> [batch, h, w, filters], with half or twice the size if it resamples.

    Args:
      filters: Number of output channels.
      kernel_size: Height and width k of the kernel, which is [k, k, c, filters].
      resample: Resampling with the filter [1, 3, 3, 1] that is part of the layer: `up` (twice the
        size), `down` (half the size) or None; k is then 1 or 3.
      *args: `use_bias`, `gain`, `lr_multiplier`, `bias_start` of `EqualizedDense`.
      **kwargs: The same by name; further arguments of `keras.layers.Layer`.

    Raises:
      UserError: `resample` is unknown, or the kernel has another size.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import EqualizedConv2D
      >>> tuple(EqualizedConv2D(4, 3, resample="down")(ops.ones((2, 8, 8, 3))).shape)
      (2, 4, 4, 4)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        resample: str | None = None,
        *args: Any,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        check_binomial(kernel_size, resample)
        self.filters = filters
        self.kernel_size = kernel_size
        self.resample = resample

    def build(self, input_shape: TensorShape) -> None:
        k = self.kernel_size
        self._build((k, k, input_shape[-1], self.filters))

    def call(self, inputs: Tensor) -> Tensor:
        return self._add_bias(convolve_binomial(inputs, self._cast_kernel(), self.resample))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "resample": self.resample,
        }
