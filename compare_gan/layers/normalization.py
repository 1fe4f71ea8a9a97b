"""Batch normalization (plain, conditional, self-modulated) and layer normalization.

A network receives one of the classes (`G.batch_norm_fn = @conditional_batch_norm`), makes layers as
`fn(name=…, spectral_norm=…)` and calls them with those of the values `inputs`, `z`, `y` and
`training` that their `call` has parameters for; see `registry.call_with_requested`.
"""

from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.errors import UserError, check_range
from compare_gan.layers.activations import relu
from compare_gan.layers.initializers import WeightOptions
from compare_gan.layers.linear import Dense
from compare_gan.layers.spectral_norm import SpectrallyNormalized, SpectralNormLike
from compare_gan.layers.standardization import StandardizeBatch
from compare_gan.types import Tensor, TensorShape


def add_scale_and_offset(layer: keras.layers.Layer, channels: int) -> None:
    """Adds `gamma` and `beta`, which are not rounded: the arithmetic they enter is float32."""
    layer.gamma, layer.beta = (
        layer.add_weight(shape=(channels,), initializer=start, autocast=False, name=name)
        for name, start in (("gamma", "ones"), ("beta", "zeros"))
    )


@registry.register("normalization", "batch_norm", paper="https://arxiv.org/abs/1502.03167")
@keras.saving.register_keras_serializable("compare_gan")
class BatchNorm(StandardizeBatch):
    """Batch normalization with a learned scale and offset for each channel.

    Arguments: see `StandardizeBatch`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import BatchNorm
      >>> tuple(BatchNorm()(ops.ones((2, 4, 4, 3)), training=True).shape)
      (2, 4, 4, 3)
    """

    def build(self, input_shape: TensorShape) -> None:
        super().build(input_shape)
        add_scale_and_offset(self, input_shape[-1])

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.scale_and_offset(inputs, self.gamma, self.beta, training)


class _ModulatedBatchNorm(StandardizeBatch):
    """Base of the batch norms with a scale and offset for each example.

    Args:
      name: Name of the layer.
      spectral_norm: Spectral normalization of the kernels; see `SpectralNorm.of`.
      weight_options: Initial distribution of the kernels; see `WeightOptions.of`.
      **kwargs: Further arguments of `StandardizeBatch`.
    """

    def __init__(
        self,
        name: str | None = None,
        spectral_norm: SpectralNormLike = False,
        weight_options: WeightOptions | dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.weight_options = WeightOptions.of(weight_options)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"weight_options": self.weight_options.get_config()}


class _Modulation(keras.layers.Layer):
    """Scale and offset for each example: `gamma` and `beta`, dense layers applied to a vector.

    Args:
      owner: Batch norm that they belong to; it determines spectral norm, initializer and dtype.
      channels: Number of channels.
      name: Name of the layer.
      use_bias: Whether the two have a bias.
      gamma_start: Initial value of gamma's bias.
      num_hidden: Width of a hidden layer before them; 0 for none.
    """

    def __init__(
        self,
        owner: _ModulatedBatchNorm,
        channels: int,
        name: str,
        use_bias: bool = True,
        gamma_start: float = 0.0,
        num_hidden: int = 0,
    ):
        super().__init__(name=name, dtype=owner.dtype_policy)

        def dense(units: int, name: str, **kwargs: Any) -> Dense:
            return Dense(
                units,
                spectral_norm=owner.spectral_norm,
                kernel_initializer=owner.weight_options.make(),
                name=name,
                dtype=owner.dtype_policy,
                **kwargs,
            )

        self.hidden = dense(num_hidden, "hidden") if num_hidden else None
        self.gamma = dense(channels, "gamma", use_bias=use_bias, bias_start=gamma_start)
        self.beta = dense(channels, "beta", use_bias=use_bias)

    def build(self, input_shape: TensorShape) -> None:
        if self.hidden is not None:
            self.hidden.build(input_shape)
            input_shape = (*input_shape[:-1], self.hidden.units)
        self.gamma.build(input_shape)
        self.beta.build(input_shape)

    def call(self, condition: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        h = condition
        if self.hidden is not None:
            h = relu(self.hidden(h, training=training))
        return self.gamma(h, training=training), self.beta(h, training=training)


@registry.register(
    "normalization", "conditional_batch_norm", paper="https://arxiv.org/abs/1610.07629"
)
@keras.saving.register_keras_serializable("compare_gan")
class ConditionalBatchNorm(_ModulatedBatchNorm):
    """Batch normalization with a scale and offset that are linear in the label or its embedding.

    Args:
      name: Name of the layer.
      spectral_norm: Spectral normalization of the two kernels; see `SpectralNorm.of`.
      use_bias: Whether both have a bias.
      centered: True: scale by 1 + y·W, as in the papers; False: by y·W, as in the 2019 library.
      **kwargs: `statistics` (see `StandardizeBatch`), `weight_options` (see `WeightOptions.of`) and
        further arguments of `keras.layers.Layer`.

    Raises:
      UserError: `y` is None.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import ConditionalBatchNorm
      >>> x, y = ops.ones((2, 4, 4, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(ConditionalBatchNorm()(x, y, training=True).shape)
      (2, 4, 4, 3)
    """

    def __init__(
        self,
        name: str | None = None,
        spectral_norm: SpectralNormLike = False,
        use_bias: bool = False,
        centered: bool = True,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.use_bias = use_bias
        self.centered = centered

    # Keras passes one shape per tensor argument of `call`, by the argument's name.
    def build(self, inputs_shape: TensorShape, y_shape: TensorShape | None = None) -> None:
        if y_shape is None:
            raise UserError(
                "conditional_batch_norm needs labels, received None: make the GAN conditional or "
                "choose another normalization."
            )
        super().build(inputs_shape)
        self.condition = _Modulation(
            self, inputs_shape[-1], name="condition", use_bias=self.use_bias
        )
        self.condition.build(y_shape)

    # The name of the second argument says what the normalization needs.
    def call(  # type: ignore[override]
        self, inputs: Tensor, y: Tensor, training: bool | None = None
    ) -> Tensor:
        gamma, beta = self.condition(y, training=training)
        if self.centered:
            gamma = 1 + gamma
        return self.scale_and_offset(inputs, gamma, beta, training)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"use_bias": self.use_bias, "centered": self.centered}


@registry.register(
    "normalization", "self_modulated_batch_norm", paper="https://arxiv.org/abs/1810.01365"
)
@keras.saving.register_keras_serializable("compare_gan")
class SelfModulatedBatchNorm(_ModulatedBatchNorm):
    """Batch normalization with a scale and offset that a small network computes from the latent.

    Args:
      name: Name of the layer.
      spectral_norm: Spectral normalization of the network's kernels; see `SpectralNorm.of`.
      num_hidden: Width of the network's hidden layer; 0 for none.
      **kwargs: `statistics` (see `StandardizeBatch`), `weight_options` (see `WeightOptions.of`) and
        further arguments of `keras.layers.Layer`.

    Raises:
      UserError: `num_hidden` is negative, or `z` is None.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import SelfModulatedBatchNorm
      >>> x, z = ops.ones((2, 4, 4, 3)), ops.ones((2, 16))
      >>> tuple(SelfModulatedBatchNorm()(x, z, training=True).shape)
      (2, 4, 4, 3)
    """

    def __init__(
        self,
        name: str | None = None,
        spectral_norm: SpectralNormLike = False,
        num_hidden: int = 32,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        check_range("self_modulated_batch_norm.num_hidden", num_hidden)
        self.num_hidden = num_hidden

    # See `ConditionalBatchNorm.build`.
    def build(self, inputs_shape: TensorShape, z_shape: TensorShape | None = None) -> None:
        if z_shape is None:
            raise UserError(
                "self_modulated_batch_norm needs a latent, received None: it is for generators."
            )
        super().build(inputs_shape)
        self.sbn = _Modulation(
            self, inputs_shape[-1], name="sbn", gamma_start=1.0, num_hidden=self.num_hidden
        )
        self.sbn.build(z_shape)

    # See `ConditionalBatchNorm.call`.
    def call(  # type: ignore[override]
        self, inputs: Tensor, z: Tensor, training: bool | None = None
    ) -> Tensor:
        gamma, beta = self.sbn(z, training=training)
        return self.scale_and_offset(inputs, gamma, beta, training)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"num_hidden": self.num_hidden}


@registry.register("normalization", "no_batch_norm")
@keras.saving.register_keras_serializable("compare_gan")
class NoBatchNorm(SpectrallyNormalized):
    """No normalization: returns its input.

    Arguments: see `SpectrallyNormalized`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import NoBatchNorm
      >>> ops.convert_to_numpy(NoBatchNorm()(ops.array([1.0, 2.0]))).tolist()
      [1.0, 2.0]
    """

    def call(self, inputs: Tensor) -> Tensor:
        return inputs


@registry.register("normalization", "layer_norm", paper="https://arxiv.org/abs/1607.06450")
@keras.saving.register_keras_serializable("compare_gan")
class LayerNorm(SpectrallyNormalized):
    """Standardization of each example over all its axes, with a learned scale and offset.

    There is one scale and one offset for each channel; epsilon is 1e-12. Arguments: see
    `SpectrallyNormalized`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.layers import LayerNorm
      >>> np.round(LayerNorm()(np.float32([[0, 2], [5, 9]])), 3).tolist()
      [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def build(self, input_shape: TensorShape) -> None:
        add_scale_and_offset(self, input_shape[-1])

    def call(self, inputs: Tensor) -> Tensor:
        x = ops.cast(inputs, "float32")
        axes = tuple(range(1, len(x.shape)))
        mean = ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(x - mean), axis=axes, keepdims=True)
        x = (x - mean) * ops.rsqrt(variance + 1e-12)
        return ops.cast(x * self.gamma + self.beta, inputs.dtype)
