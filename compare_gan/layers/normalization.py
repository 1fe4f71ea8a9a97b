"""Batch normalization in its forms (plain, conditional, self-modulated) and layer normalization.

A network is given one of the classes (`G.batch_norm_fn = @conditional_batch_norm`), builds it as
`fn(name=…, spectral_norm=…)` and calls it with what its `call` asks for among `inputs`, `z`, `y`
and `training`; see `utils.call_with_requested`.
"""

import gin
import keras
from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean
from compare_gan.layers.linear import Dense


@gin.configurable("standardize_batch")
class BatchStatistics:
    """Settings of the standardization inside every batch norm (gin scope `standardize_batch`).

    Args:
      decay: Of the moving averages.
      epsilon: Added to the variance.
      use_moving_averages: Evaluate with moving averages; else with standing statistics, see
        `standing_statistics`.
      use_cross_replica_mean: Take the moments over all replicas; None = where there are several.
    """

    def __init__(
        self,
        decay: float = 0.999,
        epsilon: float = 1e-3,
        use_moving_averages: bool = True,
        use_cross_replica_mean: bool | None = None,
    ):
        self.decay = decay
        self.epsilon = epsilon
        self.use_moving_averages = use_moving_averages
        self.use_cross_replica_mean = use_cross_replica_mean


class _Normalization(keras.layers.Layer):
    """Base: every normalization can be built as `fn(name=…, spectral_norm=…)`."""

    def __init__(self, name: str | None = None, spectral_norm: bool = False, **kwargs):
        super().__init__(name=name, **kwargs)
        self.spectral_norm = spectral_norm

    def get_config(self):
        return super().get_config() | {"spectral_norm": self.spectral_norm}


class _Accumulators(keras.layers.Layer):
    """The variables of standing statistics, under the names that checkpoints know."""

    def build(self, input_shape):
        channels = (input_shape[-1],)
        self.accu_mean = self._add(channels, "accu_mean")
        self.accu_variance = self._add(channels, "accu_variance")
        self.accu_counter = self._add((), "accu_counter", start=1e-12)
        self.update_accus = self._add((), "update_accus")

    def _add(self, shape, name, start=0.0):
        initializer = keras.initializers.Constant(start)
        return self.add_weight(
            shape=shape, initializer=initializer, dtype="float32", trainable=False,
            aggregation="only_first_replica", name=name,
        )  # fmt: skip

    def call(self, mean, variance):
        """The moments to use, this batch's added first while `update_accus` is 1."""
        adding = ops.cast(self.update_accus, "float32")
        self.accu_mean.assign(self.accu_mean + adding * mean)
        self.accu_variance.assign(self.accu_variance + adding * variance)
        self.accu_counter.assign(self.accu_counter + adding)
        return self.accu_mean / self.accu_counter, self.accu_variance / self.accu_counter


@keras.saving.register_keras_serializable("compare_gan")
class StandardizeBatch(_Normalization):
    """Zero mean and unit variance over all axes but the last; no scale, no offset.

    In training with the batch's moments (variance as E[x²] − E[x]²), over all replicas; otherwise
    with moving averages or standing statistics, as `standardize_batch` in gin says.

    Args:
      name: Name of the layer.
      spectral_norm: Accepted from networks; there is no kernel to normalize.
    """

    def __init__(self, name: str | None = None, spectral_norm: bool = False, **kwargs):
        settings = kwargs.pop("statistics", None)
        super().__init__(name, spectral_norm, **kwargs)
        self.statistics = BatchStatistics(**(settings or {}))

    def build(self, input_shape):
        if not self.statistics.use_moving_averages:
            self.accu = _Accumulators(name="accu")
            self.accu.build(input_shape)
            return
        for name, start in (("moving_mean", "zeros"), ("moving_variance", "ones")):
            weight = self.add_weight(
                shape=(input_shape[-1],), initializer=start, dtype="float32", trainable=False,
                aggregation="mean", name=name,
            )  # fmt: skip
            setattr(self, name, weight)

    def moments(self, inputs, training=None):
        """Mean and variance to standardize with, float32 [channels]; updates the averages."""
        settings = self.statistics
        if settings.use_moving_averages and not training:
            return ops.convert_to_tensor(self.moving_mean), ops.convert_to_tensor(
                self.moving_variance
            )
        x = ops.cast(inputs, "float32")
        axes = tuple(range(len(x.shape) - 1))
        mean, mean_square = ops.mean(x, axis=axes), ops.mean(ops.square(x), axis=axes)
        if settings.use_cross_replica_mean is not False:
            mean, mean_square = cross_replica_mean([mean, mean_square])
        variance = mean_square - ops.square(mean)
        if not training:
            return self.accu(mean, variance)
        if settings.use_moving_averages:
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        return mean, variance

    def _move(self, average, value):
        value = ops.stop_gradient(value)
        average.assign(average * self.statistics.decay + value * (1 - self.statistics.decay))

    def scale_and_offset(self, inputs, gamma=None, beta=None, training=None):
        """`inputs` standardized, times gamma, plus beta: as one multiplication and addition.

        Args:
          inputs: [batch, …, channels].
          gamma: [channels], or [batch, channels] for a scale of each example; None is 1.
          beta: Likewise; None is 0.
          training: Whether to use the batch's moments.
        """
        mean, variance = self.moments(inputs, training)
        scale = ops.rsqrt(variance + self.statistics.epsilon)
        scale = scale if gamma is None else scale * ops.cast(gamma, "float32")
        offset = -mean * scale if beta is None else ops.cast(beta, "float32") - mean * scale
        return _apply(inputs, scale, offset)

    def call(self, inputs, training=None):
        return self.scale_and_offset(inputs, training=training)

    def get_config(self):
        return super().get_config() | {"statistics": dict(vars(self.statistics))}


def _apply(x, scale, offset):
    """x·scale + offset; [batch, channels] is spread over the axes between."""

    def spread(v):
        v = ops.cast(v, x.dtype)
        if len(v.shape) == 2 and len(x.shape) > 2:
            v = ops.reshape(v, (-1, *[1] * (len(x.shape) - 2), v.shape[-1]))
        return v

    return x * spread(scale) + spread(offset)


@registry.register("normalization", "batch_norm", paper="https://arxiv.org/abs/1502.03167")
@keras.saving.register_keras_serializable("compare_gan")
class BatchNorm(StandardizeBatch):
    """Batch normalization with a learned scale and offset for each channel."""

    def build(self, input_shape):
        super().build(input_shape)
        channels = (input_shape[-1],)
        self.gamma = self.add_weight(shape=channels, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=channels, initializer="zeros", name="beta")

    def call(self, inputs, training=None):
        return self.scale_and_offset(inputs, self.gamma, self.beta, training)


class _Modulation(keras.layers.Layer):
    """Scale and offset for each example: `gamma` and `beta`, dense layers of a vector."""

    def __init__(self, channels, use_bias, spectral_norm, gamma_start, num_hidden, name):
        super().__init__(name=name)
        self.hidden = None
        if num_hidden:
            self.hidden = Dense(num_hidden, spectral_norm=spectral_norm, name="hidden")
        common = dict(use_bias=use_bias, spectral_norm=spectral_norm)
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
    """

    def __init__(self, name=None, spectral_norm=False, use_bias=False, centered=True, **kwargs):
        super().__init__(name, spectral_norm, **kwargs)
        self.use_bias = use_bias
        self.centered = centered

    def build(self, inputs_shape, y_shape):
        super().build(inputs_shape)
        self.condition = _Modulation(
            inputs_shape[-1], self.use_bias, self.spectral_norm, 0.0, 0, name="condition"
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
    """

    def __init__(self, name=None, spectral_norm=False, num_hidden: int = 32, **kwargs):
        super().__init__(name, spectral_norm, **kwargs)
        self.num_hidden = num_hidden

    def build(self, inputs_shape, z_shape):
        super().build(inputs_shape)
        self.sbn = _Modulation(
            inputs_shape[-1], True, self.spectral_norm, 1.0, self.num_hidden, name="sbn"
        )
        self.sbn.build(z_shape)

    def call(self, inputs, z, training=None):
        gamma, beta = self.sbn(z, training=training)
        return self.scale_and_offset(inputs, gamma, beta, training)

    def get_config(self):
        return super().get_config() | {"num_hidden": self.num_hidden}


@registry.register("normalization", "no_batch_norm")
@keras.saving.register_keras_serializable("compare_gan")
class NoBatchNorm(_Normalization):
    """No normalization: the input as it is."""

    def call(self, inputs):
        return inputs


@registry.register("normalization", "layer_norm", paper="https://arxiv.org/abs/1607.06450")
@keras.saving.register_keras_serializable("compare_gan")
class LayerNorm(_Normalization):
    """Zero mean and unit variance of each example over all its axes; learned scale and offset.

    One scale and offset a channel; epsilon 1e-12.
    """

    def build(self, input_shape):
        channels = (input_shape[-1],)
        self.beta = self.add_weight(shape=channels, initializer="zeros", name="beta")
        self.gamma = self.add_weight(shape=channels, initializer="ones", name="gamma")

    def call(self, inputs):
        x = ops.cast(inputs, "float32")
        axes = tuple(range(1, len(x.shape)))
        mean = ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(x - mean), axis=axes, keepdims=True)
        x = (x - mean) * ops.rsqrt(variance + 1e-12)
        return ops.cast(x * self.gamma + self.beta, inputs.dtype)
