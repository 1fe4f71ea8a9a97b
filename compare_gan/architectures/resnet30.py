"""Very deep residual networks for 128 x 128 images: five blocks at each size, one between two.

In the manner of the 101-layer networks of WGAN-GP (https://arxiv.org/abs/1704.00028); the sizes
are those of the 2019 library.
"""

from keras import ops

from compare_gan.architectures import base, resnet
from compare_gan.layers import Conv2D

base.register_family(__name__, paper="https://arxiv.org/abs/1704.00028")

_SIZES = 6  # 4, 8, 16, 32, 64 and 128 pixels


@base.network
class Generator(resnet.Generator):
    """From 4 x 4 to 128 x 128: some blocks at each size, one more to double it.

    As in the 2019 library neither normalization nor ReLU precedes the last convolution.

    Args:
      image_shape: (128, 128, C).
      ch: Width; blocks have from 8 times to a quarter as many channels. A multiple of 4.
      blocks_per_size: Blocks at each of the six sizes.
      **kwargs: See `resnet.Generator`.
    """

    image_sizes = (128,)

    def __init__(self, image_shape, ch: int = 64, blocks_per_size: int = 5, **kwargs):
        super().__init__(image_shape, ch, **kwargs)
        self.blocks_per_size = blocks_per_size
        widths = _widths(self)
        self.add_layers(_blocks(self.make_block, widths, blocks_per_size, "up"))

    def finish(self, x, z, y, training=None):
        return x

    def get_config(self):
        return super().get_config() | {"blocks_per_size": self.blocks_per_size}


@base.network
class Discriminator(resnet.Discriminator):
    """The generator's mirror image; all values of the 4 x 4 result are features.

    Args:
      image_shape: (128, 128, C).
      ch: As for the generator.
      blocks_per_size: As for the generator.
      **kwargs: See `resnet.Discriminator`.
    """

    image_sizes = (128,)

    def __init__(self, image_shape, ch: int = 64, blocks_per_size: int = 5, **kwargs):
        super().__init__(image_shape, ch, **kwargs)
        self.blocks_per_size = blocks_per_size
        widths = _widths(self)[::-1]
        # As in the 2019 library this kernel is never spectrally normalized.
        first_conv = Conv2D(widths[0], 3, name="color_conv")
        blocks = _blocks(self.make_block, widths, blocks_per_size, "down")
        self.add_layers(blocks, first_conv, num_features=4 * 4 * 8 * ch)

    def pool(self, x):
        return ops.reshape(x, (-1, x.shape[1] * x.shape[2] * x.shape[3]))

    def get_config(self):
        return super().get_config() | {"blocks_per_size": self.blocks_per_size}


def _widths(network):
    """The generator's, from 8 times `ch` down to a quarter of it."""
    network.check_multiple(4, ch=network.ch)
    return [8 * network.ch // 2**i for i in range(_SIZES)]


def _blocks(make_block, widths, blocks_per_size, scale):
    """`blocks_per_size` blocks of each width, and between two widths one that resamples."""
    blocks = []
    for i, width in enumerate(widths):
        blocks += [make_block(f"B_{i}_{j}", width, width, "none") for j in range(blocks_per_size)]
        if i + 1 < len(widths):
            # Checkpoints know it as "up" in both networks.
            blocks.append(make_block(f"B_{i}_up", width, widths[i + 1], scale))
    return blocks
