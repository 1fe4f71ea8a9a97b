"""What the ResNet families share: embeddings, parts of z, attention, projection, size checks."""

from collections.abc import Sequence

import keras
from keras import ops

from compare_gan.architectures import base
from compare_gan.errors import UserError, unknown_name
from compare_gan.layers import Dense, NonLocalBlock, SpectralNorm


class EmbeddingGenerator(base.Generator):
    """Base of generators that may embed z and y and give each block its own part of z.

    Args:
      image_shape: See `base.Generator`.
      hierarchical_z: Split z into equal parts, one for the seed of the image and one for each
        block, whose normalizations are conditioned on it beside y.
      embed_z: Map z linearly to as many dimensions first.
      embed_y: Map y linearly to `embed_y_dim` dimensions, the same for all blocks.
      embed_y_dim: Dimension of the embedding of y; None = that of z.
      embed_bias: Add a bias to both embeddings.
      num_blocks: Number of blocks.
      **kwargs: See `base.Generator`.
    """

    def __init__(
        self, image_shape, hierarchical_z, embed_z, embed_y, embed_y_dim, embed_bias, num_blocks,
        **kwargs,
    ):  # fmt: skip
        super().__init__(image_shape, **kwargs)
        self.hierarchical_z = hierarchical_z
        self.embed_z, self.embed_y = embed_z, embed_y
        self.embed_y_dim, self.embed_bias = embed_y_dim, embed_bias
        self.num_blocks = num_blocks

    def check_inputs(self, first, y):
        super().check_inputs(first, y)
        parts, z_dim = self.num_blocks + 1, first[-1]
        if self.hierarchical_z and z_dim % parts:
            raise UserError(
                f"hierarchical_z splits z into {parts} equal parts for images of "
                f"{self.image_shape[0]}x{self.image_shape[1]}: options.z_dim must be a multiple "
                f"of {parts}, received {z_dim}."
            )

    def build(self, input_shape):
        z_dim = input_shape[0][-1]
        if self.embed_z:
            self.z_embedding = Dense(z_dim, use_bias=self.embed_bias, name="embed_z")
        if self.embed_y and input_shape[1] is not None:
            units = self.embed_y_dim or z_dim
            self.y_embedding = Dense(units, use_bias=self.embed_bias, name="embed_y")
        super().build(input_shape)

    def embed(self, z, y, training=None):
        """The embeddings of z and y, where there are any."""
        if self.embed_z:
            z = self.z_embedding(z, training=training)
        if self.embed_y and y is not None:
            y = self.y_embedding(y, training=training)
        return z, y

    def parts(self, z, y):
        """From embedded z and y: z of the seed, z for each block, y for each block."""
        if not self.hierarchical_z:
            return z, self.num_blocks * [z], self.num_blocks * [y]
        seed, *zs = ops.split(z, self.num_blocks + 1, axis=1)
        return seed, zs, [z if y is None else ops.concatenate([z, y], axis=1) for z in zs]

    def get_config(self):
        return super().get_config() | {
            "hierarchical_z": self.hierarchical_z,
            "embed_z": self.embed_z,
            "embed_y": self.embed_y,
        }


def projection(embedding: keras.layers.Layer, y, features, training=None):
    """What labels add to the logits: <embedding(y), features> (https://arxiv.org/abs/1802.05637).

    Args:
      embedding: From y [b, num_classes] to [b, f].
      y: Labels.
      features: [b, f].
      training: Passed on.

    Returns:
      [b, 1].
    """
    return ops.sum(embedding(y, training=training) * features, axis=1, keepdims=True)


def check_square(family: str, image_shape: base.Shape, sizes: Sequence[int]) -> None:
    """Raises UserError unless images are square, of one of these sizes."""
    h, w = image_shape[:2]
    if h == w and h in sizes:
        return
    allowed = ", ".join(f"{size}x{size}" for size in sizes)
    larger = [size for size in sorted(sizes) if size >= max(h, w)]
    hint = f"; pad the data with dataset.pad_to = {larger[0]}" if larger else ""
    raise UserError(f"{family} is made for images of {allowed}, received {h}x{w}{hint}.")


def attention_layers(
    blocks_with_attention: str | Sequence[str],
    num_blocks: int,
    default: str,
    spectral_norm: SpectralNorm | None,
    parameter: str,
) -> dict[str, NonLocalBlock]:
    """The self-attention layers by the name of the block that each comes after.

    Args:
      blocks_with_attention: Names of blocks (`B1`, `B2`, …), as a list or separated by commas.
      num_blocks: How many blocks the network has.
      default: The default of the option, which may name a block that a small network has not.
      spectral_norm: For the layers.
      parameter: Name of the option, for the message.

    Raises:
      UserError: There is no such block.
    """
    if isinstance(blocks_with_attention, str):
        blocks_with_attention = [n.strip() for n in blocks_with_attention.split(",") if n.strip()]
    known = [f"B{i + 1}" for i in range(num_blocks)]
    layers = {}
    for name in blocks_with_attention:
        if name in known:
            layer_name = f"non_local_block_{name}" if layers else "non_local_block"
            layers[name] = NonLocalBlock(spectral_norm, name=layer_name)
        elif name != default:
            raise unknown_name(f"block in {parameter}", name, known)
    return layers
