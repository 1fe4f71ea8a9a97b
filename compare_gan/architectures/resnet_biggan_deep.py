"""BigGAN-deep: bottleneck blocks, two for each size, 32 x 32 to 512 x 512.

https://arxiv.org/abs/1809.11096, appendix B.
"""

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from compare_gan.architectures import base, resnet
from compare_gan.layers import (
    BatchNorm,
    BigGanDeepResNetBlock,
    Conv2D,
    Dense,
    NonLocalBlock,
    Normalization,
    relu,
)
from compare_gan.layers.normalization_choice import NormalizationLike
from compare_gan.layers.residual import ResidualBlock
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1809.11096")

_log = logging.getLogger(__name__)

_ATTENTION_SIZE = 64  # Height and width of the feature map that self-attention is applied to.
_FAST_FILTERS = 128

# Widths between the generator's blocks by image size, in units of `ch`.
_GENERATOR_WIDTHS = {
    32: (4, 4, 4, 4, 4, 4, 4, 4),
    64: (16, 16, 16, 16, 8, 8, 4, 4, 2),
    128: (16, 16, 16, 16, 8, 8, 4, 4, 2, 2, 1),
    256: (16, 16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1),
    512: (16, 16, 16, 16, 8, 8, 8, 8, 4, 4, 2, 2, 1, 1, 1),
}
# Widths between the discriminator's blocks by image size, in units of `ch`.
_DISCRIMINATOR_WIDTHS = {
    32: (2, 2, 2, 2, 2, 2, 2, 2),
    64: (2, 4, 4, 8, 8, 16, 16, 16, 16),
    128: (1, 2, 2, 4, 4, 8, 8, 16, 16, 16, 16),
    256: (1, 2, 2, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16),
    512: (1, 1, 1, 2, 2, 4, 4, 8, 8, 8, 8, 16, 16, 16, 16),
}


@base.network
class Generator(resnet.Generator):
    """BigGAN-deep's generator: every second block doubles the size; self-attention at 64 x 64.

    The seed and all blocks receive z together with the embedding of y.

    Args:
      image_shape: (H, H, C), where H is 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels. A multiple of 4 for 512 pixels, of
        2 for 128 and 256.
      embed_y: Whether to map y linearly to `embed_y_dim` dimensions; without effect if y is None.
      embed_y_dim: Dimension of the embedding of y.
      final_norm_fn: Class of the normalization before the last convolution, by default an
        unconditional one; None for none.
      experimental_fast_conv_to_rgb: Whether the last convolution has 128 filters, of which only the
        first become the image: some accelerators compute that faster.
      **kwargs: See `resnet.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_biggan_deep
      >>> generator = resnet_biggan_deep.Generator((32, 32, 3), ch=4)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    image_sizes = tuple(_GENERATOR_WIDTHS)
    block_class = BigGanDeepResNetBlock

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 128,
        embed_y: bool = True,
        embed_y_dim: int = 128,
        final_norm_fn: NormalizationLike = BatchNorm,
        experimental_fast_conv_to_rgb: bool = False,
        **kwargs: Any,
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

    def embed(
        self, z: Tensor, y: Tensor | None, training: bool | None = None
    ) -> tuple[Tensor, Tensor | None]:
        if y is None:
            return z, y
        if self.y_embedding is not None:
            y = self.y_embedding(y, training=training)
        both = ops.concatenate([z, y], axis=1)
        return both, both

    def activation(self, x: Tensor) -> Tensor:
        return 0.5 * ops.tanh(x[..., : self.image_shape[2]]) + 0.5

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "embed_y": self.embed_y,
            "embed_y_dim": self.embed_y_dim,
            "final_norm_fn": self.final_norm_fn and self.final_norm_fn.serialized(),
            "experimental_fast_conv_to_rgb": self.experimental_fast_conv_to_rgb,
        }


@base.network
class Discriminator(resnet.Discriminator):
    """BigGAN-deep's discriminator: every second block halves the size; sum over pixels; projection.

    Args:
      image_shape: (H, H, C), where H is 32, 64, 128, 256 or 512.
      ch: Width; the blocks have up to 16 times as many channels. A multiple of 4 for 512 pixels, of
        2 for 32, 128 and 256.
      blocks_with_attention: Without effect, as in the 2019 library: self-attention is applied at
        64 x 64 pixels, if the image is larger.
      project_y: Whether to add the projection of y to the logits; without effect if y is None.
      **kwargs: See `resnet.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_biggan_deep
      >>> discriminator = resnet_biggan_deep.Discriminator((32, 32, 3), ch=4)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 8))
    """

    image_sizes = tuple(_DISCRIMINATOR_WIDTHS)
    block_class = BigGanDeepResNetBlock
    fc_name = "final_fc"
    embedding_initializer = "glorot_normal"

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 128,
        blocks_with_attention: str = "B1",
        project_y: bool = True,
        **kwargs: Any,
    ):
        super().__init__(image_shape, ch, project_y, **kwargs)
        if blocks_with_attention != "B1":
            _log.warning(
                "resnet_biggan_deep.Discriminator.blocks_with_attention has no effect: "
                "self-attention is applied at 64 x 64 pixels."
            )
        blocks = _blocks(self, _DISCRIMINATOR_WIDTHS, ("down", "none"))
        first_width = blocks[0].in_channels
        self.add_layers(
            blocks,
            Conv2D(first_width, 3, spectral_norm=self.kernel_norm, name="initial_conv"),
            _attention(self, blocks, image_shape[0] / _ATTENTION_SIZE),
        )

    def pool(self, x: Tensor) -> Tensor:
        return ops.sum(relu(x), axis=(1, 2))


def _blocks(
    network: resnet.Generator | resnet.Discriminator,
    widths_by_size: Mapping[int, Sequence[int]],
    scales: tuple[str, str],
) -> list[ResidualBlock]:
    """Returns the blocks of a network, which alternate between the two scales."""
    units = widths_by_size[network.image_shape[0]]
    # The inner layers of a block have a quarter of its channels.
    narrowest = min(max(pair) for pair in itertools.pairwise(units))
    network.check_multiple(4 // math.gcd(4, narrowest), ch=network.ch)
    widths = [network.ch * width for width in units]
    return [
        network.make_block(f"B{i}", a, b, scale)
        for i, (a, b, scale) in enumerate(
            zip(widths[:-1], widths[1:], itertools.cycle(scales)), start=1
        )
    ]


def _attention(
    network: resnet.Generator | resnet.Discriminator,
    blocks: Sequence[ResidualBlock],
    factor: float,
) -> dict[str, NonLocalBlock]:
    """Returns self-attention after the block at which the size has changed by `factor`, if any."""
    name = f"B{2 * int(math.log2(factor))}"
    if name not in [block.name for block in blocks]:
        return {}
    return {name: NonLocalBlock(network.kernel_norm, name="non_local_block")}
