"""The devices of a run: a mesh over all of them, and the processes of a cluster."""

import contextlib
import dataclasses
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from compare_gan.engine.device_count import set_wanted_devices, wanted_devices
from compare_gan.engine.interface import Peers, Strategy
from compare_gan.errors import UserError
from compare_gan.interruption import ends_at_once
from compare_gan.peers import meet

_log = logging.getLogger(__name__)

_BATCH = "batch"  # The only axis of the mesh.
# Variables with the number of processes that a launcher has started, and those by which JAX finds
# the other processes: a batch job of Slurm has the first, but only `srun` starts processes.
_LAUNCHERS = {
    "SLURM_NTASKS": "SLURM_STEP_NODELIST",
    "OMPI_COMM_WORLD_SIZE": "OMPI_MCA_orte_hnp_uri",
}
# `peers` notices earlier that a process does not answer, and says it in one sentence.
_HEARTBEAT_SECONDS = 300
# A process that has ended waits for the others: the first may evaluate for hours.
_SHUTDOWN_SECONDS = 7 * 24 * 3600


@dataclasses.dataclass(frozen=True)
class Devices:
    """The devices of a run: they share each batch, and each holds the whole state or a part of it.

    Attributes:
      mesh: The devices, of one or several processes, along one axis.
      shard_state: Whether weights, optimizer state and averages are divided among the devices, as
        far as their shapes allow, instead of repeated on each.

    Example:
      >>> from compare_gan.engine.jax import make_strategy  # doctest: +SKIP
      >>> make_strategy("one_device").num_replicas_in_sync  # doctest: +SKIP
      1
    """

    mesh: Mesh
    shard_state: bool = False

    @property
    def num_replicas_in_sync(self) -> int:
        """The number of devices."""
        return self.mesh.size

    @property
    def processes(self) -> list[int]:
        """The processes that take part, in the order of their parts of a batch."""
        return sorted({device.process_index for device in self.mesh.devices.flat})

    def scope(self) -> contextlib.AbstractContextManager:
        """A context that does nothing: variables are placed when the loop begins."""
        return contextlib.nullcontext()

    @property
    def replicated(self) -> NamedSharding:
        """The placement of an array that each device has whole."""
        return NamedSharding(self.mesh, PartitionSpec())

    def split(self, axis: int | None) -> NamedSharding:
        """The placement of an array that devices share along an axis; None = each has it whole."""
        if axis is None:
            return self.replicated
        return NamedSharding(self.mesh, PartitionSpec(*[None] * axis, _BATCH))

    def of_state(self, shape: Sequence[int]) -> NamedSharding:
        """The placement of a variable: its longest axis is shared, if it can be divided equally."""
        axes = [axis for axis, size in enumerate(shape) if size and size % self.mesh.size == 0]
        if not self.shard_state or not axes:
            return self.replicated
        return self.split(max(axes, key=lambda axis: shape[axis]))


def make_strategy(
    distribution: str = "auto",
    single_core: bool = False,
    shard_state: bool = False,
    alone: bool = False,
) -> Devices:
    """The devices for a `run_config.distribution`.

    `auto` means all devices of all processes. In a cluster it connects the processes first, which
    must come before any other JAX operation of the process: under Slurm (`srun`) and Open MPI 4,
    and with `tpu` on Cloud TPU, JAX finds the others itself; elsewhere COORDINATOR_ADDRESS,
    NUM_PROCESSES and PROCESS_ID say where they are.

    Args:
      distribution: `auto`, `one_device`, `mirrored`, `multi_worker` or `tpu`.
      single_core: Use one device, whatever `distribution` says.
      shard_state: Divide weights, optimizer state and averages among the devices.
      alone: Leave the other processes out.

    Raises:
      UserError: There is no such cluster or no TPU, or a variable of the environment is wrong.
    """
    if single_core:
        distribution = "one_device"
    if alone and distribution == "multi_worker":
        distribution = "auto"
    if distribution in ("auto", "multi_worker") and not alone:
        connect(os.environ)
    elif distribution == "tpu" and not alone:
        # Also finds the hosts of a slice that only the machine's metadata name.
        with contextlib.suppress(UserError):
            connect(os.environ, launched=True)
    if distribution == "multi_worker" and jax.process_count() == 1:
        raise UserError(
            "run_config.distribution is 'multi_worker' but there is one process: set "
            "COORDINATOR_ADDRESS, NUM_PROCESSES and PROCESS_ID, or start with srun or mpirun."
        )
    if distribution == "tpu" and _all_devices()[0].platform != "tpu":
        raise UserError(
            f"run_config.distribution is 'tpu', but JAX runs on {jax.devices()[0].platform}."
        )
    devices = _all_devices()
    if distribution == "one_device":
        devices = jax.local_devices()[:1]
    elif distribution == "mirrored" or jax.process_count() == 1:
        devices = _wanted(jax.local_devices())
    elif wanted_devices():
        by_process: dict[int, list[jax.Device]] = {}
        for device in devices:
            by_process.setdefault(device.process_index, []).append(device)
        devices = [device for own in by_process.values() for device in _wanted(own)]
    if len(devices) > 1:
        processes = len({device.process_index for device in devices})
        _log.info(
            "JAX trains on %d %s devices%s%s.",
            len(devices),
            devices[0].platform,
            f" of {processes} processes" if processes > 1 else "",
            ", which share the state" if shard_state else "",
        )
    return Devices(Mesh(np.array(devices), (_BATCH,)), shard_state)


def _all_devices() -> list[jax.Device]:
    try:
        return jax.devices()
    except (AssertionError, RuntimeError) as error:
        platforms = os.environ.get("JAX_PLATFORMS", "")
        first = str(error).strip().split("\n", 1)[0].rstrip(".") or "it has no such platform"
        raise UserError(
            f"JAX finds no devices (JAX_PLATFORMS is '{platforms}'): {first}; GPUs need "
            '`pip install "jax[cuda12]"`.'
        ) from error


def connect(environment: Mapping[str, str], launched: bool = False) -> None:
    """Connects this process to the others of its job, unless it is alone or connected already.

    Args:
      environment: The variables of the environment.
      launched: Whether to let JAX look for the others even if no variable names a launcher.

    Raises:
      LostProcessError: Another process has not come within five minutes.
      UserError: A variable is missing or not a number, or the others do not answer.
    """
    if jax.distributed.is_initialized():
        return
    address = environment.get("COORDINATOR_ADDRESS")
    arguments: dict[str, Any] = {}
    if address:
        if not re.fullmatch(r".+:\d+", address):
            raise UserError(f"COORDINATOR_ADDRESS must be HOST:PORT, received '{address}'.")
        count, index = _number("NUM_PROCESSES", environment), _number("PROCESS_ID", environment)
        if not 0 <= index < count:
            raise UserError(
                f"PROCESS_ID must be from 0 to {count - 1}, as NUM_PROCESSES is {count}; "
                f"received {index}."
            )
        arguments = {
            "coordinator_address": address,
            "num_processes": count,
            "process_id": index,
            "heartbeat_timeout_seconds": _HEARTBEAT_SECONDS,
        }
        meet(address, index, [f"Process {i}" for i in range(count)], ends_with_first=True)
    elif launched or _is_launched(environment):
        _log.info("Waiting for the other processes of this run (at most five minutes).")
    else:
        return
    # JAX's own handler of SIGTERM would swallow the signal until `fit` installs another.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        with ends_at_once("not all processes of this run have come"):
            jax.distributed.initialize(**arguments, shutdown_timeout_seconds=_SHUTDOWN_SECONDS)
    except (RuntimeError, ValueError) as error:
        first = str(error).strip().split("\n", 1)[0].rstrip(".")
        raise UserError(
            f"The processes of this job cannot be connected: {first}; "
            "run_config.distribution = 'mirrored' uses the devices of this one."
        ) from error


def _number(name: str, environment: Mapping[str, str]) -> int:
    value = environment.get(name, "")
    if not value.isdecimal():
        raise UserError(
            f"COORDINATOR_ADDRESS is set, so {name} must be a number, received '{value}'."
        )
    return int(value)


def _is_launched(environment: Mapping[str, str]) -> bool:
    """Whether a launcher has started several processes that JAX can connect by itself."""
    several = any(
        environment.get(count, "1") not in ("", "1") and environment.get(others)
        for count, others in _LAUNCHERS.items()
    )
    tpu_hosts = environment.get("TPU_WORKER_HOSTNAMES", "")
    return several or "," in tpu_hosts or environment.get("MEGASCALE_NUM_SLICES", "1") != "1"


def is_chief(strategy: Strategy) -> bool:
    """Whether this process writes files: the only one, or the first of several."""
    assert isinstance(strategy, Devices)
    return jax.process_index() == strategy.processes[0]


def on_host() -> bool:
    """Whether the devices compute in the memory of this process, as CPUs do."""
    return jax.default_backend() == "cpu"


def on_several_hosts(strategy: Strategy) -> bool:
    """Whether this process is one of several that train together."""
    assert isinstance(strategy, Devices)
    return len(strategy.processes) > 1


def expects_several_hosts(distribution: str = "auto", single_core: bool = False) -> bool:
    """Whether `make_strategy` would connect this process to others; nothing is connected.

    Args:
      distribution: See `make_strategy`.
      single_core: See `make_strategy`.
    """
    if single_core or distribution not in ("auto", "multi_worker", "tpu"):
        return False
    if os.environ.get("COORDINATOR_ADDRESS"):
        return _number("NUM_PROCESSES", os.environ) > 1
    return _is_launched(os.environ)


def agree_on(value: int, strategy: Strategy) -> int:
    """The integer of the first process, in all processes; each has to call this.

    Args:
      value: A number from 0 to 2³¹ - 1.
      strategy: The devices of the run.
    """
    return int(of_first(np.int32(value), strategy))


def of_first(values: Any, strategy: Strategy) -> np.ndarray:
    """Integers of the first process, in all processes; each has to call this with the same shape.

    Args:
      values: Numbers from 0 to 2³¹ - 1, an array or a scalar of NumPy.
      strategy: The devices of the run.
    """
    if not on_several_hosts(strategy):
        return np.asarray(values)
    return np.asarray(multihost_utils.broadcast_one_to_all(values.astype(np.int32)))


def use_devices(count: int) -> None:
    """Limits this process to so many devices: accelerators, or else logical devices of the CPU.

    Has to be called before any operation of JAX.

    Raises:
      UserError: There are accelerators, but fewer, or JAX has found its devices already.
    """
    set_wanted_devices(count)
    with contextlib.suppress(RuntimeError):  # JAX has started: the devices are counted below.
        jax.config.update("jax_num_cpu_devices", count)


def _wanted(devices: list[jax.Device]) -> list[jax.Device]:
    """As many of the devices of this process as `use_devices` says."""
    count = wanted_devices() or len(devices)
    if count > len(devices):
        kind = "CPUs" if devices[0].platform == "cpu" else f"{devices[0].platform.upper()}s"
        raise UserError(f"--devices is {count}, but this process has {len(devices)} {kind}.")
    return devices[:count]


def accelerators() -> list[str]:
    """Names of the GPUs and TPU cores of this process.

    Example:
      >>> from compare_gan import engine
      >>> engine.accelerators()  # doctest: +SKIP
      ['NVIDIA H200']
    """
    return [device.device_kind for device in jax.local_devices() if device.platform != "cpu"]


def peers(strategy: Strategy) -> Peers:
    """The devices that share work outside of training, such as evaluation."""
    assert isinstance(strategy, Devices)
    own = [d for d in strategy.mesh.devices.flat if d.process_index == jax.process_index()]
    if strategy.num_replicas_in_sync == 1:
        return Peers()

    def gather_block(block: np.ndarray) -> np.ndarray:
        everywhere = multihost_utils.process_allgather(block)
        return np.asarray(everywhere).reshape(-1, block.shape[1])

    processes = strategy.processes
    index = processes.index(jax.process_index())
    return Peers(tuple(own), index, len(processes), gather_block)
