"""SNGAN's residual networks for the 48 x 48 images of STL-10.

https://arxiv.org/abs/1802.05957, appendix B.4.
"""

import itertools
from typing import Any

from compare_gan.architectures import base, resnet

base.register_family(__name__, paper="https://arxiv.org/abs/1802.05957")


@base.network
class Generator(resnet.Generator):
    """Three residual blocks from 6 x 6 to 48 x 48.

    Args:
      image_shape: (48, 48, C).
      ch: Width of the last block; the seed has 8 times as many channels.
      **kwargs: See `resnet.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_stl
      >>> generator = resnet_stl.Generator((48, 48, 3), ch=2)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 48, 48, 3)
    """

    image_sizes = (48,)
    seed_size = 6

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, ch, **kwargs)
        blocks = [
            self.make_block(f"B{i}", a * ch, b * ch, "up")
            for i, (a, b) in enumerate(itertools.pairwise((8, 4, 2, 1)), start=1)
        ]
        # Its name in checkpoints of the 2019 library.
        self.add_layers(blocks, self.make_norm("batch_norm"))


@base.network
class Discriminator(resnet.Discriminator):
    """Five residual blocks, of which all but the last halve the image; the mean over pixels.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the first block; the last has 16 times as many channels.
      **kwargs: See `resnet.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_stl
      >>> discriminator = resnet_stl.Discriminator((48, 48, 3), ch=2)
      >>> x, y = ops.ones((2, 48, 48, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 32))
    """

    def __init__(self, image_shape: base.ImageShape, ch: int = 64, **kwargs: Any):
        super().__init__(image_shape, ch, **kwargs)
        widths = (image_shape[2], *(ch * width for width in (1, 2, 4, 8, 16)))
        self.add_layers(
            [
                self.make_block(f"B{i}", a, b, "none" if i == 4 else "down")
                for i, (a, b) in enumerate(itertools.pairwise(widths))
            ]
        )
