"""SNGAN's residual networks for 32 x 32 images, optionally with projection.

https://arxiv.org/abs/1802.05957, appendix B.4; projection: https://arxiv.org/abs/1802.05637.
"""

from typing import Any

from compare_gan.architectures import base, resnet
from compare_gan.errors import UserError

base.register_family(__name__, paper="https://arxiv.org/abs/1802.05957")


@base.network
class Generator(resnet.EmbeddingGenerator):
    """Three residual blocks from 4 x 4 to 32 x 32.

    Args:
      image_shape: (32, 32, C).
      ch: Width of all layers.
      hierarchical_z: Whether each block has its own part of z; z_dim is then a multiple of 4.
      embed_z: Whether to map z linearly to as many dimensions first.
      embed_y: Whether to map y linearly to as many dimensions as z has.
      normalize_embeddings: Whether spectral normalization includes both maps, as in 2019; False for
        checkpoints of earlier versions of this library.
      **kwargs: See `resnet.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_cifar
      >>> generator = resnet_cifar.Generator((32, 32, 3), ch=4)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    image_sizes = (32,)

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 256,
        hierarchical_z: bool = False,
        embed_z: bool = False,
        embed_y: bool = False,
        normalize_embeddings: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            image_shape, ch, hierarchical_z, embed_z, embed_y, embed_y_dim=None, embed_bias=True,
            normalize_embeddings=normalize_embeddings, **kwargs,
        )  # fmt: skip
        blocks = [self.make_block(f"B{i}", ch, ch, "up") for i in (1, 2, 3)]
        self.add_layers(blocks, self.make_norm("final_norm"))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"normalize_embeddings": self.normalize_embeddings}


@base.network
class Discriminator(resnet.Discriminator):
    """Four residual blocks, of which the first two halve the image; the mean over pixels.

    Args:
      image_shape: (H, W, C), where H and W are multiples of 4.
      ch: Width of all layers.
      **kwargs: See `resnet.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import resnet_cifar
      >>> discriminator = resnet_cifar.Discriminator((32, 32, 3), ch=4)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 4))
    """

    def __init__(self, image_shape: base.ImageShape, ch: int = 128, **kwargs: Any):
        super().__init__(image_shape, ch, **kwargs)
        h, w, colors = self.image_shape
        if h % 4 or w % 4:
            raise UserError(
                f"resnet_cifar's discriminator needs image sides that are multiples of 4, received "
                f"{h}x{w}."
            )
        self.add_layers(
            [
                self.make_block(f"B{i}", width, ch, scale)
                for i, (width, scale) in enumerate(
                    ((colors, "down"), (ch, "down"), (ch, "none"), (ch, "none")), start=1
                )
            ]
        )
