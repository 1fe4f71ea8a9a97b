"""The base of the ResNet families: both networks without their blocks, and self-attention."""

from collections.abc import Sequence

from compare_gan.architectures.resnet_discriminator import Discriminator
from compare_gan.architectures.resnet_generator import EmbeddingGenerator, Generator
from compare_gan.errors import UserError, unknown_name
from compare_gan.layers import NonLocalBlock, SpectralNorm

__all__ = ["Discriminator", "EmbeddingGenerator", "Generator", "attention_layers"]


def attention_layers(
    blocks_with_attention: str | Sequence[str],
    num_blocks: int,
    default: str,
    spectral_norm: SpectralNorm | None,
    parameter: str,
) -> dict[str, NonLocalBlock]:
    """Returns self-attention layers, by name of the block before each of them.

    Args:
      blocks_with_attention: Names of blocks (`B1`, `B2`, …), as a list or separated by commas.
      num_blocks: Number of blocks in the network.
      default: Default of the option, which may name a block that a small network does not have.
      spectral_norm: Spectral normalization of the layers.
      parameter: Name of the option, for error messages.

    Raises:
      UserError: There is no block of this name, or the value is not a string or a list.
    """
    if not isinstance(blocks_with_attention, (str, list, tuple)):
        raise UserError(
            f"{parameter} must name blocks, such as 'B1' or 'B1, B4', received "
            f"{blocks_with_attention!r}."
        )
    if isinstance(blocks_with_attention, str):
        blocks_with_attention = [n.strip() for n in blocks_with_attention.split(",") if n.strip()]
    known = [f"B{i + 1}" for i in range(num_blocks)]
    layers: dict[str, NonLocalBlock] = {}
    for name in blocks_with_attention:
        if name in known:
            layer_name = f"non_local_block_{name}" if layers else "non_local_block"
            layers[name] = NonLocalBlock(spectral_norm, name=layer_name)
        elif name != default:
            raise unknown_name(f"block in {parameter}", name, known)
    return layers
