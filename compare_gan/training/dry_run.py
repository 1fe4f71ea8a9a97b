"""`compare_gan train --dry-run`: a description of a run, without running it."""

from collections.abc import Iterable

import keras
import numpy as np

from compare_gan import config, engine
from compare_gan.gans import ModularGAN
from compare_gan.training.experiment import Experiment
from compare_gan.training.state import HostInteger, TrainState


def describe(experiment: Experiment) -> str:
    """The resolved config, the parameter counts of both networks and the estimated memory."""
    experiment.check()
    experiment.check_labels(None)
    gan = experiment.make_gan()
    state = TrainState(gan, seed=0, optimization=experiment.options.optimization)
    counts = {
        "generator": _count(gan.generator_variables),
        "discriminator": _count(gan.discriminator_variables),
    }
    stored = sum(_bytes(variable) for variable in state.variables().values())
    gradients = 4 * max(counts.values())
    activations = _activation_bytes(gan, experiment.options.batch_size)
    dataset = experiment.dataset
    lines = [
        config.operative_text().rstrip(),
        "",
        f"data set        {dataset.name}, images {'x'.join(map(str, dataset.image_shape))}, "
        f"{dataset.num_train:,} to train on, {dataset.num_classes or 'no'} classes",
        *(f"{name:<15} {count:,} parameters" for name, count in counts.items()),
        f"memory          about {_mebibytes(stored + gradients + activations)} at batch size "
        f"{experiment.options.batch_size}: {_mebibytes(stored)} variables and optimizer state, "
        f"{_mebibytes(gradients)} gradients, {_mebibytes(activations)} activations",
    ]
    return "\n".join(lines)


def _activation_bytes(gan: ModularGAN, batch_size: int) -> int:
    """Memory of the tensors in the forward pass of a step, in bytes.

    An upper bound of the memory that the backward pass needs; see `engine.activation_bytes`.
    """

    def spec(*shape: int, dtype: str = "float32") -> keras.KerasTensor:
        return keras.KerasTensor(shape, dtype)

    batch = {
        "images": spec(batch_size, *gan.image_shape),
        "z": spec(batch_size, gan.z_dim),
        "seed": spec(2, dtype="int32"),
    }
    if gan.num_classes:
        batch["labels"] = batch["fake_labels"] = spec(batch_size, gan.num_classes)
    return max(
        engine.activation_bytes(
            lambda b, f: gan.discriminator_loss(b, f).total, batch, batch["images"]
        ),
        engine.activation_bytes(lambda b: gan.generator_loss(b).total, batch),
    )


def _count(variables: Iterable[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def _bytes(variable: keras.Variable | HostInteger) -> int:
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return int(np.prod(variable.shape)) * np.dtype(dtype).itemsize


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
