"""The memory that a training needs: of a device, and of the process."""

import dataclasses
import resource
import sys

import keras
import numpy as np

from compare_gan import engine
from compare_gan.training.convolution_forms import ConvolutionForms
from compare_gan.training.experiment import Experiment
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep
from compare_gan.training.trainer import tracing

# The trace of the step (80 to 100 MiB), the optimized and compiled step, the pipeline of batches,
# and the memory pools of threads.
_RUNTIME_BYTES = 2**27 + 90 * 2**20


@dataclasses.dataclass(frozen=True)
class MemoryEstimate:
    """The memory that a training needs, in bytes.

    Attributes:
      variables: Weights, averages and optimizer state, on each device.
      gradients: Gradients of the larger network, on each device.
      activations: The other results of a step at its peak, on each device.
      process: The memory of the process on the host; on CPUs all of the above is in it.
    """

    variables: int
    gradients: int
    activations: int
    process: int

    @property
    def device(self) -> int:
        """The memory of a device."""
        return self.variables + self.gradients + self.activations


def estimate_memory(
    experiment: Experiment, state: TrainState, forms: ConvolutionForms, num_devices: int = 1
) -> MemoryEstimate:
    """Estimates the memory of a training from the trace of its step.

    The memory that this process takes already, with its modules and networks, is measured.

    Args:
      experiment: The experiment.
      state: A state that was made for it; it does not change.
      forms: The forms of its convolutions, which are chosen here if they have not been before.
      num_devices: Number of devices that share a batch.
    """
    variables = sum(_bytes(variable) for variable in state.variables().values())
    if experiment.run_config.shard_state:
        variables //= num_devices
    networks = (state.gan.generator_variables, state.gan.discriminator_variables)
    gradients = max(sum(map(_bytes, network)) for network in networks)
    # Read before the trace, in which convolutions are measured, unless their times are cached.
    process = resident_bytes() + _RUNTIME_BYTES + variables  # The copy that is being saved.
    step = TrainStep(state, experiment.run_config.microbatches)
    with tracing(experiment, forms):
        peak = engine.peak_bytes(step, _batch(experiment, state, num_devices))
    activations = max(0, peak.in_order - gradients)
    if engine.on_host():  # Logical devices are all in this process.
        process += num_devices * peak.on_host + (num_devices - 1) * variables
    return MemoryEstimate(variables, gradients, activations, process)


def resident_bytes() -> int:
    """The memory of this process; where only that is known, the most that it has had."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:  # Not Linux: kibibytes, bytes on macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _batch(
    experiment: Experiment, state: TrainState, num_devices: int
) -> dict[str, keras.KerasTensor]:
    """The shapes and dtypes of one device's part of a batch."""
    options, gan = experiment.options, state.gan
    size = options.batch_size // num_devices

    def spec(*shape: int, dtype: str = "float32") -> keras.KerasTensor:
        return keras.KerasTensor((options.disc_iters + 1, *shape), dtype)

    batch = {
        "images": spec(size, *gan.image_shape, dtype="uint8"),
        "z": spec(size, gan.z_dim),
        "seed": spec(2, dtype="int32"),
    }
    if gan.num_classes:
        batch["labels"] = batch["fake_labels"] = spec(size, gan.num_classes)
    return batch


def _bytes(variable: object) -> int:
    dtype = keras.backend.standardize_dtype(variable.dtype)  # type: ignore[attr-defined]
    return int(np.prod(variable.shape)) * np.dtype(dtype).itemsize  # type: ignore[attr-defined]
