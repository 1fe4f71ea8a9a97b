"""One eager training step of a GAN on TensorFlow, and the logits that the discriminator gives."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
import tiny_gans

from compare_gan.gans import ModularGAN
from compare_gan.losses import non_saturating
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep


class Step(NamedTuple):
    """What a step did.

    Attributes:
      values: What it logs, by name.
      moved: Paths of the kernels that it changed.
    """

    values: dict[str, float]
    moved: set[str]


def take(gan: ModularGAN) -> Step:
    """Makes the second step of a training: tracing a graph would take longer than it does."""
    state = TrainState(gan, seed=0, optimization=OptimizationOptions())
    state.step.assign(1)  # After LeCam's start.
    step, kernels = TrainStep(state), kernels_of(gan.generator_variables)
    kernels |= kernels_of(gan.discriminator_variables)
    before = {path: kernel.numpy() for path, kernel in kernels.items()}
    found = step(as_tensors(tiny_gans.make_batch(gan.image_shape))).numpy()
    moved = {p for p, kernel in kernels.items() if not np.array_equal(kernel.numpy(), before[p])}
    return Step(dict(zip(step.names, found.tolist(), strict=True)), moved)


def assert_trained(gan: ModularGAN, step: Step, unused: frozenset[str] = frozenset()) -> None:
    """All values are finite, and all kernels of both networks moved, but for the unused ones."""
    assert np.isfinite(list(step.values.values())).all(), step.values
    assert step.values["gradient_norm/generator"] > 0
    assert step.values["gradient_norm/discriminator"] > 0
    variables = gan.generator_variables + gan.discriminator_variables
    assert kernels_of(variables).keys() - step.moved == unused


def kernels_of(variables: list[keras.Variable]) -> dict[str, keras.Variable]:
    """The kernels among the variables of a network, by path, in the order of its layers."""
    return {v.path: v for v in variables if v.name == "kernel"}


class Logits(NamedTuple):
    """Logits [b, 1], of a U-Net [b, 1 + n], before any update.

    Attributes:
      real: Of real images, in a discriminator step.
      fake: Of generated images there.
      fake_of_generator: Of generated images in a generator step.
    """

    real: np.ndarray
    fake: np.ndarray
    fake_of_generator: np.ndarray


def logits(networks: tiny_gans.Networks, **options: Any) -> Logits:
    """The logits from which a GAN with these options computes its losses."""
    seen: list[tuple[Any, Any]] = []

    def recorded(d_real_logits, d_fake_logits):
        seen.append((d_real_logits.numpy(), d_fake_logits.numpy()))
        return non_saturating(d_real_logits, d_fake_logits)

    batch = sub_batch(networks.generator.image_shape)
    gan = tiny_gans.make_gan(networks, loss=recorded, **options)
    optimized = gan.optimized(batch)
    gan.discriminator_loss(optimized, gan.fakes(optimized))
    networks.reset()
    gan.generator_loss(gan.optimized(batch))
    [(real, fake), (_, fake_of_generator)] = seen
    return Logits(real, fake, fake_of_generator)


def sub_batch(image_shape: tuple[int, int, int]) -> dict[str, tf.Tensor]:
    """The first sub-batch of a step, images in [0, 1]."""
    batch = {name: value[0] for name, value in tiny_gans.make_batch(image_shape).items()}
    return as_tensors({**batch, "images": np.float32(batch["images"] / 255)})


def as_tensors(batch: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(value) for name, value in batch.items()}
