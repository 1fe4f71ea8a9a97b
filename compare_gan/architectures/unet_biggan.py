"""U-Net GAN: BigGAN's generator, and a discriminator that also judges each pixel.

https://arxiv.org/abs/2002.12655. It is trained with the loss `unet` and the penalty `cutmix`.
"""

from typing import Any

from keras import ops

from compare_gan.architectures import base, resnet_biggan
from compare_gan.layers import Conv2D, relu
from compare_gan.layers.residual import ResidualBlock
from compare_gan.types import Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/2002.12655")


@base.network
class Generator(resnet_biggan.Generator):
    """BigGAN's generator; see `resnet_biggan.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import unet_biggan
      >>> generator = unet_biggan.Generator((32, 32, 3), ch=4)
      >>> tuple(generator((ops.ones((2, 16)), None)).shape)
      (2, 32, 32, 3)
    """


@base.network
class Discriminator(resnet_biggan.Discriminator):
    """BigGAN's discriminator as the encoder of a U-Net, which has a logit for each pixel.

    Blocks that double the size mirror those that halve it; the input of each but the first is
    joined with the encoder's feature map of its size. In training mode the logits are
    [b, 1 + H · W]: the encoder's logit, then those of the pixels, row by row. Otherwise they are
    the encoder's, [b, 1].

    Args:
      *args: See `resnet_biggan.Discriminator`.
      **kwargs: See `resnet_biggan.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import unet_biggan
      >>> discriminator = unet_biggan.Discriminator((32, 32, 3), ch=4)
      >>> x = ops.ones((2, 32, 32, 3))
      >>> [tuple(discriminator((x, None), training=training)[0].shape) for training in (0, 1)]
      [(2, 1), (2, 1025)]
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        halving = [block.out_channels for block in self.blocks if block.scale == "down"]
        # Of the feature maps of 8 x 8 and more, smallest first, and of the last block.
        widths = [*halving[-2::-1], halving[0]]
        inputs = [self.blocks[-1].out_channels, *(2 * width for width in widths[:-1])]
        self.decoder = [
            self._up_block(f"U{i}", a, b)
            for i, (a, b) in enumerate(zip(inputs, widths, strict=True), start=1)
        ]
        self.to_logits = Conv2D(1, 1, spectral_norm=self.kernel_norm, name="pixel_logits")

    def _up_block(self, name: str, in_channels: int, out_channels: int) -> ResidualBlock:
        return self.block_class(
            in_channels, out_channels, "up", is_gen_block=True, spectral_norm=self.kernel_norm,
            batch_norm_fn=self.batch_norm_fn, layer_norm=self.layer_norm, upsample="nearest",
            resample=self.resample, name=name,
        )  # fmt: skip

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, y = inputs
        maps = self.feature_maps(x, y, training)
        logits, features = self.score(maps[-1], y, training)
        # The maps of 4 x 4 are those of the last two blocks.
        joined = [None, *maps[-3::-1]]
        h = maps[-1]
        for block, encoded in zip(self.decoder, joined, strict=True):
            if encoded is not None:
                h = ops.concatenate([h, encoded], axis=-1)
            h = block(h, y=y, training=training)
        pixels = self.to_logits(relu(h), training=training)
        if training:
            pixels = ops.reshape(pixels, (-1, self.image_shape[0] * self.image_shape[1]))
            logits = ops.concatenate([logits, pixels], axis=1)
        return logits, features
