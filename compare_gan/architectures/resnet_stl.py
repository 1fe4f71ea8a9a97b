"""SNGAN's residual networks for the 48 x 48 images of STL-10.

https://arxiv.org/abs/1802.05957, appendix B.4.
"""

import itertools

from compare_gan.architectures import base, resnet

base.register_family(__name__, paper="https://arxiv.org/abs/1802.05957")


@base.network
class Generator(resnet.Generator):
    """Three residual blocks from 6 x 6 to 48 x 48.

    Args:
      image_shape: (48, 48, C).
      ch: Width of the last block; the seed has 8 times as many channels.
      **kwargs: See `resnet.Generator`.
    """

    image_sizes = (48,)
    seed_size = 6

    def __init__(self, image_shape, ch: int = 64, **kwargs):
        super().__init__(image_shape, ch, **kwargs)
        blocks = [
            self.make_block(f"B{i}", a * ch, b * ch, "up")
            for i, (a, b) in enumerate(itertools.pairwise((8, 4, 2, 1)), start=1)
        ]
        # The name under which checkpoints of the 2019 library know it.
        self.add_layers(blocks, self.make_norm("batch_norm"))


@base.network
class Discriminator(resnet.Discriminator):
    """Five residual blocks, all but the last halving the image; the mean over pixels.

    Args:
      image_shape: (H, W, C), any H and W.
      ch: Width of the first block; the last has 16 times as many channels.
      **kwargs: See `resnet.Discriminator`.
    """

    def __init__(self, image_shape, ch: int = 64, **kwargs):
        super().__init__(image_shape, ch, **kwargs)
        widths = (image_shape[2], *(ch * width for width in (1, 2, 4, 8, 16)))
        self.add_layers(
            [
                self.make_block(f"B{i}", a, b, "none" if i == 4 else "down")
                for i, (a, b) in enumerate(itertools.pairwise(widths))
            ]
        )
