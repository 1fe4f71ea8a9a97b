"""Dense, convolution and transposed convolution, each with optional spectral normalization."""

import keras
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError, unknown_name
from compare_gan.layers import resampling
from compare_gan.layers.initializers import weight_initializer
from compare_gan.layers.spectral_norm import SpectrallyNormalized


class _Linear(SpectrallyNormalized):
    """What the three share: kernel initializer, bias, serialization."""

    def __init__(
        self, use_bias=True, spectral_norm=False, kernel_initializer=None, name=None, **kwargs
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.use_bias = use_bias
        self.kernel_initializer = (
            weight_initializer()
            if kernel_initializer is None
            else keras.initializers.get(kernel_initializer)
        )

    def _build(self, kernel_shape, units, bias_start=0.0):
        self.add_kernel(kernel_shape, self.kernel_initializer)
        self.bias = None
        if self.use_bias:
            initializer = keras.initializers.Constant(bias_start)
            self.bias = self.add_weight(shape=(units,), initializer=initializer, name="bias")

    def _add_bias(self, x):
        return x if self.bias is None else backend.add_bias(x, ops.cast(self.bias, x.dtype))

    def get_config(self):
        return super().get_config() | {
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable("compare_gan")
class Dense(_Linear):
    """A fully connected layer: [batch, n] -> [batch, units].

    Args:
      units: Number of outputs.
      use_bias: Add a bias.
      spectral_norm: Divide the kernel by its largest singular value; see `SpectralNorm.of`.
      kernel_initializer: Keras initializer; `weight_initializer()` if None.
      bias_start: What the bias starts at.
      name: Name of the layer.
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = True,
        spectral_norm: bool = False,
        kernel_initializer=None,
        bias_start: float = 0.0,
        name: str | None = None,
        **kwargs,
    ):
        super().__init__(use_bias, spectral_norm, kernel_initializer, name, **kwargs)
        self.units = units
        self.bias_start = bias_start

    def build(self, input_shape):
        self._build((input_shape[-1], self.units), self.units, self.bias_start)

    def call(self, inputs, training=None):
        return self._add_bias(ops.matmul(inputs, self.normalized_kernel(training)))

    def get_config(self):
        return super().get_config() | {"units": self.units, "bias_start": self.bias_start}


class _Convolution(_Linear):
    """What the two convolutions share: a square kernel, one stride, SAME padding."""

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        use_bias: bool = True,
        spectral_norm: bool = False,
        kernel_initializer=None,
        name: str | None = None,
        **kwargs,
    ):
        super().__init__(use_bias, spectral_norm, kernel_initializer, name, **kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
        }


@keras.saving.register_keras_serializable("compare_gan")
class Conv2D(_Convolution):
    """Convolution with SAME padding: [batch, h, w, c] -> [batch, ⌈h/s⌉, ⌈w/s⌉, filters].

    Args:
      filters: Channels of the result.
      kernel_size: Height and width of the kernel ([k, k, c, filters]).
      strides: Stride s in both directions.
      use_bias: Add a bias.
      spectral_norm: Divide the kernel by its largest singular value; see `SpectralNorm.of`.
      kernel_initializer: Keras initializer; `weight_initializer()` if None.
      name: Name of the layer.
      resample: Resampling that belongs to the convolution, see `resampling`: `unpool_then` or
        `nearest_then` (twice the size before it), `then_mean_pool` (half the size after it), None.
      folded: Compute convolution and resampling as one smaller convolution, equal to rounding.

    Raises:
      UserError: `resample` is unknown, or comes with strides.
    """

    def __init__(self, *args, resample: str | None = None, folded: bool = True, **kwargs):
        super().__init__(*args, **kwargs)
        if resample is not None and resample not in resampling.RESAMPLINGS:
            raise unknown_name("resample", resample, resampling.RESAMPLINGS)
        if resample is not None and self.strides != 1:
            raise UserError(
                f"A convolution with resample='{resample}' has strides 1, received {self.strides}."
            )
        self.resample = resample
        self.folded = folded

    def build(self, input_shape):
        k = self.kernel_size
        self._build((k, k, input_shape[-1], self.filters), self.filters)

    def call(self, inputs, training=None):
        kernel = self.normalized_kernel(training)
        if self.resample is None:
            y = backend.conv(inputs, kernel, self.strides)
        else:
            y = resampling.convolve(inputs, kernel, self.resample, self.folded)
        return self._add_bias(y)

    def get_config(self):
        return super().get_config() | {"resample": self.resample, "folded": self.folded}


@keras.saving.register_keras_serializable("compare_gan")
class Conv2DTranspose(_Convolution):
    """Transposed convolution with SAME padding: [batch, h, w, c] -> [batch, h·s, w·s, filters].

    The kernel's layout is [k, k, filters, c]; spectral normalization treats its last axis as the
    columns of the matrix.

    Args:
      filters: Channels of the result.
      kernel_size: Height and width of the kernel.
      strides: Stride s in both directions.
      use_bias: Add a bias.
      spectral_norm: Divide the kernel by its largest singular value; see `SpectralNorm.of`.
      kernel_initializer: Keras initializer; `weight_initializer()` if None.
      name: Name of the layer.
      output_size: Height and width of the result where that is not h·s (e.g. 7 from 4): sizes
        of which a convolution of this stride makes h and w.

    Raises:
      UserError: `output_size` cannot be had from the input's size.
    """

    def __init__(self, *args, output_size: tuple[int, int] | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.output_size = None if output_size is None else tuple(output_size)

    def build(self, input_shape):
        k = self.kernel_size
        self._build((k, k, self.filters, input_shape[-1]), self.filters)

    def call(self, inputs, training=None):
        kernel = self.normalized_kernel(training)
        y = backend.conv_transpose(inputs, kernel, self.strides)
        if self.output_size is not None:
            y = self._crop(y)
        return self._add_bias(y)

    def _crop(self, y):
        """The part of the full result of which the forward convolution makes the input."""
        h, w = self.output_size
        top, left = (
            self._crop_start(full, wanted) for full, wanted in ((y.shape[1], h), (y.shape[2], w))
        )
        return y[:, top : top + h, left : left + w]

    def _crop_start(self, full, wanted):
        k, s = self.kernel_size, self.strides
        if not full - s < wanted <= full:
            raise UserError(
                f"output_size for an input of {full // s} pixels and strides {s} must be within "
                f"{full - s + 1} and {full}, received {wanted}."
            )
        # SAME padding on a size that the stride does not divide puts up to half of the rest more
        # in front than on the full size, and the transposed convolution starts so much later.
        return max(k - s + full - wanted, 0) // 2 - max(k - s, 0) // 2

    def get_config(self):
        return super().get_config() | {"output_size": self.output_size}
