"""BigGAN-deep's residual block."""

import keras
from keras import ops

from compare_gan.errors import UserError
from compare_gan.layers.normalization_choice import build_norm, normalize
from compare_gan.layers.residual import ResidualBlock


class _Stage(keras.layers.Layer):
    """Norm, ReLU, convolution; a layer of its own for the names of the variables."""

    def __init__(self, norm, conv, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.norm, self.conv = norm, conv

    def build(self, x_shape, z_shape=None, y_shape=None):
        build_norm(self.norm, x_shape, z_shape, y_shape)
        self.conv.build(x_shape)

    def call(self, x, z=None, y=None, training=None):
        return self.conv(ops.relu(normalize(self.norm, x, z, y, training)), training=training)


class _Shortcut(keras.layers.Layer):
    """The input itself, resampled; channels too many are dropped, too few added by a 1 x 1."""

    def __init__(self, block: ResidualBlock):
        super().__init__(name="shortcut", dtype=block.dtype_policy)
        self.resized, self.out_channels, self.up = block.resized, block.out_channels, block.up
        self.add_channels, added = None, block.out_channels - block.in_channels
        if added > 0:
            self.add_channels = block.make_conv(added, 1, "add_channels", block.up)

    def build(self, x_shape):
        if self.add_channels is not None:
            self.add_channels.build(x_shape)

    def call(self, x, training=None):
        kept = self.resized(x[..., : self.out_channels])
        if self.add_channels is None:
            return kept
        # The 1 x 1 is on the small side: going up it resamples itself, going down it comes after.
        added = self.add_channels(x if self.up else kept, training=training)
        return ops.concatenate([kept, added], axis=-1)


@keras.saving.register_keras_serializable("compare_gan")
class BigGanDeepResNetBlock(ResidualBlock):
    """BigGAN-deep's block: 1 x 1, 3 x 3, 3 x 3 and 1 x 1 convolutions, a shortcut of identities.

    Each convolution comes after a normalization and a ReLU; the inner ones have a quarter of the
    channels. Going up the second resamples, going down the last: the 3 x 3 before that cannot take
    the pooling over, for a ReLU lies between.
    https://arxiv.org/abs/1809.11096, appendix B. Arguments: see `ResidualBlock`.

    Raises:
      UserError: The larger of `in_channels` and `out_channels` is not a multiple of 4; and as for
        `ResidualBlock`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        widest = max(self.in_channels, self.out_channels)
        if widest % 4:
            raise UserError(
                f"BigGAN-deep's blocks have a multiple of 4 as their larger number of channels, "
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

    def build(self, x_shape, z_shape=None, y_shape=None):
        super().build(x_shape)
        shape = x_shape
        for stage in self.stages:
            stage.build(shape, z_shape, y_shape)
            shape = (*shape[:-1], stage.conv.filters)
        self.shortcut.build(x_shape)

    def call(self, x, z=None, y=None, training=None):
        h = x
        for stage in self.stages:
            h = stage(h, z=z, y=y, training=training)
        return h + self.shortcut(x, training=training)
