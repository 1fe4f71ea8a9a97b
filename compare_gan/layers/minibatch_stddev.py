"""Minibatch standard deviation: a channel that shows the discriminator how images differ."""

from typing import Any

import keras
import numpy as np
from keras import ops

from compare_gan.errors import check_positive_integer
from compare_gan.types import Tensor

_EPSILON = 1e-8  # Under the root of variances.


@keras.saving.register_keras_serializable("compare_gan")
class MinibatchStddev(keras.layers.Layer):
    """Appends channels with the mean standard deviation of features in a group of examples.

    [batch, h, w, c] -> [batch, h, w, c + num_channels]. A group consists of consecutive examples:
    it is the same on any number of replicas that see a multiple of `group_size` examples each.
    Papers: https://arxiv.org/abs/1710.10196; in groups, https://arxiv.org/abs/1912.04958.

    Args:
      group_size: Number of examples in a group, 4 in StyleGAN2. For a batch that is not a multiple
        of it, the largest divisor of the batch below it.
      num_channels: Number of statistics, each of an equal part of the channels.
      name: Name of the layer.
      **kwargs: Further arguments of `keras.layers.Layer`.

    Attributes:
      needs_halves_apart: Whether real and generated images must not share a batch, because the
        layer compares the images in it.

    Raises:
      UserError: An argument is not a positive integer.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import MinibatchStddev
      >>> tuple(MinibatchStddev(group_size=2)(ops.ones((4, 4, 4, 3))).shape)
      (4, 4, 4, 4)
    """

    needs_halves_apart = True

    def __init__(
        self, group_size: int = 4, num_channels: int = 1, name: str | None = None, **kwargs: Any
    ):
        super().__init__(name=name, **kwargs)
        check_positive_integer("group_size", group_size)
        check_positive_integer("num_channels", num_channels)
        self.group_size = group_size
        self.num_channels = num_channels

    def call(self, inputs: Tensor) -> Tensor:
        _, h, w, c = inputs.shape
        groups = ops.reshape(
            ops.cast(inputs, "float32"),
            (-1, self._size_of_groups(inputs), h, w, self.num_channels, c // self.num_channels),
        )
        deviations = ops.sqrt(ops.var(groups, axis=1, keepdims=True) + _EPSILON)
        statistics = ops.mean(deviations, axis=(2, 3, 5), keepdims=True)
        maps = ops.reshape(
            statistics + ops.zeros_like(groups[..., :1]), (-1, h, w, self.num_channels)
        )
        return ops.concatenate([inputs, ops.cast(maps, inputs.dtype)], axis=-1)

    def _size_of_groups(self, inputs: Tensor) -> Any:
        """The largest divisor of the batch that is no larger than `group_size`."""
        batch_size = ops.shape(inputs)[0]
        if batch_size is None:  # A symbolic input: only shapes count.
            return 1
        if isinstance(batch_size, int):
            sizes = range(min(self.group_size, batch_size), 0, -1)
            return next(size for size in sizes if batch_size % size == 0)
        # TensorFlow, as in a SavedModel: the batch is known only when it is there.
        candidates = np.arange(1, self.group_size + 1, dtype=np.int32)
        return ops.max(ops.where(batch_size % candidates == 0, candidates, 1))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*input_shape[:-1], input_shape[-1] + self.num_channels)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "group_size": self.group_size,
            "num_channels": self.num_channels,
        }
