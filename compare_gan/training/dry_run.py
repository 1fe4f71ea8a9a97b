"""`compare_gan train --dry-run`: a description of a run, without running it."""

from collections.abc import Iterable

import keras
import numpy as np

from compare_gan import config
from compare_gan.training.experiment import Experiment
from compare_gan.training.memory import estimate_memory
from compare_gan.training.state import TrainState
from compare_gan.training.trainer import make_strategy


def describe(experiment: Experiment) -> str:
    """The resolved config, the parameter counts of both networks and the estimated memory."""
    devices = make_strategy(experiment.run_config).num_replicas_in_sync
    experiment.check(devices)
    experiment.check_labels(None)
    gan = experiment.make_gan()
    state = TrainState(gan, seed=0, optimization=experiment.options.optimization)
    counts = {
        "generator": _count(gan.generator_variables),
        "discriminator": _count(gan.discriminator_variables),
    }
    memory = estimate_memory(experiment, state, devices)
    share = f"{experiment.options.batch_size} images"
    if devices > 1:
        share = (
            f"{experiment.options.batch_size // devices} of {share} on each of {devices} devices"
        )
    if (parts := experiment.run_config.microbatches) > 1:
        share += f" in {parts} microbatches"
    dataset = experiment.dataset
    lines = [
        config.operative_text().rstrip(),
        "",
        f"data set        {dataset.name}, images {'x'.join(map(str, dataset.image_shape))}, "
        f"{dataset.num_train:,} to train on, {dataset.num_classes or 'no'} classes",
        *(f"{name:<15} {count:,} parameters" for name, count in counts.items()),
        f"memory          about {_mebibytes(memory.device)} for {share}: "
        f"{_mebibytes(memory.variables)} variables and optimizer state, "
        f"{_mebibytes(memory.gradients)} gradients, {_mebibytes(memory.activations)} activations",
        f"process         about {_mebibytes(memory.process)} of this machine's memory",
    ]
    return "\n".join(lines)


def _count(variables: Iterable[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
