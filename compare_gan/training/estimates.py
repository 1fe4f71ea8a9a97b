"""Estimates of the disk space and the time that a run takes, made before it begins."""

import dataclasses
import os
import shutil
import time

import keras
import numpy as np
from keras import ops

from compare_gan import backend, engine
from compare_gan.gans import ModularGAN
from compare_gan.training.experiment import Experiment
from compare_gan.training.state import HostInteger, TrainState

_GRID = 100  # Images in a grid of samples.
_SIDE = 1024  # Of the matrices whose product is timed.


@dataclasses.dataclass(frozen=True)
class DiskEstimate:
    """The disk space of a run, in bytes.

    Attributes:
      checkpoints: Number of checkpoints that are there at most, one of which is being replaced.
      checkpoint: Size of a checkpoint.
      grids: Number of grids of samples.
      grid: Size of a grid, without compression.
    """

    checkpoints: int
    checkpoint: int
    grids: int
    grid: int

    @property
    def total(self) -> int:
        """The sum of all files."""
        return self.checkpoints * self.checkpoint + self.grids * self.grid


def estimate_disk(experiment: Experiment, state_bytes: int) -> DiskEstimate:
    """The disk space that the checkpoints and pictures of a run take.

    Args:
      experiment: The experiment.
      state_bytes: Size of all variables that a checkpoint holds, in bytes.

    Example:
      >>> from compare_gan import config
      >>> from compare_gan.training import Experiment
      >>> from compare_gan.training.estimates import estimate_disk
      >>> config.parse(
      ...     ["s3gan_fashion_mnist"],
      ...     ["options.training_steps = 100", "run_config.save_checkpoints_steps = 40"],
      ... )
      >>> estimate_disk(Experiment.from_gin(), state_bytes=1000).checkpoints
      4
    """
    steps, run_config = experiment.options.training_steps, experiment.run_config
    saved = 1 + -(-steps // run_config.save_checkpoints_steps)  # The first is of step 0.
    sample_steps = run_config.sample_steps or run_config.save_checkpoints_steps
    return DiskEstimate(
        checkpoints=min(saved, run_config.keep_checkpoint_max + 1),
        checkpoint=state_bytes,
        grids=2 + -(-steps // sample_steps),  # One of real images, one is there twice.
        grid=_GRID * int(np.prod(experiment.dataset.image_shape)),
    )


def stored_bytes(state: TrainState) -> int:
    """The size of all variables that a checkpoint holds.

    Args:
      state: The state of a training.
    """
    return sum(_bytes(variable) for variable in state.variables().values())


def _bytes(variable: keras.Variable | HostInteger) -> int:
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return int(np.prod(variable.shape)) * np.dtype(dtype).itemsize


def free_bytes(path: str) -> int:
    """The free space on the disk of a path, which need not exist."""
    path = os.path.abspath(path)
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def step_operations(gan: ModularGAN, batch_size: int) -> int:
    """The multiplications and additions of a generator step, about.

    Those of convolutions and matrix products. A gradient with respect to the inputs of a layer, or
    to its weights, takes as many as the layer itself; the generator's step needs the former alone
    of the discriminator.

    Args:
      gan: The GAN.
      batch_size: Global batch size.
    """
    batch = batch_specs(gan, batch_size)
    discriminator = engine.count_operations(
        lambda b, f: gan.discriminator_loss(b, f).total, batch, batch["images"]
    )
    generator = engine.count_operations(lambda b: gan.fakes(b), batch)
    generator_loss = engine.count_operations(lambda b: gan.generator_loss(b).total, batch)
    judged = max(0, generator_loss - generator)
    d_step = generator + 3 * discriminator
    return gan.disc_iters * d_step + 3 * generator + 2 * judged


def batch_specs(gan: ModularGAN, batch_size: int) -> dict[str, keras.KerasTensor]:
    """Shapes and dtypes of a sub-batch, by the names of its entries."""

    def spec(*shape: int, dtype: str = "float32") -> keras.KerasTensor:
        return keras.KerasTensor(shape, dtype)

    batch = {
        "images": spec(batch_size, *gan.image_shape),
        "z": spec(batch_size, gan.z_dim),
        "seed": spec(2, dtype="int32"),
    }
    if gan.num_classes:
        batch["labels"] = batch["fake_labels"] = spec(batch_size, gan.num_classes)
    return batch


def operations_per_second(seconds: float = 0.5) -> float:
    """The rate of multiplications and additions that a product of matrices reaches here.

    Args:
      seconds: Duration of the measurement, at least.
    """
    matrix = ops.convert_to_tensor(np.ones([_SIDE, _SIDE], np.float32) / _SIDE)
    product = backend.compiled(lambda a: ops.matmul(a, a), [])
    np.asarray(ops.convert_to_numpy(product(matrix)))
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        result = matrix
        for _ in range(4):
            result = product(result)
        np.asarray(ops.convert_to_numpy(result[:1, :1]))
        count += 4
    return 2 * _SIDE**3 * count / (time.perf_counter() - started)
