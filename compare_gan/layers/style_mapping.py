"""The mapping network of StyleGAN: from latents and labels to styles."""

from typing import Any

import keras
from keras import ops

from compare_gan import backend
from compare_gan.errors import UserError, check_decay, check_positive_integer
from compare_gan.layers.activations import leaky_relu
from compare_gan.layers.equalized import EqualizedDense
from compare_gan.types import Tensor, TensorShape

_EPSILON = 1e-8  # Under the root of the mean square of z and of the label's embedding.
_ACTIVATION_GAIN = 2**0.5


@keras.saving.register_keras_serializable("compare_gan")
class StyleMapping(keras.layers.Layer):
    """Dense layers with leaky ReLUs from a latent, a label or both to a style.

    z [batch, z_dim] and an embedding of y [batch, k] with `units` dimensions are scaled to a mean
    square of 1 and joined. -> [batch, units]. Learning rates are equalized. In training the layer
    averages the styles, towards whose mean they are truncated for sampling.
    Paper: https://arxiv.org/abs/1812.04948.

    Args:
      units: Number of outputs of each layer, 512 in the paper.
      num_layers: Number of dense layers, 8 in the paper.
      lr_multiplier: Learning rate of the dense layers relative to that of other layers.
      average_decay: Decay of the average style; None for no average.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Attributes:
      average: Average style, float32 [units]; None without.
      estimate_share: See `moving_statistics`.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import StyleMapping
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(StyleMapping(units=8, num_layers=2)(z, y).shape)
      (2, 8)
    """

    estimate_share = 0.0

    def __init__(
        self,
        units: int = 512,
        num_layers: int = 8,
        lr_multiplier: float = 0.01,
        average_decay: float | None = 0.995,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        check_positive_integer("units", units)
        check_positive_integer("num_layers", num_layers)
        if average_decay is not None:
            check_decay("average_decay", average_decay)
        self.units = units
        self.num_layers = num_layers
        self.lr_multiplier = lr_multiplier
        self.average_decay = average_decay
        self.average: Any = None
        self.embed: Any = None
        self.dense = [
            EqualizedDense(
                units, gain=_ACTIVATION_GAIN, lr_multiplier=lr_multiplier, name=f"fc{i}",
                dtype=self.dtype_policy,
            )
            for i in range(num_layers)
        ]  # fmt: skip

    def build(self, z_shape: TensorShape | None = None, y_shape: TensorShape | None = None) -> None:
        if y_shape is not None:
            self.embed = EqualizedDense(self.units, name="embed", dtype=self.dtype_policy)
            self.embed.build(y_shape)
        width = (0 if z_shape is None else z_shape[-1]) + (0 if y_shape is None else self.units)
        for dense in self.dense:
            dense.build((None, width))
            width = self.units
        if self.average_decay is not None:
            # Assigned values are averaged over the replicas.
            self.average = self.add_weight(
                shape=(self.units,),
                initializer=backend.initializer("zeros"),
                dtype="float32",
                trainable=False,
                autocast=False,
                aggregation="mean",
                name="average",
            )

    @property
    def moving_statistics(self) -> list[keras.Variable]:
        """The average style, if there is one."""
        return [] if self.average is None else [self.average]

    def call(
        self, z: Tensor | None = None, y: Tensor | None = None, training: bool | None = None
    ) -> Tensor:
        if z is None and y is None:
            raise UserError("A StyleMapping needs z, y or both.")
        inputs = [] if z is None else [z]
        if y is not None:
            inputs.append(self.embed(y))
        x = ops.concatenate([_normalized(each) for each in inputs], axis=-1)
        for dense in self.dense:
            x = leaky_relu(dense(x))
        if self.average is not None and (training or self.estimate_share):
            mean = ops.mean(ops.stop_gradient(ops.cast(x, "float32")), axis=0)
            if self.estimate_share:
                self.average.assign(self.average + self.estimate_share * mean)
            else:
                self.average.assign(mean + self.average_decay * (self.average - mean))
        return x

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "units": self.units,
            "num_layers": self.num_layers,
            "lr_multiplier": self.lr_multiplier,
            "average_decay": self.average_decay,
        }


def _normalized(x: Tensor) -> Tensor:
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + _EPSILON)
