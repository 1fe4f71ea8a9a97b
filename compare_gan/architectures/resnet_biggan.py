"""BigGAN (https://arxiv.org/abs/1809.11096): wide ResNets with self-attention, 32 to 512 pixels."""

import itertools
from collections.abc import Callable, Sequence

from keras import ops

from compare_gan.architectures import base, resnet
from compare_gan.layers import BatchNorm, BigGanResNetBlock, Conv2D, Dense

_SEED_SIZE = 4

# By image size, the widths between the generator's blocks in units of `ch`.
_GENERATOR_WIDTHS = {
    32: (4, 4, 4, 4),
    64: (16, 16, 8, 4, 2),
    128: (16, 16, 8, 4, 2, 1),
    256: (16, 16, 8, 8, 4, 2, 1),
    512: (16, 16, 8, 8, 4, 2, 1, 1),
}
# By image size, the widths after the discriminator's blocks.
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
      image_shape: (H, H, C) with H 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels.
      blocks_with_attention: Blocks (`B1` is the first) that self-attention comes after, separated
        by commas. Usual: "B4" for 64 and 128 pixels, "B5" for 256, "B4" for 512. The default has
        no effect at 32 pixels, where there are but three blocks.
      hierarchical_z: Give each block its own part of z; z_dim is then a multiple of the number of
        blocks plus one.
      embed_z: Map z linearly to as many dimensions first.
      embed_y: Map y linearly to `embed_y_dim` dimensions, the same for all blocks; without effect
        if y is None.
      embed_y_dim: Dimension of that embedding.
      embed_bias: Add a bias to both embeddings.
      final_norm_fn: Class of the normalization before the last convolution, which is unconditional
        by default; None for none.
      upsample: `zeros` (as in the 2019 library) or `nearest` (as in the paper).
      resample: `folded` or `plain`, see `layers.BigGanResNetBlock`.
      **kwargs: See `base.Generator`.
    """

    def __init__(
        self,
        image_shape,
        ch: int = 96,
        blocks_with_attention: str | Sequence[str] = "B4",
        hierarchical_z: bool = True,
        embed_z: bool = False,
        embed_y: bool = True,
        embed_y_dim: int = 128,
        embed_bias: bool = False,
        final_norm_fn: Callable | None = BatchNorm,
        upsample: str = "zeros",
        resample: str = "folded",
        **kwargs,
    ):
        resnet.check_square("resnet_biggan", image_shape, tuple(_GENERATOR_WIDTHS))
        widths = [ch * width for width in _GENERATOR_WIDTHS[image_shape[0]]]
        super().__init__(
            image_shape, hierarchical_z, embed_z, embed_y, embed_y_dim, embed_bias,
            num_blocks=len(widths) - 1, **kwargs,
        )  # fmt: skip
        self.ch, self.upsample, self.resample = ch, upsample, resample
        self.seed_width = widths[0]
        self.fc = Dense(_SEED_SIZE**2 * widths[0], spectral_norm=self.kernel_norm, name="fc_noise")
        self.blocks = [
            BigGanResNetBlock(
                width_in, width_out, "up", is_gen_block=True, spectral_norm=self.kernel_norm,
                batch_norm_fn=self.batch_norm_fn, upsample=upsample, resample=resample,
                name=f"B{i}",
            )
            for i, (width_in, width_out) in enumerate(itertools.pairwise(widths), 1)
        ]  # fmt: skip
        self.blocks_with_attention = blocks_with_attention
        self.attention = resnet.attention_layers(
            blocks_with_attention, self.num_blocks, "B4", self.kernel_norm,
            "resnet_biggan.Generator.blocks_with_attention",
        )  # fmt: skip
        self.final_norm_fn = None if final_norm_fn is None else base.Normalization(final_norm_fn)
        self.final_norm = self.final_norm_fn and self.final_norm_fn("final_norm", self.kernel_norm)
        self.final_conv = Conv2D(
            image_shape[2], 3, spectral_norm=self.kernel_norm, name="final_conv"
        )

    def call(self, inputs, training=None):
        z, y = self.embed(*inputs, training=training)
        seed, zs, ys = self.parts(z, y)
        x = self.fc(seed, training=training)
        x = ops.reshape(x, (-1, _SEED_SIZE, _SEED_SIZE, self.seed_width))
        for block, block_z, block_y in zip(self.blocks, zs, ys, strict=True):
            x = block(x, z=block_z, y=block_y, training=training)
            if block.name in self.attention:
                x = self.attention[block.name](x, training=training)
        x = ops.relu(base.normalize(self.final_norm, x, z, y, training))
        return 0.5 * ops.tanh(self.final_conv(x, training=training)) + 0.5

    def get_config(self):
        return super().get_config() | {
            "ch": self.ch,
            "blocks_with_attention": self.blocks_with_attention,
            "embed_y_dim": self.embed_y_dim,
            "embed_bias": self.embed_bias,
            "final_norm_fn": self.final_norm_fn and self.final_norm_fn.serialized(),
            "upsample": self.upsample,
            "resample": self.resample,
        }


@base.network
class Discriminator(base.Discriminator):
    """BigGAN's discriminator: residual blocks, the sum over pixels, a dense layer, a projection.

    Args:
      image_shape: (H, H, C) with H 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels.
      blocks_with_attention: As for the generator. Usual: "B1" for up to 128 pixels, "B2" for 256,
        "B3" for 512.
      project_y: Add the projection of y to the logits; without effect if y is None.
      resample: `folded` or `plain`, see `layers.BigGanResNetBlock`.
      **kwargs: See `base.Discriminator`.
    """

    def __init__(
        self,
        image_shape,
        ch: int = 96,
        blocks_with_attention: str | Sequence[str] = "B1",
        project_y: bool = True,
        resample: str = "folded",
        **kwargs,
    ):
        resnet.check_square("resnet_biggan", image_shape, tuple(_DISCRIMINATOR_WIDTHS))
        super().__init__(image_shape, **kwargs)
        self.ch, self.project_y, self.resample = ch, project_y, resample
        widths = [image_shape[2], *(ch * width for width in _DISCRIMINATOR_WIDTHS[image_shape[0]])]
        last = len(widths) - 1
        self.blocks = [
            BigGanResNetBlock(
                width_in, width_out, "none" if i == last else "down", is_gen_block=False,
                spectral_norm=self.kernel_norm, batch_norm_fn=self.batch_norm_fn,
                layer_norm=self.layer_norm, resample=resample, name=f"B{i}",
            )
            for i, (width_in, width_out) in enumerate(itertools.pairwise(widths), 1)
        ]  # fmt: skip
        self.blocks_with_attention = blocks_with_attention
        self.attention = resnet.attention_layers(
            blocks_with_attention, last, "B1", self.kernel_norm,
            "resnet_biggan.Discriminator.blocks_with_attention",
        )  # fmt: skip
        self.fc = Dense(1, spectral_norm=self.kernel_norm, name="final_fc")
        self.embedding = None
        if project_y:
            self.embedding = Dense(
                widths[-1], use_bias=False, spectral_norm=self.kernel_norm,
                kernel_initializer="glorot_normal", name="embedding_fc",
            )  # fmt: skip

    def call(self, inputs, training=None):
        x, y = inputs
        for block in self.blocks:
            x = block(x, y=y, training=training)
            if block.name in self.attention:
                x = self.attention[block.name](x, training=training)
        features = ops.sum(ops.relu(x), axis=(1, 2))
        logits = self.fc(features, training=training)
        if self.project_y and y is not None:
            logits += resnet.projection(self.embedding, y, features, training)
        return logits, features

    def get_config(self):
        return super().get_config() | {
            "ch": self.ch,
            "blocks_with_attention": self.blocks_with_attention,
            "project_y": self.project_y,
            "resample": self.resample,
        }
