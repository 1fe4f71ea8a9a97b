"""Dense, convolution and transposed convolution, each with optional spectral normalization."""

from typing import Any

import keras
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError, check_positive_integer, unknown_name
from compare_gan.layers import resampling
from compare_gan.layers.initializers import WeightOptions
from compare_gan.layers.spectral_norm import SpectrallyNormalized, SpectralNormLike
from compare_gan.types import Tensor, TensorShape


class _Linear(SpectrallyNormalized):
    """Base of the three layers: kernel initializer, bias, serialization."""

    def __init__(
        self,
        use_bias: bool = True,
        spectral_norm: SpectralNormLike = False,
        kernel_initializer: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.use_bias = use_bias
        self.kernel_initializer = (
            WeightOptions().make()
            if kernel_initializer is None
            else keras.initializers.get(kernel_initializer)
        )

    def _build(self, kernel_shape: tuple[int, ...], units: int, bias_start: float = 0.0) -> None:
        self.add_kernel(kernel_shape, self.kernel_initializer)
        self.bias = None
        if self.use_bias:
            initializer = keras.initializers.Constant(bias_start)
            self.bias = self.add_weight(shape=(units,), initializer=initializer, name="bias")

    def _add_bias(self, x: Tensor) -> Tensor:
        return x if self.bias is None else backend.add_bias(x, ops.cast(self.bias, x.dtype))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable("compare_gan")
class Dense(_Linear):
    """A fully connected layer: [batch, n] -> [batch, units].

    Args:
      units: Number of outputs.
      use_bias: Whether to add a bias.
      spectral_norm: Division of the kernel by its largest singular value; see `SpectralNorm.of`.
      kernel_initializer: Keras initializer; None for that of gin's scope `weights`, by default
        normal with a standard deviation of 0.02.
      bias_start: Initial value of the bias.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import Dense
      >>> tuple(Dense(3, spectral_norm=True)(ops.ones((2, 5))).shape)
      (2, 3)
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        spectral_norm: SpectralNormLike = False,
        kernel_initializer: Any = None,
        bias_start: float = 0.0,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(use_bias, spectral_norm, kernel_initializer, name, **kwargs)
        self.units = units
        self.bias_start = bias_start

    def build(self, input_shape: TensorShape) -> None:
        self._build((input_shape[-1], self.units), self.units, self.bias_start)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self._add_bias(ops.matmul(inputs, self.normalized_kernel(training)))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"units": self.units, "bias_start": self.bias_start}


class _Convolution(_Linear):
    """Base of the two convolutions: a square kernel, one stride, SAME padding."""

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        use_bias: bool = True,
        spectral_norm: SpectralNormLike = False,
        kernel_initializer: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(use_bias, spectral_norm, kernel_initializer, name, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
        }


@keras.saving.register_keras_serializable("compare_gan")
class Conv2D(_Convolution):
    """Convolution with SAME padding: [batch, h, w, c] -> [batch, ⌈h/s⌉, ⌈w/s⌉, filters].

    Args:
      filters: Number of output channels.
      kernel_size: Height and width k of the kernel, which is [k, k, c / groups, filters].
      strides: Stride s in both directions.
      use_bias: Whether to add a bias.
      spectral_norm: Division of the kernel by its largest singular value; see `SpectralNorm.of`.
      kernel_initializer: Keras initializer; see `Dense`.
      name: Name of the layer.
      resample: Resampling that is part of the layer: `unpool_then` or `nearest_then` (twice the
        size, before the convolution), `then_mean_pool` (half the size, after it), or None; see
        `resampling`.
      folded: Whether to compute convolution and resampling as one smaller convolution, which gives
        the same result up to rounding.
      groups: Number of groups of neighbouring channels that are convolved separately; it divides c
        and `filters`.

    Raises:
      UserError: `resample` is unknown, or combined with strides or groups, or `groups` does not
        divide both numbers of channels.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import Conv2D
      >>> x = ops.ones((2, 8, 8, 3))
      >>> tuple(Conv2D(4, 3, strides=2, spectral_norm=True)(x).shape)
      (2, 4, 4, 4)
      >>> tuple(Conv2D(4, 3, resample="nearest_then")(x).shape)
      (2, 16, 16, 4)
    """

    def __init__(
        self,
        *args: Any,
        resample: str | None = None,
        folded: bool = True,
        groups: int = 1,
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        check_positive_integer("groups", groups)
        if resample is not None and resample not in resampling.RESAMPLINGS:
            raise unknown_name("resample", resample, resampling.RESAMPLINGS)
        if resample is not None and self.strides != 1:
            raise UserError(
                f"A convolution with resample='{resample}' must have strides 1, received "
                f"{self.strides}."
            )
        if resample is not None and groups != 1:
            raise UserError(
                f"A convolution with resample='{resample}' must have one group, received {groups}."
            )
        self.resample = resample
        self.folded = folded
        self.groups = groups

    def build(self, input_shape: TensorShape) -> None:
        k, channels = self.kernel_size, input_shape[-1]
        if channels % self.groups or self.filters % self.groups:
            raise UserError(
                f"The groups of a convolution must divide its {channels} channels and "
                f"{self.filters} filters, received {self.groups}."
            )
        self._build((k, k, channels // self.groups, self.filters), self.filters)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        kernel = self.normalized_kernel(training)
        if self.resample is None:
            y = backend.conv(inputs, kernel, self.strides)
        else:
            y = resampling.convolve(inputs, kernel, self.resample, self.folded)
        return self._add_bias(y)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "resample": self.resample,
            "folded": self.folded,
            "groups": self.groups,
        }


@keras.saving.register_keras_serializable("compare_gan")
class Conv2DTranspose(_Convolution):
    """Transposed convolution with SAME padding: [batch, h, w, c] -> [batch, h·s, w·s, filters].

    The layout of the kernel is [k, k, filters, c]; spectral normalization treats its last axis as
    the columns of the matrix.

    Args:
      filters: Number of output channels.
      kernel_size: Height and width of the kernel.
      strides: Stride s in both directions.
      use_bias: Whether to add a bias.
      spectral_norm: Division of the kernel by its largest singular value; see `SpectralNorm.of`.
      kernel_initializer: Keras initializer; see `Dense`.
      name: Name of the layer.
      output_size: Height and width of the output where they are not h·s and w·s (for example 7
        from 4): sizes that a convolution with this stride maps to h and w.

    Raises:
      UserError: `output_size` is impossible for the size of the input.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import Conv2DTranspose
      >>> x = ops.ones((2, 4, 4, 3))
      >>> tuple(Conv2DTranspose(5, 4, strides=2)(x).shape)
      (2, 8, 8, 5)
      >>> tuple(Conv2DTranspose(5, 4, strides=2, output_size=(7, 7))(x).shape)
      (2, 7, 7, 5)
    """

    def __init__(self, *args: Any, output_size: tuple[int, int] | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.output_size: tuple[int, int] | None = None
        if output_size is not None:  # A list if it comes from a file.
            h, w = output_size
            self.output_size = h, w

    def build(self, input_shape: TensorShape) -> None:
        k, s = self.kernel_size, self.strides
        sizes = zip(input_shape[1:3], self.output_size, strict=True) if self.output_size else ()
        for side, wanted in sizes:
            if not (side - 1) * s < wanted <= side * s:
                raise UserError(
                    f"output_size for an input of {side} pixels and strides {s} must be between "
                    f"{(side - 1) * s + 1} and {side * s}, received {wanted}."
                )
        self._build((k, k, self.filters, input_shape[-1]), self.filters)

    def used_kernel(self) -> Tensor:
        """The kernel with its outputs last, [k, k, c, filters]; see `gans.networks.kernels`."""
        return ops.swapaxes(self.kernel, -1, -2)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        kernel = self.normalized_kernel(training)
        y = backend.conv_transpose(inputs, kernel, self.strides, output_size=self.output_size)
        return self._add_bias(y)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"output_size": self.output_size}
