"""Residual networks of five and six blocks for up to 128 x 128 images, such as LSUN's.

SNGAN's ImageNet networks (https://arxiv.org/abs/1802.05957, appendix B.4) as used for LSUN-bedroom
and CelebA-HQ in https://arxiv.org/abs/1807.04720.
"""

import itertools
from typing import Any

from compare_gan.architectures import base, resnet

base.register_family(__name__, paper="https://arxiv.org/abs/1807.04720")


@base.network
class Generator(resnet.Generator):
    """Five residual blocks, as many of which double the size as the image requires.

    Args:
      image_shape: (H, H, C), where H is a power of two from 4 to 128.
      ch: Width; the blocks have up to 8 times as many channels.
      **kwargs: See `resnet.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet5
      >>> generator = resnet5.Generator((32, 32, 3), ch=4)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    image_sizes = (4, 8, 16, 32, 64, 128)

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, ch, **kwargs)
        num_doubling = self.image_sizes.index(image_shape[0])
        blocks = [
            self.make_block(f"B{i}", a * ch, b * ch, "up" if i <= num_doubling else "none")
            for i, (a, b) in enumerate(itertools.pairwise((8, 8, 4, 4, 2, 1)), start=1)
        ]
        self.add_layers(blocks, self.make_norm("final_norm"))


@base.network
class Discriminator(resnet.Discriminator):
    """Six residual blocks that halve the image (down to one pixel), and the mean over pixels.

    Args:
      image_shape: (H, H, C), where H is a power of two from 4 to 1024.
      ch: Width; the blocks have up to 8 times as many channels.
      **kwargs: See `resnet.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet5
      >>> discriminator = resnet5.Discriminator((32, 32, 3), ch=4)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 32))
    """

    image_sizes = tuple(2**i for i in range(2, 11))

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, ch, **kwargs)
        widths = (image_shape[2], *(ch * width for width in (1, 2, 4, 4, 8, 8)))
        self.add_layers(
            [
                self.make_block(f"B{i}", a, b, "down")
                for i, (a, b) in enumerate(itertools.pairwise(widths))
            ]
        )
