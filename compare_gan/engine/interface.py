"""The interface that both engines share: one training step, its update, the devices, the loop."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import keras
import numpy as np

from compare_gan.types import Tensor

Aux = TypeVar("Aux")

# From the number of parts of a batch, and the parts to make, to batches: an endless iterable that
# yields for each step one batch for each of those parts, in turn. TensorFlow's engine takes a
# `tf.data.Dataset` with one part for each replica, JAX's an iterable of NumPy arrays with one part
# for each process.
MakeBatches = Callable[[int, list[int]], Any]


@dataclasses.dataclass(frozen=True)
class Update(Generic[Aux]):
    """The outcome of one update on this replica.

    Attributes:
      loss: The loss before the update, a scalar.
      aux: The second value that the loss function returned.
      gradient_norm: Norm of all gradients together, scaled as if the replica were alone.
      loss_scale: The dynamic loss scale of this update; None without one.

    Example:
      >>> import keras
      >>> from compare_gan import engine
      >>> weight, sgd = keras.Variable(3.0), keras.optimizers.SGD(0.1)
      >>> done = engine.update(lambda: (weight.value**2, None), [weight], sgd)
      >>> type(done).__name__, float(done.loss)
      ('Update', 9.0)
    """

    loss: Tensor
    aux: Aux
    gradient_norm: Tensor
    loss_scale: Tensor | None


class PeakBytes(NamedTuple):
    """The most memory that a function's intermediate results take at one time, in bytes.

    Attributes:
      in_order: If operations run in the order in which the function makes them.
      on_host: If they run in the order in which the engine runs them on CPUs: on TensorFlow as soon
        as their inputs are there. In a backward pass, for example, the gradients of the kernels
        then wait until those of the inputs are there, and more results are needed at one time.

    Example:
      >>> from compare_gan import engine
      >>> engine.PeakBytes(in_order=8, on_host=12).on_host
      12
    """

    in_order: int
    on_host: int


class Step(Protocol):
    """One training step."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the values that a step returns, known once it has been traced."""

    def __call__(self, batch: Any) -> Tensor:
        """From one batch to float32 [len(names)]; runs on each replica."""

    def state_variables(self) -> Sequence[keras.Variable]:
        """All variables that a step reads or changes. Only JAX asks for them."""

    def batch_axis(self, name: str) -> int | None:
        """The axis of an entry of the batch that devices share; None = all need the whole entry.

        Only JAX asks for it.
        """


class Strategy(Protocol):
    """The devices of a run."""

    @property
    def num_replicas_in_sync(self) -> int:
        """The number of devices that share a batch."""

    def scope(self) -> contextlib.AbstractContextManager:
        """The context in which variables are created."""


def _alone(block: np.ndarray) -> np.ndarray:
    return block


@dataclasses.dataclass(frozen=True)
class Peers:
    """The devices of this process that share work outside of training, and the other processes.

    Attributes:
      devices: The devices of this process, for `backend.on_device`; as many in each process.
      index: The number of this process among those of the run, from 0; the first one writes.
      count: The number of processes.
      gather_block: From int32 [len(devices), n] of this process to int32 [all devices, n] of all
        processes, in their order; each has to call it, with the same n.

    Example:
      >>> import numpy as np
      >>> from compare_gan import engine
      >>> alone = engine.Peers()
      >>> alone.num_devices, alone.any(False), alone.gather({"x": np.ones([1, 2])})["x"].tolist()
      (1, False, [[1.0, 1.0]])
    """

    devices: tuple[Any, ...] = (None,)
    index: int = 0
    count: int = 1
    gather_block: Callable[[np.ndarray], np.ndarray] = _alone

    @property
    def num_devices(self) -> int:
        """The number of devices of all processes."""
        return len(self.devices) * self.count

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; each has to call this."""
        if self.count == 1:
            return flag
        return bool(self.gather_block(np.full([len(self.devices), 1], flag, np.int32)).any())

    def agree_on(self, value: int) -> int:
        """The integer of the first process, in all processes; each has to call this."""
        if self.count == 1:
            return value
        return int(self.gather_block(np.full([len(self.devices), 1], value, np.int32))[0, 0])

    def gather(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Arrays of all devices, from those of this process's; each process has to call this.

        Args:
          arrays: Arrays [len(devices), …] by name, of the same shapes and dtypes everywhere.

        Returns:
          Arrays [num_devices, …], equal bit by bit, in the order of processes and devices.
        """
        if self.count == 1:
            return dict(arrays)
        rows = [np.ascontiguousarray(value).view(np.uint8) for value in arrays.values()]
        flat = [row.reshape(len(self.devices), -1) for row in rows]
        block = np.concatenate(flat, axis=1)
        width = block.shape[1]
        # Collective operations know numbers of four bytes on every kind of device.
        block = np.pad(block, [(0, 0), (0, -width % 4)]).view(np.int32)
        everywhere = np.ascontiguousarray(self.gather_block(block)).view(np.uint8)[:, :width]
        ends = np.cumsum([part.shape[1] for part in flat])[:-1]
        parts = np.split(everywhere, ends, axis=1)
        return {
            name: np.ascontiguousarray(part).view(value.dtype).reshape(-1, *value.shape[1:])
            for (name, value), part in zip(arrays.items(), parts, strict=True)
        }


ALONE = Peers()


class LoopLike(Protocol):
    """Steps that run one after the other in compiled code; see `Loop`."""

    step: Step
    is_chief: bool
    iterator: Any

    def run(self, num_steps: int) -> dict[str, np.ndarray]:
        """Runs steps; returns each value's course over them."""

    def any_worker(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""

    def of_chief(self, value: int) -> int:
        """The chief's number, from 0 to 2²⁴, in all processes; all of them call this."""

    def local_state(self) -> contextlib.AbstractContextManager:
        """A context in which each process can use the variables alone; all enter it together."""


def as_float(images: Tensor) -> Tensor:
    """Images in [0, 1]: bytes are moved to the device as bytes and become float32 there.

    Example:
      >>> import keras, numpy as np
      >>> from compare_gan import engine
      >>> images = engine.as_float(keras.ops.array([0, 51, 255], dtype="uint8"))
      >>> np.asarray(images).round(3).tolist()
      [0.0, 0.20000000298023224, 1.0]
    """
    if keras.backend.standardize_dtype(images.dtype) == "uint8":
        return keras.ops.cast(images, "float32") / 255.0
    return images
