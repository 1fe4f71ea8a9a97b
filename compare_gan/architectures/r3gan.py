"""R3GAN: residual networks of grouped convolutions without any normalization, 8 x 8 to 1024 x 1024.

The paper trains them with the loss `rp_gan` and the penalties R1 and R2:
https://arxiv.org/abs/2501.05441. Its networks, of 21 to 107 million parameters, are those of the
example configs `r3gan_*.gin`:

- CIFAR-10, FFHQ-64, FFHQ-256: the default options;
- ImageNet-32, ImageNet-64: `ch = 1536`, `group_size = 32`, `full_width_size = 64`.
"""

import itertools
import math
from typing import Any

import keras
from keras import ops

from compare_gan.architectures import base
from compare_gan.architectures.r3gan_blocks import (
    EXPANSION,
    SEED_SIZE,
    Block,
    Pool,
    Resample,
    Seed,
    scaled_normal,
)
from compare_gan.layers import Conv2D, Dense
from compare_gan.types import Tensor, TensorShape

base.register_family(__name__, paper="https://arxiv.org/abs/2501.05441")

_SIZES = tuple(2**i for i in range(3, 11))


class _Plan:
    """The widths of a network at all sizes, and the layers that follow from them.

    Args:
      network: The network, with its image shape and dtype policy.
      ch: See `Generator`, as for the other options.
      group_size: Number of channels in each group.
      full_width_size: Height of the largest feature map with the full width.
      blocks_per_size: Number of blocks at each size.

    Attributes:
      options: The four options by name.
      widths: Numbers of channels from 4 x 4 to the size of the image.
      exact_dtype: Dtype of the layers at 4 x 4 pixels, which never compute in half precision.
    """

    def __init__(
        self,
        network: base.Generator | base.Discriminator,
        ch: int,
        group_size: int,
        full_width_size: int,
        blocks_per_size: int,
    ):
        self.options = {
            "ch": ch,
            "group_size": group_size,
            "full_width_size": full_width_size,
            "blocks_per_size": blocks_per_size,
        }
        base.check_image_size(network.family, network.image_shape, _SIZES)
        network.check_positive(**self.options)
        # Groups have equally many channels at all sizes.
        factor = group_size // math.gcd(group_size, EXPANSION)
        self.widths = network.widths_by_size(SEED_SIZE, ch, full_width_size, factor)
        self.exact_dtype: str = network.dtype_policy.variable_dtype
        self._dtype, self._kernel_norm = network.dtype_policy, network.kernel_norm

    def blocks(self, size_index: int) -> list[keras.layers.Layer]:
        """The blocks of one size, of which 0 is 4 x 4."""
        num_blocks = self.options["blocks_per_size"]
        # A leaky ReLU's change of the variance, and that of a sum over all blocks.
        gain = math.sqrt(2 / (1 + 0.2**2)) * (num_blocks * len(self.widths)) ** -0.25
        return [
            Block(
                self.widths[size_index], self.options["group_size"], gain,
                spectral_norm=self._kernel_norm, name=f"stage{size_index}_block{i}",
                dtype=self._dtype if size_index else self.exact_dtype,
            )
            for i in range(num_blocks)
        ]  # fmt: skip

    def resamplings(self, up: bool) -> list[Resample]:
        """The resamplings between neighbouring sizes, smallest first."""
        return [
            Resample(
                up, small if up else large, large if up else small,
                spectral_norm=self._kernel_norm, name=f"stage{i}_{'up' if up else 'down'}",
            )
            for i, (small, large) in enumerate(itertools.pairwise(self.widths), start=1)
        ]  # fmt: skip

    def linear(self, units: int, name: str, gain: float = 1.0) -> Dense:
        """A linear map of vectors."""
        return Dense(
            units, use_bias=False, kernel_initializer=scaled_normal(gain), name=name,
            spectral_norm=self._kernel_norm, dtype=self.exact_dtype,
        )  # fmt: skip

    def pixelwise(self, filters: int, name: str) -> Conv2D:
        """A linear map of each pixel, to or from the image."""
        return Conv2D(
            filters, 1, use_bias=False, kernel_initializer=scaled_normal(), name=name,
            spectral_norm=self._kernel_norm,
        )  # fmt: skip


@base.network
class Generator(base.Generator):
    """R3GAN's generator: a learned 4 x 4 basis scaled by z and y, two blocks at each size.

    Its last layer is linear: images may leave [0, 1], see `base.Generator`. `G.spectral_norm`
    applies to all kernels; normalizations have no effect.

    Args:
      image_shape: (H, H, C), where H is a power of two from 8 to 1024.
      ch: Width up to `full_width_size`; each doubling of the size beyond it halves the width.
      group_size: Number of channels in each group of the 3 x 3 convolutions, which have twice the
        width. `ch` is such that this divides twice the width at every size.
      full_width_size: Height of the largest feature map with the full width.
      blocks_per_size: Number of blocks at each size.
      embed_y_dim: Dimension of the embedding of y; without effect if y is None.
      **kwargs: See `base.Generator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import r3gan
      >>> generator = r3gan.Generator((32, 32, 3), ch=8)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
    """

    unused_options = ("batch_norm_fn",)

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 768,
        group_size: int = 16,
        full_width_size: int = 32,
        blocks_per_size: int = 2,
        embed_y_dim: int = 64,
        **kwargs: Any,
    ):
        super().__init__(image_shape, **kwargs)
        self.plan = _Plan(self, ch, group_size, full_width_size, blocks_per_size)
        self.check_positive(embed_y_dim=embed_y_dim)
        self.embed_y_dim = embed_y_dim
        width, exact = self.plan.widths[0], self.plan.exact_dtype
        self.y_embedding = self.plan.linear(embed_y_dim, "embed_y")
        self.fc = self.plan.linear(width, "fc_noise")
        self.seed = Seed(width, stddev=1.0, name="seed", dtype=exact)
        trunk = self.plan.blocks(0)
        for i, up in enumerate(self.plan.resamplings(up=True), start=1):
            trunk += [up, *self.plan.blocks(i)]
        self.trunk = trunk
        self.to_rgb = self.plan.pixelwise(image_shape[2], "to_rgb")

    def call(self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None) -> Tensor:
        z, y = inputs
        if y is not None:
            embedded = self.y_embedding(y, training=training)
            z = ops.concatenate([ops.cast(z, embedded.dtype), embedded], axis=1)
        x = self.seed(self.fc(z, training=training))
        for layer in self.trunk:
            x = layer(x, training=training)
        return 0.5 * self.to_rgb(x, training=training) + 0.5

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self.plan.options | {"embed_y_dim": self.embed_y_dim}


@base.network
class Discriminator(base.Discriminator):
    """R3GAN's discriminator: the generator mirrored; a depthwise 4 x 4 convolution; projection.

    With labels, the logit is the inner product of a linear map of the features and an embedding of
    y, so that an image without a label (a row of zeros) has the logit 0. In half precision, logits
    and features are float32. `D.spectral_norm` applies to all kernels; normalizations have no
    effect.

    Args:
      image_shape: (H, H, C), where H is a power of two from 8 to 1024.
      ch: See `Generator`.
      group_size: See `Generator`.
      full_width_size: See `Generator`.
      blocks_per_size: See `Generator`.
      project_y: Whether the logits depend on y; without effect if y is None.
      **kwargs: See `base.Discriminator`.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import r3gan
      >>> discriminator = r3gan.Discriminator((32, 32, 3), ch=8)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 8))
    """

    unused_options = ("batch_norm_fn", "layer_norm")

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 768,
        group_size: int = 16,
        full_width_size: int = 32,
        blocks_per_size: int = 2,
        project_y: bool = True,
        **kwargs: Any,
    ):
        super().__init__(image_shape, **kwargs)
        self.plan = _Plan(self, ch, group_size, full_width_size, blocks_per_size)
        self.project_y = project_y
        self.from_rgb = self.plan.pixelwise(self.plan.widths[-1], "from_rgb")
        trunk = self.plan.blocks(0)
        for i, down in enumerate(self.plan.resamplings(up=False), start=1):
            trunk = [*self.plan.blocks(i), down, *trunk]
        self.trunk = trunk
        # A quarter is one over the root of the number of pixels.
        width, exact = self.plan.widths[0], self.plan.exact_dtype
        self.pool = Pool(width, stddev=1 / SEED_SIZE, name="pool", dtype=exact)

    def build(self, input_shape: tuple[TensorShape, TensorShape | None]) -> None:
        width, projects = self.plan.widths[0], self.project_y and input_shape[1] is not None
        self.fc = self.plan.linear(width if projects else 1, "fc")
        self.embedding = self.plan.linear(width, "embed_y", width**-0.5) if projects else None
        super().build(input_shape)

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, y = inputs
        x = self.from_rgb(2.0 * x - 1.0, training=training)
        for layer in self.trunk:
            x = layer(x, training=training)
        features = self.pool(x)
        logits = self.fc(features, training=training)
        if self.embedding is not None:
            embedded = self.embedding(y, training=training)
            logits = ops.sum(logits * embedded, axis=1, keepdims=True)
        return logits, features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | self.plan.options | {"project_y": self.project_y}
