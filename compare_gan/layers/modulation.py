"""Convolutions whose input channels are scaled per example, and noise between them (StyleGAN2)."""

import math
from typing import Any

import keras
from keras import ops

from compare_gan import backend
from compare_gan.layers.binomial_convolution import check_binomial, convolve_binomial
from compare_gan.layers.equalized import EqualizedDense
from compare_gan.types import Tensor, TensorShape

# Under the root of the kernels' squared norms.
_EPSILON = 1e-8


def modulated_convolve(
    x: Tensor,
    kernel: Tensor,
    scales: Tensor,
    demodulate: bool = True,
    resample: str | None = None,
    gain: float = 1.0,
) -> Tensor:
    """Convolves each example with a kernel whose input channels are scaled for it.

    Instead of the kernels, of which there would be one for each example, it scales the channels of
    the input and, to demodulate, those of the output: the same result with one dense convolution.

    Args:
      x: [batch, h, w, c].
      kernel: [k, k, c, filters].
      scales: [batch, c].
      demodulate: Whether to divide each example's kernel by its norm over all axes but the last.
      resample: See `convolve_binomial`.
      gain: Factor of the output.

    Returns:
      [batch, h, w, filters], with twice or half the size if it resamples.
    """
    # The kernel has unit variance: scaled down it does not exhaust the range of half precision.
    shrink = 1 / math.sqrt(math.prod(kernel.shape[:3])) if demodulate else gain
    y = convolve_binomial(
        x * ops.cast(scales[:, None, None], x.dtype), ops.cast(kernel * shrink, x.dtype), resample
    )
    if not demodulate:
        return y
    squares = ops.sum(ops.square(ops.cast(kernel, "float32")), axis=(0, 1))
    norms = ops.matmul(ops.square(ops.cast(scales, "float32")), squares)
    factors = ops.rsqrt(norms + _EPSILON) * (gain / shrink)
    return y * ops.cast(factors[:, None, None], y.dtype)


@keras.saving.register_keras_serializable("compare_gan")
class ModulatedConv2D(keras.layers.Layer):
    """Modulated convolution of StyleGAN2.

    A dense layer makes a scale for each input channel from the style; each example's kernel is
    scaled so and, to demodulate, divided by its norm. [batch, h, w, c], [batch, w_dim] ->
    [batch, h, w, filters], with half or twice the size if it resamples. Learning rates are
    equalized. Paper: https://arxiv.org/abs/1912.04958.

    Args:
      filters: Number of output channels.
      kernel_size: Height and width of the kernel.
      demodulate: Whether to divide kernels by their norms; otherwise they are scaled by
        1 / sqrt(fan-in).
      resample: Resampling that is part of the layer; see `EqualizedConv2D`.
      use_bias: Whether to add a bias.
      gain: Factor of the output, bias included.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Raises:
      UserError: `resample` is unknown, or the kernel has another size than 1 or 3.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import ModulatedConv2D
      >>> x, style = ops.ones((2, 8, 8, 3)), ops.ones((2, 5))
      >>> tuple(ModulatedConv2D(4, 3, resample="up")(x, style).shape)
      (2, 16, 16, 4)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        demodulate: bool = True,
        resample: str | None = None,
        use_bias: bool = True,
        gain: float = 1.0,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        check_binomial(kernel_size, resample)
        self.filters = filters
        self.kernel_size = kernel_size
        self.demodulate = demodulate
        self.resample = resample
        self.use_bias = use_bias
        self.gain = gain

    def build(self, x_shape: TensorShape, style_shape: TensorShape) -> None:
        k, channels = self.kernel_size, x_shape[-1]
        self.kernel = self.add_weight(
            shape=(k, k, channels, self.filters),
            initializer=backend.initializer(keras.initializers.RandomNormal(stddev=1.0)),
            name="kernel",
        )
        self._kernel_gain = self.gain
        if not self.demodulate:
            self._kernel_gain /= math.sqrt(k * k * channels)
        self.affine = EqualizedDense(
            channels, bias_start=1.0, name="affine", dtype=self.dtype_policy
        )
        self.affine.build(style_shape)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.filters,), initializer=backend.initializer("zeros"), name="bias"
            )

    def used_kernel(self) -> Tensor:
        """The kernel times gain / sqrt(fan-in); see `gans.networks.kernels`.

        Demodulation would divide by the kernel's own norm, which is sqrt(fan-in) at the start.
        """
        return self.kernel * (self.gain / math.sqrt(math.prod(self.kernel.shape[:-1])))

    def call(self, x: Tensor, style: Tensor) -> Tensor:
        y = modulated_convolve(
            x, self.kernel, self.affine(style), self.demodulate, self.resample, self._kernel_gain
        )
        if self.bias is None:
            return y
        return backend.add_bias(y, ops.cast(self.bias * self.gain, y.dtype))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "demodulate": self.demodulate,
            "resample": self.resample,
            "use_bias": self.use_bias,
            "gain": self.gain,
        }


@keras.saving.register_keras_serializable("compare_gan")
class AddedNoise(keras.layers.Layer):
    """Normal noise, one value per pixel for all channels, times a learned strength.

    The strength starts at 0. [batch, h, w, c] -> [batch, h, w, c]. The noise is the argument
    `noise` [batch, h, w, 1] of the call; without it all examples have that which the layer drew
    when it was built, and saves. Paper:
    https://arxiv.org/abs/1812.04948.

    Args:
      gain: Factor of the noise.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import AddedNoise
      >>> layer = AddedNoise()
      >>> _ = layer(ops.zeros((2, 4, 4, 3)))
      >>> _ = layer.strength.assign(0.1)
      >>> y = ops.convert_to_numpy(layer(ops.zeros((2, 4, 4, 3))))
      >>> bool((y[0] == y[1]).all())
      True
    """

    def __init__(self, gain: float = 1.0, name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.gain = gain

    def build(self, inputs_shape: TensorShape, noise_shape: TensorShape | None = None) -> None:
        self.strength = self.add_weight(
            shape=(), initializer=backend.initializer("zeros"), name="strength"
        )
        self.noise = self.add_weight(
            shape=(*inputs_shape[1:3], 1),
            initializer=backend.initializer(keras.initializers.RandomNormal(stddev=1.0)),
            trainable=False,
            aggregation="only_first_replica",
            name="noise",
        )

    def call(self, inputs: Tensor, noise: Tensor | None = None) -> Tensor:
        noise = ops.cast(self.noise if noise is None else noise, inputs.dtype)
        return inputs + noise * ops.cast(self.strength * self.gain, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"gain": self.gain}
