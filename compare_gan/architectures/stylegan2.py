"""StyleGAN2: images from styles that scale the channels of each layer, 8 x 8 to 1024 x 1024.

https://arxiv.org/abs/1912.04958. The defaults are those of its configuration F; for CIFAR-10
(https://arxiv.org/abs/2006.06676) see `example_configs/stylegan2_cifar10.gin`.
"""

import math
from typing import Any

from keras import ops

from compare_gan.architectures import base
from compare_gan.architectures.stylegan2_blocks import (
    ACTIVATION_GAIN,
    CONNECTIONS,
    SEED_SIZE,
    Synthesis,
    Trunk,
)
from compare_gan.errors import check_range, unknown_name
from compare_gan.layers import (
    EqualizedConv2D,
    EqualizedDense,
    MinibatchStddev,
    StyleMapping,
    leaky_relu,
)
from compare_gan.types import NoiseSource, Tensor

base.register_family(__name__, paper="https://arxiv.org/abs/1912.04958")

_SIZES = tuple(2**i for i in range(3, 11))


def _widths(
    network: base.Generator | base.Discriminator, ch: int, full_width_size: int
) -> list[int]:
    """The number of channels at each size, from 4 x 4 up, after a check of the options."""
    base.check_image_size(network.family, network.image_shape, _SIZES)
    network.check_positive(ch=ch, full_width_size=full_width_size)
    return network.widths_by_size(SEED_SIZE, ch, full_width_size)


def _check_connections(network_class: type, connections: str) -> None:
    if connections not in CONNECTIONS:
        option = base.option_name(network_class, "connections")
        raise unknown_name(option, connections, CONNECTIONS)


@base.network
class Generator(base.Generator):
    """StyleGAN2's generator: a mapping network, then modulated convolutions from 4 x 4 up.

    The mapping network makes a style w from z and y; at each layer, w determines scales of the
    channels. In training, and with draws, each layer adds new noise to each image; otherwise the
    noise is that which the layer has saved, so that images follow from z and y. In training, some
    images have the styles of another latent from some layer on (style mixing).

    z should be standard normal (`z.distribution_fn = @tf.random.normal`, and `eval_z`). As in the
    paper the output has no bounds, see `base.Generator`. Besides the call, `styles` and
    `synthesize` are its two halves.

    Args:
      image_shape: (H, H, C), where H is a power of two from 8 to 1024.
      ch: Width: number of channels up to `full_width_size` pixels, and, if `w_dim` is None, of w.
      full_width_size: Size from which on the number of channels is halved with each doubling.
      w_dim: Dimension of w and width of the mapping network; None for `ch`.
      mapping_layers: Number of its layers; 2 for CIFAR-10.
      connections: `skip`: each size adds to the image; `resnet`: residual blocks; `plain`: neither.
      style_mixing: Probability with which an image mixes the styles of two latents in training;
        0.9 in the paper, 0 for CIFAR-10, and for latents with codes (the task `info`).
      truncation_cutoff: Number of layers whose styles truncation affects; None for all.
      **kwargs: See `base.Generator`; normalizations and spectral norm have no effect.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import stylegan2
      >>> generator = stylegan2.Generator((32, 32, 3), ch=4)
      >>> z, y = ops.ones((2, 16)), ops.one_hot(ops.array([0, 4]), 10)
      >>> tuple(generator((z, y)).shape)
      (2, 32, 32, 3)
      >>> styles = generator.styles(z, y, truncation=0.7)
      >>> tuple(styles.shape), tuple(generator.synthesize(styles).shape)
      ((2, 8, 4), (2, 32, 32, 3))
    """

    unused_options = ("batch_norm_fn", "spectral_norm")

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 512,
        full_width_size: int = 64,
        w_dim: int | None = None,
        mapping_layers: int = 8,
        connections: str = "skip",
        style_mixing: float = 0.9,
        truncation_cutoff: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(image_shape, **kwargs)
        widths = _widths(self, ch, full_width_size)
        self.check_positive(w_dim=w_dim or ch, mapping_layers=mapping_layers)
        _check_connections(type(self), connections)
        check_range(base.option_name(type(self), "style_mixing"), style_mixing, 0, 1)
        if truncation_cutoff is not None:
            check_range(base.option_name(type(self), "truncation_cutoff"), truncation_cutoff)
        self.ch, self.full_width_size = ch, full_width_size
        self.w_dim, self.mapping_layers = w_dim, mapping_layers
        self.connections = connections
        self.style_mixing = style_mixing
        self.truncation_cutoff = truncation_cutoff
        # Styles decide about all channels of a layer: they are computed in full precision.
        self.mapping = StyleMapping(
            w_dim or ch, mapping_layers, name="mapping", dtype=self.dtype_policy.variable_dtype
        )
        self.synthesis = Synthesis(widths, image_shape[2], connections, name="synthesis")

    def styles(
        self,
        z: Tensor,
        y: Tensor | None = None,
        training: bool | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """The styles of each layer, float32 [batch, num_styles, w_dim].

        Args:
          z: Float [batch, z_dim].
          y: Float [batch, num_classes]; None if unconditional.
          training: Whether to update the average style.
          truncation: Distance of w from the average style, relative to that without truncation;
            less variety and cleaner images below 1.
        """
        return self._by_layer(self.mapping(z, y, training=training), truncation)

    def synthesize(self, styles: Tensor, draws: NoiseSource | None = None) -> Tensor:
        """The images of styles, float [batch, H, H, C] which may leave [0, 1].

        Args:
          styles: Float [batch, num_styles, w_dim].
          draws: Random numbers for the noise; None for the noise that the layers have saved.
        """
        noises = None
        if draws is not None:
            noises = self.synthesis.draw_noises(draws, styles.shape[0])
        return 0.5 * self.synthesis(styles, noises) + 0.5

    def call(
        self,
        inputs: tuple[Tensor, Tensor | None],
        training: bool | None = None,
        draws: NoiseSource | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        z, y = inputs
        styles = self.styles(z, y, training, truncation)
        if training and draws is not None and self.style_mixing:
            styles = self._mixed(styles, z, y, draws)
        return self.synthesize(styles, draws if training else None)

    def _by_layer(self, w: Tensor, truncation: float) -> Tensor:
        num = self.synthesis.num_styles
        styles = ops.repeat(w[:, None], num, axis=1)
        if truncation == 1:
            return styles
        cutoff = num if self.truncation_cutoff is None else self.truncation_cutoff
        average = ops.cast(self.mapping.average, w.dtype)
        factors = [truncation if i < cutoff else 1.0 for i in range(num)]
        return average + (styles - average) * ops.reshape(ops.array(factors, w.dtype), (1, num, 1))

    def _mixed(self, styles: Tensor, z: Tensor, y: Tensor | None, draws: NoiseSource) -> Tensor:
        """Replaces the styles from a random layer on by those of other, normal latents."""
        batch, num = styles.shape[0], self.synthesis.num_styles
        others = self.styles(ops.cast(draws.normal(z.shape), z.dtype), y)
        mixes, place = draws.uniform((batch, 1, 1)), draws.uniform((batch, 1, 1))
        first = 1 + ops.floor(place * (num - 1))  # From 1 to num - 1.
        first = ops.where(mixes < self.style_mixing, first, float(num))
        layers = ops.reshape(ops.arange(num, dtype="float32"), (1, num, 1))
        return ops.where(layers < first, styles, others)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "ch": self.ch,
            "full_width_size": self.full_width_size,
            "w_dim": self.w_dim,
            "mapping_layers": self.mapping_layers,
            "connections": self.connections,
            "style_mixing": self.style_mixing,
            "truncation_cutoff": self.truncation_cutoff,
        }


@base.network
class Discriminator(base.Discriminator):
    """StyleGAN2's discriminator: convolutions down to 4 x 4, minibatch standard deviation, dense.

    Without labels the logit is a linear function of the features; with labels it is the projection
    of such functions onto the output of a mapping network of the label.

    Args:
      image_shape: (H, H, C), where H is a power of two from 8 to 1024.
      ch: Width: number of channels up to `full_width_size` pixels.
      full_width_size: Size from which on the number of channels is halved with each doubling.
      connections: `resnet`: residual blocks; `skip`: each size sees the image; `plain`: neither,
        for CIFAR-10.
      group_size: Size of the groups over which standard deviations are computed; 32 for CIFAR-10.
        See `layers.MinibatchStddev`.
      project_y: Whether to use y; without effect if it is None.
      mapping_layers: Number of layers of the mapping network of y.
      **kwargs: See `base.Discriminator`; normalizations and spectral norm have no effect.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from keras import ops
      >>> from compare_gan.architectures import stylegan2
      >>> discriminator = stylegan2.Discriminator((32, 32, 3), ch=4)
      >>> x, y = ops.ones((2, 32, 32, 3)), ops.one_hot(ops.array([0, 4]), 10)
      >>> logits, features = discriminator((x, y))
      >>> tuple(logits.shape), tuple(features.shape)
      ((2, 1), (2, 4))
    """

    unused_options = ("batch_norm_fn", "layer_norm", "spectral_norm")

    def __init__(
        self,
        image_shape: base.ImageShape,
        ch: int = 512,
        full_width_size: int = 64,
        connections: str = "resnet",
        group_size: int = 4,
        project_y: bool = True,
        mapping_layers: int = 8,
        **kwargs: Any,
    ):
        super().__init__(image_shape, **kwargs)
        widths = _widths(self, ch, full_width_size)
        self.check_positive(group_size=group_size, mapping_layers=mapping_layers)
        _check_connections(type(self), connections)
        self.ch, self.full_width_size = ch, full_width_size
        self.connections = connections
        self.group_size = group_size
        self.project_y, self.mapping_layers = project_y, mapping_layers
        self.trunk = Trunk(widths, connections, name="trunk")
        self.stddev = MinibatchStddev(group_size, name="stddev")
        self.conv = EqualizedConv2D(ch, 3, gain=ACTIVATION_GAIN, name="conv")
        self.fc = EqualizedDense(ch, gain=ACTIVATION_GAIN, name="fc")
        self.out: Any = None
        self.mapping: Any = None

    def build(self, input_shape: tuple[Any, Any]) -> None:
        projects = self.project_y and input_shape[1] is not None
        self.out = EqualizedDense(self.ch if projects else 1, name="out", dtype=self.dtype_policy)
        if projects:
            self.mapping = StyleMapping(
                self.ch, self.mapping_layers, average_decay=None, name="mapping",
                dtype=self.dtype_policy.variable_dtype,
            )  # fmt: skip
        super().build(input_shape)

    def call(
        self, inputs: tuple[Tensor, Tensor | None], training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x, y = inputs
        x = self.stddev(self.trunk(2 * x - 1))
        x = leaky_relu(self.conv(x))
        features = leaky_relu(self.fc(base.flatten(x)))
        logits = self.out(features)
        if self.mapping is not None:
            directions = ops.cast(self.mapping(y=y), logits.dtype)
            logits = ops.sum(logits * directions, axis=1, keepdims=True) / math.sqrt(self.ch)
        return logits, features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "ch": self.ch,
            "full_width_size": self.full_width_size,
            "connections": self.connections,
            "group_size": self.group_size,
            "project_y": self.project_y,
            "mapping_layers": self.mapping_layers,
        }
