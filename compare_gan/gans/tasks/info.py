"""InfoGAN: images that reveal the codes in their latents."""

import math
from typing import Any

import keras
from keras import ops

from compare_gan import registry
from compare_gan.datasets import InfoCodes
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.gans.tasks.base import AuxiliaryTask, Head, Seen
from compare_gan.gans.tasks.labelled import agreements, cross_entropies
from compare_gan.gans.terms import LossTerms
from compare_gan.layers import Dense, leaky_relu
from compare_gan.schedules import Scheduled, check_range, value_at
from compare_gan.types import Tensor

# The smallest variance: a code that images reveal exactly would have an infinite likelihood.
_LEAST_VARIANCE = 1e-6
_SLOPE = 0.1  # Of the leaky ReLU.


@registry.register("task", "info", paper="https://arxiv.org/abs/1606.03657")
class InfoTask(AuxiliaryTask):
    """Maximises the mutual information of images and codes (InfoGAN, Chen et al., 2016).

    A head predicts the codes from the discriminator's features of a generated image: a distribution
    over the values of each categorical code, a normal distribution for each continuous one. Both
    networks minimise the negative log-likelihood of the codes, so that the generator learns to show
    them: a lower bound of the mutual information, up to a constant. No labels are needed.

    The codes are coordinates of the latent, see `datasets.InfoCodes`. In configs, where
    `info_codes.categories` and `info_codes.continuous` choose them, draw latents whose categorical
    codes are one-hot with `z.distribution_fn = @info_codes()` and `eval_z.distribution_fn =
    @info_codes()`; the task works with other latents too.

    Paper: https://arxiv.org/abs/1606.03657 (weight 1, smaller for continuous codes where their
    likelihood dominates; hidden layer of 128 units, in the paper with batch norm).

    Args:
      codes: The codes; None = `InfoCodes()`.
      weight: Weight of the term of categorical codes in both losses, a number or a schedule.
      weight_continuous: Weight of the term of continuous codes, likewise.
      hidden: Number of units of the head's hidden layer.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.datasets import InfoCodes
      >>> from compare_gan.gans.tasks import InfoTask
      >>> task = InfoTask(InfoCodes(categories=(10,), continuous=2))
      >>> task.make_head(spectral_norm=False).units  # 10 logits, 2 means, 2 deviations.
      14
    """

    name = "info"

    def __init__(
        self,
        codes: InfoCodes | None = None,
        weight: Scheduled = 1.0,
        weight_continuous: Scheduled = 1.0,
        hidden: int = 128,
    ):
        check_range("info.weight", weight)
        check_range("info.weight_continuous", weight_continuous)
        check_positive_integer("info.hidden", hidden)
        self.codes = InfoCodes() if codes is None else codes
        if not isinstance(self.codes, InfoCodes):
            raise UserError(f"info.codes must be @info_codes(), received {codes!r}.")
        self.weight = weight
        self.weight_continuous = weight_continuous
        self.hidden = hidden

    def check(
        self, image_shape: tuple[int, int, int], num_classes: int | None, z_dim: int = 128
    ) -> None:
        self.codes.check(z_dim)

    def make_head(self, spectral_norm: bool) -> keras.layers.Layer:
        units = sum(self.codes.categories) + 2 * self.codes.continuous
        return InfoHead(units, self.hidden, spectral_norm, name="discriminator_info")

    def discriminator_terms(
        self, real: Seen, fake: Seen, z: Tensor | None = None, step: Any = 0
    ) -> LossTerms:
        return self._terms(fake, z, step, "discriminator")

    def generator_terms(self, fake: Seen, z: Tensor | None = None, step: Any = 0) -> LossTerms:
        return self._terms(fake, z, step, "generator")

    def _terms(self, fake: Seen, z: Tensor | None, step: Any, network: str) -> LossTerms:
        assert z is not None
        # Constants: latents that the GAN optimizes must not move towards their prediction.
        categorical, continuous = self.codes.split(ops.stop_gradient(ops.convert_to_tensor(z)))
        total, parts, measures = 0.0, {}, {}
        if categorical:
            loss, accuracy = _categorical(fake.outputs, categorical)
            total = total + value_at(self.weight, step) * loss
            parts[f"info_categorical_{network}"] = loss
            measures[f"info_accuracy_{network}"] = accuracy
        if self.codes.continuous:
            loss = _continuous(fake.outputs[:, sum(self.codes.categories) :], continuous)
            total = total + value_at(self.weight_continuous, step) * loss
            parts[f"info_continuous_{network}"] = loss
        return LossTerms(total, parts, measures)


def _categorical(outputs: Tensor, codes: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Sum over the codes of the mean cross-entropy, and the accuracy over all of them."""
    losses, correct, start = [], [], 0
    for code in codes:
        logits = outputs[:, start : start + code.shape[1]]
        losses.append(cross_entropies(logits, code))
        correct.append(agreements(logits, code))
        start += code.shape[1]
    return ops.mean(sum(losses)), ops.mean(ops.stack(correct))


def _continuous(outputs: Tensor, values: Tensor) -> Tensor:
    """Sum over the codes of the mean negative log-likelihood under normal distributions.

    Args:
      outputs: Float [b, 2 * count]: means, then logarithms of standard deviations.
      values: Float [b, count].
    """
    count = values.shape[1]
    mean, log_deviation = outputs[:, :count], outputs[:, count:]
    variance = ops.exp(2.0 * log_deviation) + _LEAST_VARIANCE
    losses = ops.log(2.0 * math.pi * variance) + ops.square(values - mean) / variance
    return 0.5 * ops.mean(ops.sum(losses, axis=1))


@keras.saving.register_keras_serializable("compare_gan")
class InfoHead(keras.layers.Layer):
    """A hidden layer with a leaky ReLU and a dense layer: [n, f] -> [n, units], float32.

    Args:
      units: Size of the output.
      hidden: Size of the hidden layer.
      spectral_norm: Whether both kernels are spectrally normalized.
      name: Name of the scope.
    """

    def __init__(
        self, units: int, hidden: int, spectral_norm: bool = False, name: str | None = None
    ):
        super().__init__(name=name)
        self.units, self.num_hidden, self.spectral_norm = units, hidden, spectral_norm
        self.hidden = Dense(hidden, spectral_norm=spectral_norm, name="hidden")
        self.codes = Head(units, "dense", spectral_norm, name="codes")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.hidden.build(input_shape)
        self.codes.build((None, self.num_hidden))

    def call(self, features: Tensor, training: bool | None = None) -> Tensor:
        hidden = leaky_relu(self.hidden(features, training=training), _SLOPE)
        return self.codes(hidden, training=training)

    def get_config(self) -> dict[str, Any]:
        return {
            "units": self.units,
            "hidden": self.num_hidden,
            "spectral_norm": self.spectral_norm,
            "name": self.name,
        }
