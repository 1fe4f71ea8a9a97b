"""Residual networks of five and six blocks for up to 128 x 128 images, such as LSUN's.

SNGAN's ImageNet networks (https://arxiv.org/abs/1802.05957, appendix B.4) as used for LSUN-bedroom
and CelebA-HQ in https://arxiv.org/abs/1807.04720.
"""

import itertools

from compare_gan.architectures import base, resnet

base.register_family(__name__, paper="https://arxiv.org/abs/1807.04720")


@base.network
class Generator(resnet.Generator):
    """Five residual blocks, as many of them doubling 4 x 4 as the image asks for.

    Args:
      image_shape: (H, H, C) with H a power of two from 4 to 128.
      ch: Width; the blocks have up to 8 times as many channels.
      **kwargs: See `resnet.Generator`.
    """

    image_sizes = (4, 8, 16, 32, 64, 128)

    def __init__(self, image_shape, ch: int = 64, **kwargs):
        super().__init__(image_shape, ch, **kwargs)
        num_doubling = self.image_sizes.index(image_shape[0])
        blocks = [
            self.make_block(f"B{i}", a * ch, b * ch, "up" if i <= num_doubling else "none")
            for i, (a, b) in enumerate(itertools.pairwise((8, 8, 4, 4, 2, 1)), start=1)
        ]
        self.add_layers(blocks, self.make_norm("final_norm"))


@base.network
class Discriminator(resnet.Discriminator):
    """Six residual blocks that halve the image (down to one pixel); the mean over pixels.

    Args:
      image_shape: (H, H, C) with H a power of two.
      ch: Width; the blocks have up to 8 times as many channels.
      **kwargs: See `resnet.Discriminator`.
    """

    image_sizes = tuple(2**i for i in range(2, 11))

    def __init__(self, image_shape, ch: int = 64, **kwargs):
        super().__init__(image_shape, ch, **kwargs)
        widths = (image_shape[2], *(ch * width for width in (1, 2, 4, 4, 8, 8)))
        self.add_layers(
            [
                self.make_block(f"B{i}", a, b, "down")
                for i, (a, b) in enumerate(itertools.pairwise(widths))
            ]
        )
