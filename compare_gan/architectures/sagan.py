"""SAGAN: residual networks with self-attention at 32 x 32, for images of 32 x 32 to 128 x 128.

https://arxiv.org/abs/1805.08318
"""

import itertools
import math
from typing import Any

from keras import ops

from compare_gan.architectures import base, resnet
from compare_gan.errors import UserError
from compare_gan.layers import BatchNorm, BigGanResNetBlock, NonLocalBlock, Normalization, relu
from compare_gan.layers.normalization_choice import NormalizationLike
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1805.08318")

_SIZES = (32, 64, 128)
_SEED_SIZE = 4


@base.network
class Generator(resnet.Generator):
    """SAGAN's generator: residual blocks that double the size, from 16 · `ch` channels to `ch`.

    In the paper it has spectral and conditional batch normalization: `G.spectral_norm = True`,
    `G.batch_norm_fn = @conditional_batch_norm`.

    Args:
      image_shape: (H, H, C), where H is 32, 64 or 128, the paper's size.
      ch: Width of the last block; each block before it has twice the width of the next.
      attention_size: Height of the feature map to which self-attention is applied; None for 32, or
        for the half of images of 32 x 32. 64 in one of the paper's variants.
      upsample: `nearest` (as in the paper) or `zeros`.
      final_norm_fn: Class of the normalization before the last convolution, by default an
        unconditional one; None for none.
      **kwargs: See `resnet.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import sagan
      >>> generator = sagan.Generator((32, 32, 3), ch=4)
      >>> tuple(generator((ops.ones((2, 16)), None)).shape)
      (2, 32, 32, 3)
    """

    image_sizes = _SIZES
    block_class = BigGanResNetBlock

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 64,
        attention_size: int | None = None,
        upsample: str = "nearest",
        final_norm_fn: NormalizationLike = BatchNorm,
        **kwargs: Any,
    ):
        super().__init__(image_shape, ch, upsample, **kwargs)
        self.attention_size = attention_size
        self.final_norm_fn = Normalization.of(final_norm_fn)
        # Sizes after the blocks; the seed has the width of the first block.
        sizes = _sizes(image_shape)[1:]
        widths = [ch * image_shape[0] // size for size in (sizes[0], *sizes)]
        self.add_layers(
            [
                self.make_block(f"B{i}", a, b, "up")
                for i, (a, b) in enumerate(itertools.pairwise(widths), start=1)
            ],
            self.final_norm_fn and self.final_norm_fn("final_norm", self.kernel_norm),
            _attention(self, sizes, attention_size),
        )

    def activation(self, x: Tensor) -> Tensor:
        return 0.5 * ops.tanh(x) + 0.5

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "attention_size": self.attention_size,
            "final_norm_fn": self.final_norm_fn and self.final_norm_fn.serialized(),
        }


@base.network
class Discriminator(resnet.Discriminator):
    """SAGAN's discriminator: residual blocks that halve the size, one that does not, projection.

    In the paper it has spectral normalization: `D.spectral_norm = True`.

    Args:
      image_shape: (H, H, C), where H is 32, 64 or 128, the paper's size.
      ch: Width of the first block; each block after it has twice the width of the one before.
      attention_size: See `Generator`.
      project_y: Whether to add the projection of y to the logits; without effect if y is None.
      **kwargs: See `resnet.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import sagan
      >>> discriminator = sagan.Discriminator((32, 32, 3), ch=4)
      >>> logits, features = discriminator((ops.ones((2, 32, 32, 3)), None))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 16))
    """

    image_sizes = _SIZES
    block_class = BigGanResNetBlock
    embedding_initializer = "glorot_normal"

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 64,
        attention_size: int | None = None,
        project_y: bool = True,
        **kwargs: Any,
    ):
        super().__init__(image_shape, ch, project_y, **kwargs)
        self.attention_size = attention_size
        # Sizes after the blocks that halve.
        sizes = _sizes(image_shape)[-2::-1]
        widths = [image_shape[2], *(ch * image_shape[0] // (2 * size) for size in sizes)]
        blocks = [
            self.make_block(f"B{i}", a, b, "down")
            for i, (a, b) in enumerate(itertools.pairwise(widths), start=1)
        ]
        last = self.make_block(
            f"B{len(widths)}", widths[-1], widths[-1], "none", identity_skip=True
        )
        self.add_layers([*blocks, last], attention=_attention(self, sizes, attention_size))

    def pool(self, x: Tensor) -> Tensor:
        return ops.sum(relu(x), axis=(1, 2))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"attention_size": self.attention_size}


def _sizes(image_shape: base.ImageShape) -> list[int]:
    """Heights of the feature maps from 4 to that of the image."""
    return [_SEED_SIZE * 2**i for i in range(int(math.log2(image_shape[0] // _SEED_SIZE)) + 1)]


def _attention(
    network: resnet.Generator | resnet.Discriminator, sizes: list[int], size: int | None
) -> dict[str, NonLocalBlock]:
    """Self-attention by name of the block before it.

    Args:
      network: The network.
      sizes: Heights after its blocks.
      size: Height of the feature map to which it is applied; None for the default.
    """
    size = min(32, network.image_shape[0] // 2) if size is None else size
    if size not in sizes:
        raise UserError(
            f"{base.option_name(type(network), 'attention_size')} must be the height of a feature "
            f"map, one of {', '.join(map(str, sorted(sizes)))}, received {size!r}."
        )
    name = f"B{sizes.index(size) + 1}"
    return {name: NonLocalBlock(network.kernel_norm, name="non_local_block")}
