"""The ResNets of SNGAN for 32 x 32 images (https://arxiv.org/abs/1802.05957, appendix B.4).

Conditioning as in https://arxiv.org/abs/1802.05637 (projection).
"""

from keras import ops

from compare_gan.architectures import base, resnet
from compare_gan.errors import UserError
from compare_gan.layers import Conv2D, Dense, ResNetBlock

_SEED_SIZE = 4


@base.network
class Generator(resnet.EmbeddingGenerator):
    """Three residual blocks from 4 x 4 to 32 x 32.

    Args:
      image_shape: (32, 32, C).
      ch: Width of all layers.
      hierarchical_z: Give each block its own part of z; z_dim is then a multiple of 4.
      embed_z: Map z linearly to as many dimensions first.
      embed_y: Map y linearly to as many dimensions as z has.
      upsample: `zeros` (as in the 2019 library) or `nearest` (as in the paper).
      resample: `folded` or `plain`, see `layers.ResNetBlock`.
      **kwargs: See `base.Generator`.
    """

    def __init__(
        self,
        image_shape,
        ch: int = 256,
        hierarchical_z: bool = False,
        embed_z: bool = False,
        embed_y: bool = False,
        upsample: str = "zeros",
        resample: str = "folded",
        **kwargs,
    ):
        super().__init__(
            image_shape, hierarchical_z, embed_z, embed_y, embed_y_dim=None, embed_bias=True,
            num_blocks=3, **kwargs,
        )  # fmt: skip
        resnet.check_square("resnet_cifar", image_shape, sizes=(32,))
        self.ch, self.upsample, self.resample = ch, upsample, resample
        self.fc = Dense(_SEED_SIZE**2 * ch, spectral_norm=self.kernel_norm, name="fc_noise")
        self.blocks = [
            ResNetBlock(
                ch, ch, "up", is_gen_block=True, spectral_norm=self.kernel_norm,
                batch_norm_fn=self.batch_norm_fn, upsample=upsample, resample=resample,
                name=f"B{i + 1}",
            )
            for i in range(self.num_blocks)
        ]  # fmt: skip
        self.final_norm = self.make_norm("final_norm")
        self.final_conv = Conv2D(
            image_shape[2], 3, spectral_norm=self.kernel_norm, name="final_conv"
        )

    def call(self, inputs, training=None):
        z, y = self.embed(*inputs, training=training)
        seed, zs, ys = self.parts(z, y)
        x = self.fc(seed, training=training)
        x = ops.reshape(x, (-1, _SEED_SIZE, _SEED_SIZE, self.ch))
        for block, block_z, block_y in zip(self.blocks, zs, ys, strict=True):
            x = block(x, z=block_z, y=block_y, training=training)
        x = ops.relu(base.normalize(self.final_norm, x, z, y, training))
        return ops.sigmoid(self.final_conv(x, training=training))

    def get_config(self):
        return super().get_config() | {
            "ch": self.ch,
            "upsample": self.upsample,
            "resample": self.resample,
        }


@base.network
class Discriminator(base.Discriminator):
    """Four residual blocks, the first two halving the image; the mean over pixels; a dense layer.

    Args:
      image_shape: (H, W, C); H and W multiples of 4.
      ch: Width of all layers.
      project_y: Add the projection of y to the logits; without effect if y is None.
      resample: `folded` or `plain`, see `layers.ResNetBlock`.
      **kwargs: See `base.Discriminator`.
    """

    def __init__(
        self,
        image_shape,
        ch: int = 128,
        project_y: bool = False,
        resample: str = "folded",
        **kwargs,
    ):
        super().__init__(image_shape, **kwargs)
        h, w, colors = self.image_shape
        if h % 4 or w % 4:
            raise UserError(
                f"resnet_cifar's discriminator needs image sides that are multiples of 4, received "
                f"{h}x{w}."
            )
        self.ch, self.project_y, self.resample = ch, project_y, resample
        self.blocks = [
            ResNetBlock(
                ch if i else colors, ch, scale, is_gen_block=False, spectral_norm=self.kernel_norm,
                batch_norm_fn=self.batch_norm_fn, layer_norm=self.layer_norm, resample=resample,
                name=f"B{i + 1}",
            )
            for i, scale in enumerate(("down", "down", "none", "none"))
        ]  # fmt: skip
        self.fc = Dense(1, spectral_norm=self.kernel_norm, name="disc_final_fc")
        self.embedding = None
        if project_y:
            self.embedding = Dense(
                ch, use_bias=False, spectral_norm=self.kernel_norm, name="embedding_fc"
            )

    def call(self, inputs, training=None):
        x, y = inputs
        for block in self.blocks:
            x = block(x, y=y, training=training)
        features = ops.mean(ops.relu(x), axis=(1, 2))
        logits = self.fc(features, training=training)
        if self.project_y and y is not None:
            logits += resnet.projection(self.embedding, y, features, training)
        return logits, features

    def get_config(self):
        return super().get_config() | {
            "ch": self.ch,
            "project_y": self.project_y,
            "resample": self.resample,
        }
