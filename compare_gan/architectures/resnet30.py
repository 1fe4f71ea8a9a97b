"""Very deep residual networks for 128 x 128 images: five blocks at each of six sizes.

One more block between two sizes resamples. Modelled on the 101-layer networks of WGAN-GP
(https://arxiv.org/abs/1704.00028); the widths and depths are those of the 2019 library.
"""

from collections.abc import Callable, Sequence
from typing import Any

from compare_gan.architectures import base, resnet
from compare_gan.layers import Conv2D
from compare_gan.layers.residual import ResidualBlock
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1704.00028")

_SIZES = 6  # 4, 8, 16, 32, 64 and 128 pixels


@base.network
class Generator(resnet.Generator):
    """From 4 x 4 to 128 x 128: some blocks at each size, and one more to double it.

    As in the 2019 library, neither normalization nor ReLU precedes the last convolution.

    Args:
      image_shape: (128, 128, C).
      ch: Width, a multiple of 4; the blocks have from 8 · ch down to ch / 4 channels.
      blocks_per_size: Number of blocks at each of the six sizes.
      **kwargs: See `resnet.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet30
      >>> generator = resnet30.Generator((128, 128, 3), ch=4, blocks_per_size=1)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 128, 128, 3)
    """

    image_sizes = (128,)

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 64,
        blocks_per_size: int = 5,
        **kwargs: Any,
    ):
        super().__init__(image_shape, ch, **kwargs)
        self.blocks_per_size = blocks_per_size
        widths = _widths(self)
        self.add_layers(_blocks(self.make_block, widths, blocks_per_size, "up"))

    def finish(
        self, x: Tensor, z: Tensor, y: Tensor | None, training: bool | None = None
    ) -> Tensor:
        return x

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"blocks_per_size": self.blocks_per_size}


@base.network
class Discriminator(resnet.Discriminator):
    """The generator's mirror image; the features are all values of the 4 x 4 output.

    Args:
      image_shape: (128, 128, C).
      ch: Width, a multiple of 4; see `Generator`.
      blocks_per_size: Number of blocks at each of the six sizes.
      **kwargs: See `resnet.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet30
      >>> discriminator = resnet30.Discriminator((128, 128, 3), ch=4, blocks_per_size=1)
      >>> x, y = ops.ones((2, 128, 128, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 512))
    """

    image_sizes = (128,)

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 64,
        blocks_per_size: int = 5,
        **kwargs: Any,
    ):
        super().__init__(image_shape, ch, **kwargs)
        self.blocks_per_size = blocks_per_size
        widths = _widths(self)[::-1]
        # As in the 2019 library, this kernel is never spectrally normalized.
        first_conv = Conv2D(widths[0], 3, name="color_conv")
        blocks = _blocks(self.make_block, widths, blocks_per_size, "down")
        self.add_layers(blocks, first_conv, num_features=4 * 4 * 8 * ch)

    def pool(self, x: Tensor) -> Tensor:
        return base.flatten(x)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"blocks_per_size": self.blocks_per_size}


def _widths(network: Generator | Discriminator) -> list[int]:
    """Returns the generator's widths, from 8 times `ch` down to a quarter of it."""
    network.check_multiple(4, ch=network.ch)
    return [8 * network.ch // 2**i for i in range(_SIZES)]


def _blocks(
    make_block: Callable[..., ResidualBlock],
    widths: Sequence[int],
    blocks_per_size: int,
    scale: str,
) -> list[ResidualBlock]:
    """Returns `blocks_per_size` blocks of each width, and one that resamples between two widths."""
    blocks: list[ResidualBlock] = []
    for i, width in enumerate(widths):
        blocks += [make_block(f"B_{i}_{j}", width, width, "none") for j in range(blocks_per_size)]
        if i + 1 < len(widths):
            # Its name in checkpoints, in both networks.
            blocks.append(make_block(f"B_{i}_up", width, widths[i + 1], scale))
    return blocks
