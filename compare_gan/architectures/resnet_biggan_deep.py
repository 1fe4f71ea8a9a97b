"""BigGAN-deep: bottleneck blocks, two for each doubling, 32 x 32 to 512 x 512.

https://arxiv.org/abs/1809.11096, appendix B.
"""

import itertools
import logging
import math
from collections.abc import Callable

from keras import ops

from compare_gan.architectures import base, resnet
from compare_gan.layers import (
    BatchNorm,
    BigGanDeepResNetBlock,
    Conv2D,
    Dense,
    NonLocalBlock,
    Normalization,
)

base.register_family(__name__, paper="https://arxiv.org/abs/1809.11096")

_log = logging.getLogger(__name__)

_ATTENTION_SIZE = 64  # Pixels a side of the features that self-attention sees.
_FAST_FILTERS = 128

# By image size, the widths between the generator's blocks in units of `ch`.
_GENERATOR_WIDTHS = {
    32: (4, 4, 4, 4, 4, 4, 4, 4),
    64: (16, 16, 16, 16, 8, 8, 4, 4, 2),
    128: (16, 16, 16, 16, 8, 8, 4, 4, 2, 2, 1),
    256: (16, 16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1),
    512: (16, 16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1, 1, 1),
}
# Likewise the discriminator's.
_DISCRIMINATOR_WIDTHS = {
    32: (2, 2, 2, 2, 2, 2, 2, 2),
    64: (2, 4, 4, 8, 8, 16, 16, 16, 16),
    128: (1, 2, 2, 4, 4, 8, 8, 16, 16, 16, 16),
    256: (1, 2, 2, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16),
    512: (1, 1, 1, 2, 2, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16),
}


@base.network
class Generator(resnet.Generator):
    """BigGAN-deep's generator: every second block doubles; self-attention at 64 x 64.

    The seed and all blocks are given z together with the embedding of y.

    Args:
      image_shape: (H, H, C) with H 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels. A multiple of 4 at 512 pixels, of
        2 at 128 and 256.
      embed_y: Map y linearly to `embed_y_dim` dimensions; without effect if y is None.
      embed_y_dim: Dimension of that embedding.
      final_norm_fn: Class of the normalization before the last convolution, which is unconditional
        by default; None for none.
      experimental_fast_conv_to_rgb: Give the last convolution 128 filters, of which the first are
        the image: what some accelerators are faster at.
      **kwargs: See `resnet.Generator`.
    """

    image_sizes = tuple(_GENERATOR_WIDTHS)
    block_class = BigGanDeepResNetBlock

    def __init__(
        self,
        image_shape,
        ch: int = 128,
        embed_y: bool = True,
        embed_y_dim: int = 128,
        final_norm_fn: Callable | None = BatchNorm,
        experimental_fast_conv_to_rgb: bool = False,
        **kwargs,
    ):
        super().__init__(image_shape, ch, **kwargs)
        self.check_positive(embed_y_dim=embed_y_dim)
        self.embed_y, self.embed_y_dim = embed_y, embed_y_dim
        self.final_norm_fn = Normalization.of(final_norm_fn)
        self.experimental_fast_conv_to_rgb = experimental_fast_conv_to_rgb
        self.y_embedding = Dense(embed_y_dim, use_bias=False, name="embed_y") if embed_y else None
        blocks = _blocks(self, _GENERATOR_WIDTHS, ("none", "up"))
        self.add_layers(
            blocks,
            self.final_norm_fn and self.final_norm_fn("final_norm", self.kernel_norm),
            _attention(self, blocks, _ATTENTION_SIZE / self.seed_size),
            final_filters=_FAST_FILTERS if experimental_fast_conv_to_rgb else None,
        )

    def embed(self, z, y, training=None):
        if y is None:
            return z, y
        if self.y_embedding is not None:
            y = self.y_embedding(y, training=training)
        both = ops.concatenate([z, y], axis=1)
        return both, both

    def activation(self, x):
        return 0.5 * ops.tanh(x[..., : self.image_shape[2]]) + 0.5

    def get_config(self):
        return super().get_config() | {
            "embed_y": self.embed_y,
            "embed_y_dim": self.embed_y_dim,
            "final_norm_fn": self.final_norm_fn and self.final_norm_fn.serialized(),
            "experimental_fast_conv_to_rgb": self.experimental_fast_conv_to_rgb,
        }


@base.network
class Discriminator(resnet.Discriminator):
    """BigGAN-deep's discriminator: every second block halves; the sum over pixels; a projection.

    Args:
      image_shape: (H, H, C) with H 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels. A multiple of 4 at 512 pixels, of
        2 at 32, 128 and 256.
      blocks_with_attention: Without effect, as in the 2019 library: self-attention comes where the
        features have 64 x 64 pixels, if the image has more.
      project_y: Add the projection of y to the logits; without effect if y is None.
      **kwargs: See `resnet.Discriminator`.
    """

    image_sizes = tuple(_DISCRIMINATOR_WIDTHS)
    block_class = BigGanDeepResNetBlock
    fc_name = "final_fc"
    embedding_initializer = "glorot_normal"

    def __init__(
        self,
        image_shape,
        ch: int = 128,
        blocks_with_attention: str = "B1",
        project_y: bool = True,
        **kwargs,
    ):
        super().__init__(image_shape, ch, project_y, **kwargs)
        if blocks_with_attention != "B1":
            _log.warning(
                "resnet_biggan_deep.Discriminator.blocks_with_attention has no effect: "
                "self-attention comes at 64 x 64 pixels."
            )
        blocks = _blocks(self, _DISCRIMINATOR_WIDTHS, ("down", "none"))
        first_width = blocks[0].in_channels
        self.add_layers(
            blocks,
            Conv2D(first_width, 3, spectral_norm=self.kernel_norm, name="initial_conv"),
            _attention(self, blocks, image_shape[0] / _ATTENTION_SIZE),
        )

    def pool(self, x):
        return ops.sum(ops.relu(x), axis=(1, 2))


def _blocks(network, widths_by_size, scales):
    """The blocks of a network, the two scales taking turns."""
    units = widths_by_size[network.image_shape[0]]
    # Inside a block there is a quarter of its channels.
    narrowest = min(max(pair) for pair in itertools.pairwise(units))
    network.check_multiple(4 // math.gcd(4, narrowest), ch=network.ch)
    widths = [network.ch * width for width in units]
    return [
        network.make_block(f"B{i}", a, b, scale)
        for i, (a, b, scale) in enumerate(
            zip(widths[:-1], widths[1:], itertools.cycle(scales)), start=1
        )
    ]


def _attention(network, blocks, factor):
    """Self-attention after the block by which the size has changed by `factor`, if there is one."""
    name = f"B{2 * int(math.log2(factor))}"
    if name not in [block.name for block in blocks]:
        return {}
    return {name: NonLocalBlock(network.kernel_norm, name="non_local_block")}
