"""What every batch norm does before its scale and offset: zero mean and unit variance."""

import gin
import keras
from keras import ops

from compare_gan.backend import add_bias, cross_replica_mean, mean_by_channel
from compare_gan.errors import check_decay, check_range
from compare_gan.layers.spectral_norm import SpectrallyNormalized


@gin.configurable("standardize_batch")
class BatchStatistics:
    """Settings of the standardization inside every batch norm (gin scope `standardize_batch`).

    Args:
      decay: Of the moving averages.
      epsilon: Added to the variance.
      use_moving_averages: Evaluate with moving averages; else with standing statistics, see
        `standing_statistics`.
      use_cross_replica_mean: Take the moments over all replicas; None = where there are several.

    Raises:
      UserError: `decay` is not in [0, 1), or `epsilon` is negative.
    """

    def __init__(
        self,
        decay: float = 0.999,
        epsilon: float = 1e-3,
        use_moving_averages: bool = True,
        use_cross_replica_mean: bool | None = None,
    ):
        check_decay("standardize_batch.decay", decay)
        check_range("standardize_batch.epsilon", epsilon)
        self.decay = decay
        self.epsilon = epsilon
        self.use_moving_averages = use_moving_averages
        self.use_cross_replica_mean = use_cross_replica_mean


class _Accumulators(keras.layers.Layer):
    """The variables of standing statistics, under the names that checkpoints know."""

    _NO_BATCHES = 1e-12  # Not zero, so that the moments are finite before the first batch.

    def __init__(self, aggregation: str, name: str):
        super().__init__(name=name)
        self.aggregation = aggregation

    def build(self, input_shape):
        channels = (input_shape[-1],)
        self.accu_mean = self._add(channels, "accu_mean")
        self.accu_variance = self._add(channels, "accu_variance")
        self.accu_counter = self._add((), "accu_counter", start=self._NO_BATCHES)
        self.update_accus = self._add((), "update_accus")

    def _add(self, shape, name, start=0.0):
        return _add_statistic(self, shape, start, self.aggregation, name)

    def reset(self) -> None:
        """Forgets what was accumulated."""
        self.accu_mean.assign(ops.zeros_like(self.accu_mean.value))
        self.accu_variance.assign(ops.zeros_like(self.accu_variance.value))
        self.accu_counter.assign(self._NO_BATCHES)

    def accumulate(self, mean, variance):
        """The moments to use, this batch's added first while `update_accus` is 1."""
        self.accu_mean.assign(self.accu_mean + self.update_accus * mean)
        self.accu_variance.assign(self.accu_variance + self.update_accus * variance)
        self.accu_counter.assign(self.accu_counter + self.update_accus)
        return self.accu_mean / self.accu_counter, self.accu_variance / self.accu_counter


def _add_statistic(layer, shape, start, aggregation, name):
    """A float32 variable that the layer assigns itself, read as float32 in half precision too."""
    return layer.add_weight(
        shape=shape,
        initializer=keras.initializers.Constant(start),
        dtype="float32",
        trainable=False,
        autocast=False,
        aggregation=aggregation,
        name=name,
    )


@keras.saving.register_keras_serializable("compare_gan")
class StandardizeBatch(SpectrallyNormalized):
    """Zero mean and unit variance over all axes but the last; no scale, no offset.

    In training with the batch's moments (variance as E[x²] − E[x]²), over all replicas; otherwise
    with moving averages or standing statistics, as `standardize_batch` in gin says.

    Args:
      name: Name of the layer.
      spectral_norm: Accepted from networks; there is no kernel to normalize.
      statistics: The settings, as from a layer's config; gin's if None.
    """

    def __init__(
        self,
        name: str | None = None,
        spectral_norm: bool = False,
        statistics: dict | None = None,
        **kwargs,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.statistics = BatchStatistics(**(statistics or {}))

    def build(self, input_shape):
        # Where the moments are those of all replicas, so are the statistics: nothing to reduce.
        own_moments = self.statistics.use_cross_replica_mean is False
        aggregation = "mean" if own_moments else "only_first_replica"
        if self.statistics.use_moving_averages:
            channels = (input_shape[-1],)
            self.moving_mean = _add_statistic(self, channels, 0.0, aggregation, "moving_mean")
            self.moving_variance = _add_statistic(
                self, channels, 1.0, aggregation, "moving_variance"
            )
        else:
            self.accu = _Accumulators(aggregation, name="accu")
            self.accu.build(input_shape)

    def moments(self, inputs, training=None):
        """Mean and variance to standardize with, float32 [channels]; updates the statistics."""
        averaging = self.statistics.use_moving_averages
        if averaging and not training:
            return self.moving_mean, self.moving_variance
        mean, variance = self._batch_moments(inputs)
        if not training:
            return self.accu.accumulate(mean, variance)
        if averaging:
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        return mean, variance

    def _batch_moments(self, inputs):
        x = ops.cast(inputs, "float32")
        moments = [mean_by_channel(x), mean_by_channel(ops.square(x))]
        if self.statistics.use_cross_replica_mean is not False:
            moments = cross_replica_mean(moments)
        mean, mean_square = moments
        # The difference of two rounded numbers may fall below zero.
        return mean, ops.maximum(mean_square - ops.square(mean), 0.0)

    def _move(self, average, value):
        decay = self.statistics.decay
        average.assign(average * decay + ops.stop_gradient(value) * (1 - decay))

    def scale_and_offset(self, inputs, gamma=None, beta=None, training=None):
        """`inputs` standardized, times gamma, plus beta: as one multiplication and addition.

        Args:
          inputs: [batch, …, channels].
          gamma: [channels], or [batch, channels] for a scale of each example; None is 1.
          beta: Likewise; None is 0.
          training: Whether to use the batch's moments.

        Returns:
          Tensor of the shape and dtype of `inputs`.
        """
        mean, variance = self.moments(inputs, training)
        scale = ops.rsqrt(variance + self.statistics.epsilon)
        if gamma is not None:
            scale = scale * ops.cast(gamma, "float32")
        offset = -mean * scale
        if beta is not None:
            offset = offset + ops.cast(beta, "float32")
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

    scaled = x * spread(scale)
    return add_bias(scaled, spread(offset)) if len(offset.shape) == 1 else scaled + spread(offset)
