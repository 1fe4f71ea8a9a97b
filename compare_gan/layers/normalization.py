"""Batch normalization in its forms (plain, conditional, self-modulated) and layer normalization.

A network is given one of the classes (`G.batch_norm_fn = @conditional_batch_norm`), builds it as
`fn(name=…, spectral_norm=…)` and calls it with what its `call` asks for among `inputs`, `z`, `y`
and `training`; see `registry.call_with_requested`.
"""

import keras
from keras import ops

from compare_gan import registry
from compare_gan.errors import UserError, check_range
from compare_gan.layers.linear import Dense
from compare_gan.layers.spectral_norm import SpectrallyNormalized
from compare_gan.layers.standardization import StandardizeBatch


def _add_scale_and_offset(layer, channels):
    """Learned `gamma` and `beta`; they enter float32 arithmetic, so they are never rounded."""
    layer.gamma, layer.beta = (
        layer.add_weight(shape=(channels,), initializer=start, autocast=False, name=name)
        for name, start in (("gamma", "ones"), ("beta", "zeros"))
    )


@registry.register("normalization", "batch_norm", paper="https://arxiv.org/abs/1502.03167")
@keras.saving.register_keras_serializable("compare_gan")
class BatchNorm(StandardizeBatch):
    """Batch normalization with a learned scale and offset for each channel."""

    def build(self, input_shape):
        super().build(input_shape)
        _add_scale_and_offset(self, input_shape[-1])

    def call(self, inputs, training=None):
        return self.scale_and_offset(inputs, self.gamma, self.beta, training)


class _Modulation(keras.layers.Layer):
    """Scale and offset for each example: `gamma` and `beta`, dense layers of a vector.

    Args:
      owner: The batch norm that they are for; gives spectral norm and dtype.
      channels: Their length.
      name: Name of the layer.
      use_bias: Whether the two have a bias.
      gamma_start: What gamma's bias starts at.
      num_hidden: Width of a hidden layer before them; 0 for none.
    """

    def __init__(self, owner, channels, name, use_bias=True, gamma_start=0.0, num_hidden=0):
        super().__init__(name=name, dtype=owner.dtype_policy)
        common = {"spectral_norm": owner.spectral_norm, "dtype": owner.dtype_policy}
        self.hidden = Dense(num_hidden, name="hidden", **common) if num_hidden else None
        common["use_bias"] = use_bias
        self.gamma = Dense(channels, bias_start=gamma_start, name="gamma", **common)
        self.beta = Dense(channels, name="beta", **common)

    def build(self, input_shape):
        if self.hidden is not None:
            self.hidden.build(input_shape)
            input_shape = (*input_shape[:-1], self.hidden.units)
        self.gamma.build(input_shape)
        self.beta.build(input_shape)

    def call(self, condition, training=None):
        h = condition
        if self.hidden is not None:
            h = ops.relu(self.hidden(h, training=training))
        return self.gamma(h, training=training), self.beta(h, training=training)


@registry.register(
    "normalization", "conditional_batch_norm", paper="https://arxiv.org/abs/1610.07629"
)
@keras.saving.register_keras_serializable("compare_gan")
class ConditionalBatchNorm(StandardizeBatch):
    """Batch normalization whose scale and offset are linear in the label (or its embedding).

    Args:
      name: Name of the layer.
      spectral_norm: Spectrally normalize the two kernels.
      use_bias: Add a bias to both.
      centered: Scale by 1 + y·W, as the papers do; False: by y·W, as the 2019 library did.

    Raises:
      UserError: Called with y = None.
    """

    def __init__(
        self,
        name=None,
        spectral_norm=False,
        use_bias: bool = False,
        centered: bool = True,
        **kwargs,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.use_bias = use_bias
        self.centered = centered

    def build(self, inputs_shape, y_shape=None):
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

    def call(self, inputs, y, training=None):
        gamma, beta = self.condition(y, training=training)
        if self.centered:
            gamma = 1 + gamma
        return self.scale_and_offset(inputs, gamma, beta, training)

    def get_config(self):
        return super().get_config() | {"use_bias": self.use_bias, "centered": self.centered}


@registry.register(
    "normalization", "self_modulated_batch_norm", paper="https://arxiv.org/abs/1810.01365"
)
@keras.saving.register_keras_serializable("compare_gan")
class SelfModulatedBatchNorm(StandardizeBatch):
    """Batch normalization whose scale and offset are a small network's function of the latent.

    Args:
      name: Name of the layer.
      spectral_norm: Spectrally normalize the network's kernels.
      num_hidden: Width of its hidden layer; 0 for none.

    Raises:
      UserError: `num_hidden` is negative, or called with z = None.
    """

    def __init__(self, name=None, spectral_norm=False, num_hidden: int = 32, **kwargs):
        super().__init__(name, spectral_norm, **kwargs)
        check_range("self_modulated_batch_norm.num_hidden", num_hidden)
        self.num_hidden = num_hidden

    def build(self, inputs_shape, z_shape=None):
        if z_shape is None:
            raise UserError(
                "self_modulated_batch_norm needs a latent, received None: it is for generators."
            )
        super().build(inputs_shape)
        self.sbn = _Modulation(
            self, inputs_shape[-1], name="sbn", gamma_start=1.0, num_hidden=self.num_hidden
        )
        self.sbn.build(z_shape)

    def call(self, inputs, z, training=None):
        gamma, beta = self.sbn(z, training=training)
        return self.scale_and_offset(inputs, gamma, beta, training)

    def get_config(self):
        return super().get_config() | {"num_hidden": self.num_hidden}


@registry.register("normalization", "no_batch_norm")
@keras.saving.register_keras_serializable("compare_gan")
class NoBatchNorm(SpectrallyNormalized):
    """No normalization: the input as it is."""

    def call(self, inputs):
        return inputs


@registry.register("normalization", "layer_norm", paper="https://arxiv.org/abs/1607.06450")
@keras.saving.register_keras_serializable("compare_gan")
class LayerNorm(SpectrallyNormalized):
    """Zero mean and unit variance of each example over all its axes; learned scale and offset.

    One scale and offset a channel; epsilon 1e-12.
    """

    def build(self, input_shape):
        _add_scale_and_offset(self, input_shape[-1])

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        axes = tuple(range(1, len(x.shape)))
        mean = ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(x - mean), axis=axes, keepdims=True)
        x = (x - mean) * ops.rsqrt(variance + 1e-12)
        return ops.cast(x * self.gamma + self.beta, inputs.dtype)
