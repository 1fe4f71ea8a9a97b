"""BigGAN: wide residual networks with self-attention, 32 x 32 to 512 x 512.

https://arxiv.org/abs/1809.11096
"""

import itertools
from collections.abc import Sequence
from typing import Any

from keras import ops

from compare_gan.architectures import base, resnet
from compare_gan.layers import BatchNorm, BigGanResNetBlock, Normalization, relu
from compare_gan.layers.normalization_choice import NormalizationLike
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1809.11096")

# Widths between the generator's blocks by image size, in units of `ch`.
_GENERATOR_WIDTHS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
# Widths after the discriminator's blocks by image size, in units of `ch`.
_DISCRIMINATOR_WIDTHS = {
    32: (2, 2, 2, 2),
    64: (2, 4, 8, 16, 16),
    128: (1, 2, 4, 8, 16, 16),
    256: (1, 2, 4, 8, 8, 16, 16),
    512: (1, 1, 2, 4, 8, 8, 16, 16),
}


@base.network
class Generator(resnet.EmbeddingGenerator):
    """BigGAN's generator: residual blocks from 4 x 4 up, self-attention after some of them.

    Args:
      image_shape: (H, H, C), where H is 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels.
      blocks_with_attention: Blocks (`B1` is the first) that self-attention follows, separated by
        commas. Usually "B4" for 64 and 128 pixels, "B5" for 256, "B4" for 512. The default has no
        effect for 32 pixels, where there are only three blocks.
      hierarchical_z: Whether each block has its own part of z; z_dim is then a multiple of the
        number of blocks plus one.
      embed_z: Whether to map z linearly to as many dimensions first.
      embed_y: Whether to map y linearly to `embed_y_dim` dimensions; all blocks share the map.
        Without effect if y is None.
      embed_y_dim: Dimension of the embedding of y.
      embed_bias: Whether both embeddings have a bias.
      final_norm_fn: Class of the normalization before the last convolution, by default an
        unconditional one; None for none.
      **kwargs: See `resnet.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_biggan
      >>> generator = resnet_biggan.Generator((32, 32, 3), ch=4)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    image_sizes = tuple(_GENERATOR_WIDTHS)
    block_class = BigGanResNetBlock

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 96,
        blocks_with_attention: str | Sequence[str] = "B4",
        hierarchical_z: bool = True,
        embed_z: bool = False,
        embed_y: bool = True,
        embed_y_dim: int = 128,
        embed_bias: bool = False,
        final_norm_fn: NormalizationLike = BatchNorm,
        **kwargs: Any,
    ):
        super().__init__(
            image_shape, ch, hierarchical_z, embed_z, embed_y, embed_y_dim, embed_bias, **kwargs
        )
        self.blocks_with_attention = blocks_with_attention
        self.final_norm_fn = Normalization.of(final_norm_fn)
        widths = [ch * width for width in _GENERATOR_WIDTHS[image_shape[0]]]
        self.add_layers(
            [
                self.make_block(f"B{i}", a, b, "up")
                for i, (a, b) in enumerate(itertools.pairwise(widths), start=1)
            ],
            self.final_norm_fn and self.final_norm_fn("final_norm", self.kernel_norm),
            resnet.attention_layers(
                blocks_with_attention, len(widths) - 1, "B4", self.kernel_norm,
                "resnet_biggan.Generator.blocks_with_attention",
            ),
        )  # fmt: skip

    def activation(self, x: Tensor) -> Tensor:
        return 0.5 * ops.tanh(x) + 0.5

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "blocks_with_attention": self.blocks_with_attention,
            "embed_y_dim": self.embed_y_dim,
            "embed_bias": self.embed_bias,
            "final_norm_fn": self.final_norm_fn and self.final_norm_fn.serialized(),
        }


@base.network
class Discriminator(resnet.Discriminator):
    """BigGAN's discriminator: residual blocks, the sum over pixels, a dense layer, a projection.

    Args:
      image_shape: (H, H, C), where H is 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels.
      blocks_with_attention: See `Generator`. Usually "B1" for up to 128 pixels, "B2" for 256, "B3"
        for 512.
      project_y: Whether to add the projection of y to the logits; without effect if y is None.
      identity_skip: True: blocks with equal numbers of input and output channels have shortcuts, as
        in the paper; False: they have none, as in the 2019 library.
      **kwargs: See `resnet.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_biggan
      >>> discriminator = resnet_biggan.Discriminator((32, 32, 3), ch=4)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 8))
    """

    image_sizes = tuple(_DISCRIMINATOR_WIDTHS)
    block_class = BigGanResNetBlock
    fc_name = "final_fc"
    embedding_initializer = "glorot_normal"

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 96,
        blocks_with_attention: str | Sequence[str] = "B1",
        project_y: bool = True,
        identity_skip: bool = False,
        **kwargs: Any,
    ):
        super().__init__(image_shape, ch, project_y, **kwargs)
        self.blocks_with_attention = blocks_with_attention
        self.identity_skip = identity_skip
        widths = [image_shape[2], *(ch * width for width in _DISCRIMINATOR_WIDTHS[image_shape[0]])]
        last = len(widths) - 1
        self.add_layers(
            [
                self.make_block(
                    f"B{i}", a, b, "none" if i == last else "down", identity_skip=identity_skip
                )
                for i, (a, b) in enumerate(itertools.pairwise(widths), start=1)
            ],
            attention=resnet.attention_layers(
                blocks_with_attention, last, "B1", self.kernel_norm,
                "resnet_biggan.Discriminator.blocks_with_attention",
            ),
        )  # fmt: skip

    def pool(self, x: Tensor) -> Tensor:
        return ops.sum(relu(x), axis=(1, 2))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "blocks_with_attention": self.blocks_with_attention,
            "identity_skip": self.identity_skip,
        }
