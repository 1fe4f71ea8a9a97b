"""The part that all batch norms share: standardization to zero mean and unit variance."""

import dataclasses
from typing import Any, Union

import gin
import keras
from keras import ops

from compare_gan import backend
from compare_gan.backend import add_bias, cross_replica_mean, mean_by_channel
from compare_gan.errors import check_decay, check_range
from compare_gan.layers.spectral_norm import SpectrallyNormalized, SpectralNormLike
from compare_gan.types import Tensor, TensorShape


@gin.configurable("standardize_batch")
@dataclasses.dataclass(frozen=True)
class BatchStatistics:
    """Settings of the standardization inside every batch norm (gin scope `standardize_batch`).

    Attributes:
      decay: Decay of the moving averages, in [0, 1).
      epsilon: Small number that is added to the variance.
      use_moving_averages: Evaluate with moving averages; otherwise with standing statistics, see
        `standing_statistics`.
      use_cross_replica_mean: Compute the moments over all replicas; None: if there are several.

    Raises:
      UserError: `decay` is not in [0, 1), or `epsilon` is negative.

    Example:
      >>> from compare_gan.layers import BatchNorm, BatchStatistics
      >>> BatchNorm(statistics=BatchStatistics(decay=0.9)).statistics.decay
      0.9
    """

    decay: float = 0.999
    epsilon: float = 1e-3
    use_moving_averages: bool = True
    use_cross_replica_mean: bool | None = None

    def __post_init__(self) -> None:
        check_decay("standardize_batch.decay", self.decay)
        check_range("standardize_batch.epsilon", self.epsilon)

    @classmethod
    def of(cls, statistics: Union["BatchStatistics", dict[str, Any], None]) -> "BatchStatistics":
        """Returns the settings that a layer's argument `statistics` describes.

        Args:
          statistics: Settings as an object, as a dictionary of some or all of them, or None. Gin
            fills in what a dictionary leaves out.
        """
        if isinstance(statistics, cls):
            return statistics
        return cls(**statistics) if isinstance(statistics, dict) else cls()


class _Accumulators(keras.layers.Layer):
    """Variables of standing statistics, with the names that they have in checkpoints."""

    _NO_BATCHES = 1e-12  # Not zero, so that the moments are finite before the first batch.

    def __init__(self, aggregation: str, name: str):
        super().__init__(name=name)
        self.aggregation = aggregation

    def build(self, input_shape: TensorShape) -> None:
        channels = (input_shape[-1],)
        self.accu_mean = self._add(channels, "accu_mean")
        self.accu_variance = self._add(channels, "accu_variance")
        self.accu_counter = self._add((), "accu_counter", start=self._NO_BATCHES)
        self.update_accus = self._add((), "update_accus")

    def _add(self, shape: TensorShape, name: str, start: float = 0.0) -> keras.Variable:
        return _add_statistic(self, shape, start, self.aggregation, name)

    def reset(self) -> None:
        """Discards what has been accumulated."""
        self.accu_mean.assign(ops.zeros_like(self.accu_mean.value))
        self.accu_variance.assign(ops.zeros_like(self.accu_variance.value))
        self.accu_counter.assign(self._NO_BATCHES)

    def accumulate(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the mean moments, to which those given are added while `update_accus` is 1."""
        self.accu_mean.assign(self.accu_mean + self.update_accus * mean)
        self.accu_variance.assign(self.accu_variance + self.update_accus * variance)
        self.accu_counter.assign(self.accu_counter + self.update_accus)
        return self.accu_mean / self.accu_counter, self.accu_variance / self.accu_counter


def _add_statistic(
    layer: keras.layers.Layer, shape: TensorShape, start: float, aggregation: str, name: str
) -> keras.Variable:
    """Adds a float32 variable that the layer assigns itself; half precision does not round it."""
    return layer.add_weight(
        shape=shape,
        initializer=backend.initializer(keras.initializers.Constant(start)),
        dtype="float32",
        trainable=False,
        autocast=False,
        aggregation=aggregation,
        name=name,
    )


@keras.saving.register_keras_serializable("compare_gan")
class StandardizeBatch(SpectrallyNormalized):
    """Standardization to zero mean and unit variance over all axes but the last.

    There is no scale and no offset. In training the moments are those of the batch, over all
    replicas (the variance as E[x²] − E[x]²); otherwise they are moving averages or standing
    statistics, as `statistics` says. [batch, …, channels] -> [batch, …, channels].

    Args:
      name: Name of the layer.
      spectral_norm: Accepted because networks pass it to all normalizations; there is no kernel.
      statistics: Settings; see `BatchStatistics.of`.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Attributes:
      mixes_examples: Whether the output for an example depends on the other examples of its batch.
      estimate_share: See `moving_statistics`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.layers import StandardizeBatch
      >>> x = np.float32([[0, 10], [2, 30]])
      >>> y = StandardizeBatch(statistics={"epsilon": 0.0})(x, training=True)
      >>> np.round(y, 3).tolist()
      [[-1.0, -1.0], [1.0, 1.0]]
    """

    mixes_examples = True
    estimate_share = 0.0

    def __init__(
        self,
        name: str | None = None,
        spectral_norm: SpectralNormLike = False,
        statistics: BatchStatistics | dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(name, spectral_norm, **kwargs)
        self.statistics = BatchStatistics.of(statistics)

    def build(self, input_shape: TensorShape) -> None:
        # Moments over all replicas are equal on all of them: there is nothing to aggregate.
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

    @property
    def moving_statistics(self) -> list[keras.Variable]:
        """The moving averages, if there are any."""
        averages = self.built and self.statistics.use_moving_averages
        return [self.moving_mean, self.moving_variance] if averages else []

    def moments(self, inputs: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        """Returns the mean and variance to standardize with; updates the statistics.

        Args:
          inputs: [batch, …, channels].
          training: Whether to use the moments of the batch.

        Returns:
          (mean, variance), both float32 [channels].
        """
        averaging = self.statistics.use_moving_averages
        if averaging and not training and not self.estimate_share:
            return self.moving_mean, self.moving_variance
        mean, variance = self._batch_moments(inputs)
        if not averaging and not training:
            return self.accu.accumulate(mean, variance)
        if averaging:
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
        return mean, variance

    def _batch_moments(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        x = ops.cast(inputs, "float32")
        moments = [mean_by_channel(x), mean_by_channel(ops.square(x))]
        if self.statistics.use_cross_replica_mean is not False:
            moments = cross_replica_mean(moments)
        mean, mean_square = moments
        # The difference of two rounded numbers may fall below zero.
        return mean, ops.maximum(mean_square - ops.square(mean), 0.0)

    def _move(self, average: keras.Variable, value: Tensor) -> None:
        if self.estimate_share:
            average.assign(average + self.estimate_share * value)
            return
        decay = self.statistics.decay
        average.assign(average * decay + ops.stop_gradient(value) * (1 - decay))

    def scale_and_offset(
        self,
        inputs: Tensor,
        gamma: Tensor | None = None,
        beta: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        """Standardizes `inputs`, scales by gamma and adds beta, as one multiplication and addition.

        Args:
          inputs: [batch, …, channels].
          gamma: Scale, [channels], or [batch, channels] for one per example; None for 1.
          beta: Offset, of the same shapes; None for 0.
          training: Whether to use the moments of the batch.

        Returns:
          Tensor with the shape and dtype of `inputs`.
        """
        mean, variance = self.moments(inputs, training)
        scale = ops.rsqrt(variance + self.statistics.epsilon)
        if gamma is not None:
            scale = scale * ops.cast(gamma, "float32")
        offset = -mean * scale
        if beta is not None:
            offset = offset + ops.cast(beta, "float32")
        return _apply(inputs, scale, offset)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.scale_and_offset(inputs, training=training)

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"statistics": dataclasses.asdict(self.statistics)}


def _apply(x: Tensor, scale: Tensor, offset: Tensor) -> Tensor:
    """Returns x·scale + offset; [batch, channels] is broadcast over the axes in between."""

    def spread(v: Tensor) -> Tensor:
        v = ops.cast(v, x.dtype)
        if len(v.shape) == 2 and len(x.shape) > 2:
            v = ops.reshape(v, (-1, *[1] * (len(x.shape) - 2), v.shape[-1]))
        return v

    scaled = x * spread(scale)
    return add_bias(scaled, spread(offset)) if len(offset.shape) == 1 else scaled + spread(offset)
