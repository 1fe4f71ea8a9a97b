"""BigGAN-deep's residual block."""

from typing import Any

import keras
from keras import ops

from compare_gan.backend import rematerializable
from compare_gan.errors import UserError
from compare_gan.layers.activations import relu
from compare_gan.layers.linear import Conv2D
from compare_gan.layers.normalization_choice import build_norm, normalize
from compare_gan.layers.residual import ResidualBlock
from compare_gan.types import Tensor, TensorShape


class _Stage(keras.layers.Layer):
    """Norm, ReLU, convolution: a separate layer for the sake of the variables' names."""

    def __init__(self, norm: keras.layers.Layer | None, conv: Conv2D, name: str, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.norm, self.conv = norm, conv

    def build(
        self,
        x_shape: TensorShape,
        z_shape: TensorShape | None = None,
        y_shape: TensorShape | None = None,
    ) -> None:
        build_norm(self.norm, x_shape, z_shape, y_shape)
        self.conv.build(x_shape)

    def call(
        self,
        x: Tensor,
        z: Tensor | None = None,
        y: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        x = normalize(self.norm, x, z, y, training, activation=relu)
        return self.conv(x, training=training)


class _Shortcut(keras.layers.Layer):
    """The input, resampled; surplus channels are dropped, missing ones added by a 1 x 1."""

    def __init__(self, block: ResidualBlock):
        super().__init__(name="shortcut", dtype=block.dtype_policy)
        self.resized, self.out_channels, self.up = block.resized, block.out_channels, block.up
        self.add_channels: Conv2D | None = None
        added = block.out_channels - block.in_channels
        if added > 0:
            self.add_channels = block.make_conv(added, 1, "add_channels", block.up)

    def build(self, x_shape: TensorShape) -> None:
        if self.add_channels is not None:
            self.add_channels.build(x_shape)

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        kept = self.resized(x[..., : self.out_channels])
        if self.add_channels is None:
            return kept
        # The 1 x 1 works on the smaller size: it resamples when going up, and follows the pooling
        # when going down.
        added = self.add_channels(x if self.up else kept, training=training)
        return ops.concatenate([kept, added], axis=-1)


@keras.saving.register_keras_serializable("compare_gan")
class BigGanDeepResNetBlock(ResidualBlock):
    """BigGAN-deep's block: 1 x 1, 3 x 3, 3 x 3 and 1 x 1 convolutions, and an identity shortcut.

    A normalization and a ReLU precede each convolution; the inner ones have a quarter of the
    channels. A block that goes up resamples in its second convolution, a block that goes down in
    its last: pooling cannot be folded into the 3 x 3 before it, because a ReLU lies between them.
    https://arxiv.org/abs/1809.11096, appendix B. Arguments: see `ResidualBlock`.

    Raises:
      UserError: The larger of `in_channels` and `out_channels` is not a multiple of 4; see also
        `ResidualBlock`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.layers import BigGanDeepResNetBlock
      >>> block = BigGanDeepResNetBlock(4, 8, "down", is_gen_block=False)
      >>> tuple(block(ops.ones((2, 8, 8, 4))).shape)
      (2, 4, 4, 8)
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        widest = max(self.in_channels, self.out_channels)
        if widest % 4:
            raise UserError(
                f"In BigGAN-deep's blocks the larger number of channels must be a multiple of 4, "
                f"received {self.in_channels} to {self.out_channels}."
            )
        inner = widest // 4
        self.stages = [
            _Stage(
                self.make_norm(),
                self.make_conv(filters, size, f"{size}x{size}_conv", resampling),
                f"conv{i}",
                dtype=self.dtype_policy,
            )
            for i, (filters, size, resampling) in enumerate(
                (
                    (inner, 1, None),
                    (inner, 3, self.up),
                    (inner, 3, None),
                    (self.out_channels, 1, self.down),
                ),
                start=1,
            )
        ]
        self.shortcut = _Shortcut(self)

    def build(
        self,
        x_shape: TensorShape,
        z_shape: TensorShape | None = None,
        y_shape: TensorShape | None = None,
    ) -> None:
        super().build(x_shape)
        shape = x_shape
        for stage in self.stages:
            stage.build(shape, z_shape, y_shape)
            shape = (*shape[:-1], stage.conv.filters)
        self.shortcut.build(x_shape)

    @rematerializable
    def call(
        self,
        x: Tensor,
        z: Tensor | None = None,
        y: Tensor | None = None,
        training: bool | None = None,
    ) -> Tensor:
        h = x
        for stage in self.stages:
            h = stage(h, z=z, y=y, training=training)
        return h + self.shortcut(x, training=training)
