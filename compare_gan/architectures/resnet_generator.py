"""The generators of the ResNet families, without their blocks: seed, embeddings, parts of z."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from compare_gan.architectures import base
from compare_gan.errors import UserError
from compare_gan.layers import (
    Conv2D,
    Dense,
    NonLocalBlock,
    ResNetBlock,
    WeightOptions,
    normalize,
    relu,
)
from compare_gan.layers.residual import ResidualBlock
from compare_gan.types import Tensor, TensorShape


class Generator(base.Generator):
    """Base of residual generators: a dense seed, blocks, a last 3 x 3 convolution.

    The constructor of a family ends with a call of `add_layers` with blocks from `make_block`.

    Args:
      image_shape: (H, H, C), where H is one of the family's `image_sizes`.
      ch: Width; the number of channels of each layer is a multiple of it.
      upsample: `zeros` (as in the 2019 library) or `nearest` (as in the papers).
      resample: `folded` or `plain`, see `layers.ResNetBlock`.
      **kwargs: See `base.Generator`.
    """

    image_sizes: Sequence[int]
    seed_size = 4
    block_class: type[ResidualBlock] = ResNetBlock

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int,
        upsample: str = "zeros",
        resample: str = "folded",
        **kwargs: Any,
    ):
        super().__init__(image_shape, **kwargs)
        base.check_image_size(self.family, image_shape, self.image_sizes)
        self.check_positive(ch=ch)
        self.ch, self.upsample, self.resample = ch, upsample, resample

    def make_block(
        self, name: str, in_channels: int, out_channels: int, scale: str
    ) -> ResidualBlock:
        """Returns a block with the options of the network; see `layers.ResNetBlock`."""
        return self.block_class(
            in_channels, out_channels, scale, is_gen_block=True, spectral_norm=self.kernel_norm,
            batch_norm_fn=self.batch_norm_fn, upsample=self.upsample, resample=self.resample,
            name=name,
        )  # fmt: skip

    def add_layers(
        self,
        blocks: Sequence[ResidualBlock],
        final_norm: keras.layers.Layer | None = None,
        attention: dict[str, NonLocalBlock] | None = None,
        final_filters: int | None = None,
    ) -> None:
        """Sets the layers.

        Args:
          blocks: Residual blocks, first to last.
          final_norm: Normalization after them; None for none.
          attention: Self-attention by name of the block before it; None for none.
          final_filters: Filters of the last convolution; None for the image's channels.
        """
        self.fc = Dense(
            self.seed_size**2 * blocks[0].in_channels, spectral_norm=self.kernel_norm,
            name="fc_noise",
        )  # fmt: skip
        self.blocks, self.attention = blocks, attention or {}
        self.final_norm = final_norm
        self.final_conv = Conv2D(
            final_filters or self.image_shape[2], 3, spectral_norm=self.kernel_norm,
            name="final_conv",
        )  # fmt: skip

    def embed(
        self, z: Tensor, y: Tensor | None, training: bool | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the embeddings of z and y; here z and y themselves."""
        return z, y

    def parts(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, list[Tensor], list[Any]]:
        """Distributes z and y (embedded): z of the seed, z of each block, y of each block."""
        return z, len(self.blocks) * [z], len(self.blocks) * [y]

    def finish(
        self, x: Tensor, z: Tensor, y: Tensor | None, training: bool | None = None
    ) -> Tensor:
        """Computes the input of the last convolution from the output of the last block."""
        return normalize(self.final_norm, x, z, y, training, activation=relu)

    def activation(self, x: Tensor) -> Tensor:
        """Computes the image in [0, 1] from the output of the last convolution."""
        return ops.sigmoid(x)

    def call(self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None) -> Tensor:
        z, y = self.embed(inputs[0], inputs[1], training=training)
        seed, zs, ys = self.parts(z, y)
        x = self.fc(seed, training=training)
        x = ops.reshape(x, (-1, self.seed_size, self.seed_size, self.blocks[0].in_channels))
        for block, block_z, block_y in zip(self.blocks, zs, ys, strict=True):
            x = block(x, z=block_z, y=block_y, training=training)
            if block.name in self.attention:
                x = self.attention[block.name](x, training=training)
        x = self.finish(x, z, y, training)
        return self.activation(self.final_conv(x, training=training))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "ch": self.ch,
            "upsample": self.upsample,
            "resample": self.resample,
        }


class EmbeddingGenerator(Generator):
    """Base of generators with optional embeddings of z and y and a part of z for each block.

    As in the 2019 library, spectral normalization includes the embeddings only in `resnet_cifar`.

    Args:
      image_shape: See `Generator`.
      ch: See `Generator`.
      hierarchical_z: Whether to split z into equal parts, one for the seed of the image and one for
        each block, whose normalizations are conditioned on it in addition to y.
      embed_z: Whether to map z linearly to as many dimensions first.
      embed_y: Whether to map y linearly to `embed_y_dim` dimensions; all blocks share the map.
      embed_y_dim: Dimension of the embedding of y; None for that of z.
      embed_bias: Whether both embeddings have a bias.
      normalize_embeddings: Whether spectral normalization includes the embeddings.
      **kwargs: See `Generator`.
    """

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int,
        hierarchical_z: bool,
        embed_z: bool,
        embed_y: bool,
        embed_y_dim: int | None,
        embed_bias: bool,
        normalize_embeddings: bool = False,
        **kwargs: Any,
    ):
        super().__init__(image_shape, ch, **kwargs)
        if embed_y_dim is not None:
            self.check_positive(embed_y_dim=embed_y_dim)
        self.hierarchical_z = hierarchical_z
        self.embed_z, self.embed_y = embed_z, embed_y
        self.embed_y_dim, self.embed_bias = embed_y_dim, embed_bias
        self.normalize_embeddings = normalize_embeddings
        # For the embeddings, which can only be made when the dimension of z is known.
        self._weight_options = WeightOptions()

    def check_inputs(self, first: TensorShape, y: TensorShape | None) -> None:
        super().check_inputs(first, y)
        parts, z_dim = len(self.blocks) + 1, first[-1]
        if self.hierarchical_z and z_dim % parts:
            raise UserError(
                f"hierarchical_z splits z into {parts} equal parts for images of "
                f"{self.image_shape[0]}x{self.image_shape[1]}: options.z_dim must be a multiple "
                f"of {parts}, received {z_dim}."
            )

    def build(self, input_shape: tuple[TensorShape, TensorShape | None]) -> None:
        z_dim = input_shape[0][-1]
        if self.embed_z:
            self.z_embedding = self._embedding(z_dim, "embed_z")
        if self.embed_y and input_shape[1] is not None:
            self.y_embedding = self._embedding(self.embed_y_dim or z_dim, "embed_y")
        super().build(input_shape)

    def _embedding(self, units: int, name: str) -> Dense:
        initializer = self._weight_options.make()
        return Dense(
            units, use_bias=self.embed_bias, kernel_initializer=initializer, name=name,
            spectral_norm=self.kernel_norm if self.normalize_embeddings else None,
        )  # fmt: skip

    def embed(
        self, z: Tensor, y: Tensor | None, training: bool | None = None
    ) -> tuple[Tensor, Tensor | None]:
        if self.embed_z:
            z = self.z_embedding(z, training=training)
        if self.embed_y and y is not None:
            y = self.y_embedding(y, training=training)
        return z, y

    def parts(self, z: Tensor, y: Tensor | None) -> tuple[Tensor, list[Tensor], list[Any]]:
        if not self.hierarchical_z:
            return super().parts(z, y)
        seed, *zs = ops.split(z, len(self.blocks) + 1, axis=1)
        return seed, zs, [z if y is None else ops.concatenate([z, y], axis=1) for z in zs]

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "hierarchical_z": self.hierarchical_z,
            "embed_z": self.embed_z,
            "embed_y": self.embed_y,
        }
