"""The compiled loop over training steps, and the arrays that feed it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax.experimental import multihost_utils

from compare_gan.backend.compiled import jax_value
from compare_gan.backend.scopes import Scope
from compare_gan.engine.interface import MakeBatches, Step, Strategy
from compare_gan.engine.jax.distribution import Devices, agree_on, is_chief, make_strategy
from compare_gan.engine.stages import Stages

Batch = dict[str, np.ndarray]

# Limits of a chunk: the batches that go to the devices together, for one call of the compiled
# function.
_STEPS_PER_CHUNK = 50
_BYTES_PER_CHUNK = 2**26


class Loop:
    """Steps that run one after the other in compiled code, on all devices.

    Between calls the variables have their current values. The next call overwrites those arrays:
    copy whatever must outlive it.

    Args:
      step: One training step, see `engine.Step`.
      make_batches: From (number of processes, [index of this process]) to an endless iterable of
        dicts of arrays: this process's part of each batch. Called when the first step runs.
      strategy: The devices of the run; one device if None.
      jit_compile: Ignored: a step is always compiled.
      context: Makes the context manager in which the loop is called, and so traced.

    Attributes:
      step: One training step.
      strategy: The devices of the run.
      is_chief: Whether this process writes files; True unless it is one of several.
      iterator: The iterator over batches; None until the first step runs. Can be replaced, for
        example by a benchmark.
      stages: Record of how long the start took: `data`, `trace` and `compile`.
    """

    def __init__(
        self,
        step: Step,
        make_batches: MakeBatches,
        strategy: Strategy | None = None,
        jit_compile: bool | None = None,
        context: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext,
    ):
        strategy = strategy or make_strategy("one_device")
        assert isinstance(strategy, Devices)
        self.step = step
        self.strategy = strategy
        self.is_chief = is_chief(strategy)
        self.iterator: Iterator[Batch] | None = None
        self._make_batches = make_batches
        self._context = context
        self._variables = _unique(step.state_variables())
        self._shardings = [strategy.of_state(variable.shape) for variable in self._variables]
        # The arrays on the devices after the last call, and the values that variables got of them.
        self._arrays: list[jax.Array] = []
        self._published: list[Any] = []
        self._function: Any = None
        self.stages = Stages()
        self._is_compiled = False
        self._capacity = 0

    def run(self, num_steps: int) -> dict[str, np.ndarray]:
        """Runs steps in compiled code.

        Returns:
          Each value's course over the steps, by name, float32 [num_steps]; shorter if a value was
          not finite: the last entry is then that step's.
        """
        if num_steps < 1:
            return {}
        if self.iterator is None:
            processes = self.strategy.processes
            part = processes.index(jax.process_index())
            with self.stages.stage("data", "Preparing the batches"):
                self.iterator = iter(self._make_batches(len(processes), [part]))
        try:
            with self._context():
                history = self._run(self.iterator, num_steps)
        except BaseException:
            self.iterator = None  # Nobody knows which batch would be next.
            raise
        return dict(zip(self.step.names, history.T, strict=True))

    def any_worker(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all processes call this at the same step."""
        if len(self.strategy.processes) == 1:
            return flag
        return bool(multihost_utils.process_allgather(np.array(flag)).any())

    def of_chief(self, value: int) -> int:
        """The chief's number, from 0 to 2²⁴, in all processes; all of them call this."""
        return agree_on(value, self.strategy)

    @contextlib.contextmanager
    def local_state(self) -> Iterator[None]:
        """A context in which each process can use the variables alone; all enter it together.

        State that is divided among processes is gathered in the memory of each host, because a
        device may be too small for it.
        """
        divided = [
            (variable, value)
            for variable, value in zip(self._variables, self._published, strict=False)
            if not value.is_fully_addressable
        ]
        for variable, value in divided:
            whole = multihost_utils.process_allgather(value, tiled=True)
            variable.assign(jax.device_put(whole, _host_device()))
        try:
            yield
        finally:
            for variable, value in divided:
                variable.assign(value)

    def _run(self, iterator: Iterator[Batch], num_steps: int) -> np.ndarray:
        chunk = [next(iterator)]
        if self._function is None:
            # Whatever this call asks for: the next ones may be longer.
            self._capacity = self._steps_per_chunk(chunk[0])
            self._function = self._make_function()
        values = self._values_on_devices()
        finite = self._put(np.array(True), None)
        histories: list[tuple[jax.Array, jax.Array]] = []
        left = num_steps
        try:
            while left:
                count = min(left, self._capacity)
                chunk += [next(iterator) for _ in range(count - len(chunk))]
                batches = self._stack(chunk)
                # The devices work while this process assembles the next chunk, but no further
                # ahead. Without a loop of its own, a chunk begins only if the last was finite.
                ahead = 1 if self._capacity == 1 else 2
                if len(histories) >= ahead:
                    histories[-ahead][1].block_until_ready()
                if self._capacity == 1 and not bool(finite):
                    break
                arguments = (values, finite, batches, self._put(np.array(count, np.int32), None))
                run = self._function if self._is_compiled else self._first_call
                values, finite, history, done = run(*arguments)
                histories.append((history, done))
                chunk, left = [], left - count
        finally:
            # Also after an error: the arrays that variables had before are overwritten.
            self._publish(values)
        if not bool(finite):
            self.iterator = None  # It is ahead of the last step.
        return np.concatenate([np.asarray(history)[: int(done)] for history, done in histories])

    def _first_call(self, *arguments: Any) -> Any:
        """Calls the compiled function for the first time, which takes long, and shows that."""
        with self.stages.stage("trace", "Tracing the training step"):
            self._function.trace(*arguments)  # The call uses this trace.
        with self.stages.stage("compile", "Compiling the training step"):
            results = jax.block_until_ready(self._function(*arguments))
        self._is_compiled = True
        return results

    def _steps_per_chunk(self, batch: Batch) -> int:
        """The number of steps in one call of the compiled function, at most."""
        if self.strategy.mesh.devices.flat[0].platform == "cpu":
            return 1  # XLA's convolutions on CPUs are up to 100 times as slow within a loop.
        size = sum(np.asarray(entry).nbytes for entry in batch.values())
        return max(1, min(_STEPS_PER_CHUNK, _BYTES_PER_CHUNK // max(size, 1)))

    def _make_function(self) -> Any:
        """The compiled loop over the steps of a chunk; it stops after a value that is not finite.

        From (values, whether all was finite before, batches, their number) to (values, whether all
        was finite, history float32 [capacity, number of values], number of steps done).
        """
        step, variables, capacity = self.step, self._variables, self._capacity

        @jax.jit  # Traced once: for the shape of the result, and in the loop.
        def pure(values: list[Any], batch: dict[str, Any]) -> tuple[list[Any], Any]:
            with Scope(zip(variables, values, strict=True)) as scope:
                row = step(batch)
            _check_listed(scope.assigned, variables)
            new = [scope.get_current_value(variable) for variable in variables]
            return [n.astype(v.dtype) for n, v in zip(new, values, strict=True)], row

        def single(values: list[Any], finite: Any, batches: dict[str, Any], count: Any) -> Any:
            values, row = pure(values, {name: entry[0] for name, entry in batches.items()})
            return values, jnp.all(jnp.isfinite(row)), row[None], count

        def loop(values: list[Any], finite: Any, batches: dict[str, Any], count: Any) -> Any:
            def body(carry: Any) -> Any:
                done, values, _, history = carry
                batch = {
                    name: jax.lax.dynamic_index_in_dim(entry, done, keepdims=False)
                    for name, entry in batches.items()
                }
                values, row = pure(values, batch)
                history = history.at[done].set(row)
                return done + 1, values, jnp.all(jnp.isfinite(row)), history

            row = jax.eval_shape(pure, values, {name: e[0] for name, e in batches.items()})[1]
            history = jnp.zeros([capacity, *row.shape])
            done, values, finite, history = jax.lax.while_loop(
                lambda carry: (carry[0] < count) & carry[2],
                body,
                (jnp.zeros_like(count), values, finite, history),
            )
            return values, finite, history, done

        whole = self.strategy.replicated
        return jax.jit(
            single if capacity == 1 else loop,
            donate_argnums=0,
            out_shardings=(self._shardings, whole, whole, whole),
        )

    def _stack(self, chunk: Sequence[Batch]) -> dict[str, jax.Array]:
        """The batches of a chunk on the devices, filled up to the capacity."""
        stacked = {}
        for name in chunk[0]:
            entries = [np.asarray(batch[name]) for batch in chunk]
            whole = np.zeros([self._capacity, *entries[0].shape], entries[0].dtype)
            np.stack(entries, out=whole[: len(entries)])
            axis = self.step.batch_axis(name)
            stacked[name] = self._put(whole, None if axis is None else axis + 1)
        return stacked

    def _put(self, array: np.ndarray, axis: int | None) -> jax.Array:
        """An array on the devices, of this process's part along an axis."""
        sharding = self.strategy.split(axis)
        return jax.make_array_from_process_local_data(sharding, array)

    def _values_on_devices(self) -> list[jax.Array]:
        """The values of all variables, in arrays that no one else holds: the loop reuses them."""
        known = dict(zip(map(id, self._published), self._arrays, strict=True))
        values = []
        for variable, sharding in zip(self._variables, self._shardings, strict=True):
            value = jax_value(variable)
            array = known.get(id(value))
            if array is None and not value.is_fully_addressable:
                array = value  # A restored part of divided state.
            elif array is None:  # Assigned since the last call, for example by a checkpoint.
                parts = np.array(value).__getitem__
                array = jax.make_array_from_callback(variable.shape, sharding, parts)
            values.append(array)
        return values

    def _publish(self, arrays: list[jax.Array]) -> None:
        """Gives the variables their new values."""
        self._arrays = arrays
        self._published = [_published(array) for array in arrays]
        for variable, value in zip(self._variables, self._published, strict=True):
            variable.assign(value)


def _check_listed(assigned: list[keras.Variable], listed: list[keras.Variable]) -> None:
    known = set(map(id, listed))
    missing = [variable.path for variable in assigned if id(variable) not in known]
    if missing:
        raise ValueError(
            f"The step assigns {', '.join(missing)}, which `state_variables` does not list."
        )


def _host_device() -> jax.Device:
    """The CPU, unless JAX_PLATFORMS excludes it."""
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return jax.local_devices()[0]


def _published(array: jax.Array) -> jax.Array:
    """An array in the form in which a variable has it: of this process alone, unless divided."""
    divided = not array.is_fully_addressable and not array.is_fully_replicated
    return array if divided or array.is_fully_addressable else array.addressable_data(0)


def _unique(variables: Sequence[keras.Variable]) -> list[keras.Variable]:
    return list({id(variable): variable for variable in variables}.values())
