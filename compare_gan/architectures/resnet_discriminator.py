"""The discriminator of the ResNet families, without its blocks."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from compare_gan.architectures import base
from compare_gan.layers import Conv2D, Dense, NonLocalBlock, ResNetBlock, relu
from compare_gan.layers.residual import ResidualBlock
from compare_gan.types import Tensor


class Discriminator(base.Discriminator):
    """Base of residual discriminators: blocks, pooling, a dense layer, an optional projection.

    The constructor of a family ends with a call of `add_layers` with blocks from `make_block`.

    Args:
      image_shape: (H, W, C); if the family has `image_sizes`, H = W is one of them.
      ch: Width; the number of channels of each layer is a multiple of it.
      project_y: Whether to add the inner product of the features and an embedding of y to the
        logits (https://arxiv.org/abs/1802.05637); without effect if y is None.
      resample: `folded` or `plain`, see `layers.ResNetBlock`.
      **kwargs: See `base.Discriminator`.
    """

    image_sizes: Sequence[int] | None = None
    block_class: type[ResidualBlock] = ResNetBlock
    fc_name = "disc_final_fc"
    embedding_initializer: str | None = None

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int,
        project_y: bool = False,
        resample: str = "folded",
        **kwargs: Any,
    ):
        super().__init__(image_shape, **kwargs)
        if self.image_sizes is not None:
            base.check_image_size(self.family, image_shape, self.image_sizes)
        self.check_positive(ch=ch)
        self.ch, self.project_y, self.resample = ch, project_y, resample

    def make_block(
        self, name: str, in_channels: int, out_channels: int, scale: str, **kwargs: Any
    ) -> ResidualBlock:
        """Returns a block with the options of the network; see `layers.ResNetBlock`."""
        return self.block_class(
            in_channels, out_channels, scale, is_gen_block=False, spectral_norm=self.kernel_norm,
            batch_norm_fn=self.batch_norm_fn, layer_norm=self.layer_norm, resample=self.resample,
            name=name, **kwargs,
        )  # fmt: skip

    def add_layers(
        self,
        blocks: Sequence[ResidualBlock],
        first_conv: Conv2D | None = None,
        attention: dict[str, NonLocalBlock] | None = None,
        num_features: int | None = None,
    ) -> None:
        """Sets the layers.

        Args:
          blocks: Residual blocks, first to last.
          first_conv: Convolution before them; None for none.
          attention: Self-attention by name of the block before it; None for none.
          num_features: Number of features; None for the channels of the last block.
        """
        self.first_conv = first_conv
        self.blocks, self.attention = blocks, attention or {}
        self.fc = Dense(1, spectral_norm=self.kernel_norm, name=self.fc_name)
        self.embedding = None
        if self.project_y:
            self.embedding = Dense(
                num_features or blocks[-1].out_channels, use_bias=False,
                spectral_norm=self.kernel_norm, kernel_initializer=self.embedding_initializer,
                name="embedding_fc",
            )  # fmt: skip

    def pool(self, x: Tensor) -> Tensor:
        """Computes the features [b, f] from the output [b, h, w, c] of the last block."""
        return ops.mean(relu(x), axis=(1, 2))

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, y = inputs
        return self.score(self.feature_maps(x, y, training)[-1], y, training)

    def feature_maps(
        self, x: Tensor, y: Tensor | None, training: bool | None = None
    ) -> list[Tensor]:
        """Computes the outputs [b, h, w, c] of all blocks, after self-attention."""
        maps = []
        if self.first_conv is not None:
            x = self.first_conv(x, training=training)
        for block in self.blocks:
            x = block(x, y=y, training=training)
            if block.name in self.attention:
                x = self.attention[block.name](x, training=training)
            maps.append(x)
        return maps

    def score(
        self, x: Tensor, y: Tensor | None, training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Computes the logits [b, 1] and the features from the output of the last block."""
        features = self.pool(x)
        logits = self.fc(features, training=training)
        if self.embedding is not None and y is not None:
            embedded = self.embedding(y, training=training)
            logits += ops.sum(embedded * features, axis=1, keepdims=True)
        return logits, features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "ch": self.ch,
            "project_y": self.project_y,
            "resample": self.resample,
        }
