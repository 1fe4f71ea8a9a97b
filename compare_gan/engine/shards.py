"""Variables as arrays of this process: copied to be saved, put together to be restored.

A JAX array may be spread over the devices of several hosts. Of the copies of a block, one counts as
the first (`replica_id` 0): the process that holds it saves it, so that every block is written once.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compare_gan.engine.checkpoint_files import Entry, Part, Reader, Region


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A copy of the variables at one step.

    Attributes:
      entries: All variables, with all their parts.
      file: The name of the file that this process has to write.
      arrays: The arrays in it by their keys, C-contiguous; none if others write everything.
      completes: Whether this process completes the checkpoint when all files are written.
    """

    entries: dict[str, Entry]
    file: str
    arrays: dict[str, np.ndarray]
    completes: bool


def is_divided(variables: Mapping[str, Any]) -> bool:
    """Whether this process holds only a part of some variable."""
    values = map(_jax_value, variables.values())
    return any(value is not None and not value.is_fully_addressable for value in values)


def snapshot(variables: Mapping[str, Any], process: int, file: Callable[[int], str]) -> Snapshot:
    """Copies variables to the memory of the host.

    Where the variables are divided, variables that every process holds whole belong to process 0,
    which also completes the checkpoint. Otherwise the caller writes everything: connected processes
    may each train a run of their own.

    Args:
      variables: Keras or TensorFlow variables by name, or others whose `numpy()` is a copy.
      process: Number of this process.
      file: From the number of a process to the name of the file that it writes.
    """
    first = 0 if is_divided(variables) else process
    values = {name: _value(variable) for name, variable in variables.items()}
    for value in values.values():
        for shard in _first_copies(value):
            shard.data.copy_to_host_async()  # All at once; they are collected below.
    entries, arrays = {}, {}
    for name, value in values.items():
        blocks = _blocks(value, process, first)
        whole = tuple(map(int, value.shape))
        parts = []
        for block in blocks:
            key = name
            if block.shape != whole:
                key = f"{name}@{','.join(map(str, block.start))}"
            parts.append(Part(file(block.process), key, block.start, block.shape))
            if block.array is not None:
                arrays[key] = block.array
        entries[name] = Entry(np.dtype(value.dtype).name, whole, tuple(parts))
    return Snapshot(entries, file(process), arrays, completes=process == first)


def names_not_finite(copy: Snapshot) -> list[str]:
    """The names of the variables with an infinite value or a NaN in the arrays of a snapshot."""
    names = [key.split("@", 1)[0] for key, array in copy.arrays.items() if not _is_finite(array)]
    return list(dict.fromkeys(names))


def _is_finite(array: np.ndarray) -> bool:
    if "float" not in array.dtype.name:  # NumPy does not count bfloat16 among its floats.
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        # A value that is not finite makes the sum so, and a sum is several times as fast as a test
        # of each value. A sum of large finite values may overflow.
        if np.isfinite(np.sum(array)):
            return True
    return bool(np.all(np.isfinite(array)))


def load(reader: Reader, name: str, variable: Any, cast: Callable[[np.ndarray], np.ndarray]) -> Any:
    """The saved value of a variable, to be assigned to it.

    Args:
      reader: An open checkpoint.
      name: Name of the variable.
      variable: The variable. Where it is spread over several devices, so is the result, and each
        process reads its own blocks.
      cast: Changes the dtype.
    """
    sharding = getattr(_jax_value(variable), "sharding", None)
    if sharding is None or len(sharding.device_set) == 1:
        return cast(reader.read(name))
    import jax

    def read(region: Region | None) -> np.ndarray:
        return cast(reader.read(name, region))

    return jax.make_array_from_callback(reader.variables[name].shape, sharding, read)


@dataclasses.dataclass(frozen=True)
class _Block:
    """A block of a variable; `array` is its content if this process writes it."""

    start: tuple[int, ...]
    shape: tuple[int, ...]
    process: int
    array: np.ndarray | None


def _jax_value(variable: Any) -> Any:
    """The JAX array of a variable; None for other variables."""
    value = getattr(variable, "value", None)  # A method of TensorFlow's own variables.
    return value if hasattr(value, "global_shards") else None


def _value(variable: Any) -> Any:
    """The JAX array of a variable, or a copy of its value."""
    value = _jax_value(variable)
    if value is not None:
        return value
    # Keras's own `numpy` would copy TensorFlow's copy.
    numpy = getattr(getattr(variable, "value", None), "numpy", variable.numpy)
    return np.asarray(numpy(), order="C")


def _first_copies(value: Any) -> list[Any]:
    """The shards of a JAX array on this process's devices, without further copies."""
    return [each for each in getattr(value, "addressable_shards", ()) if each.replica_id == 0]


def _blocks(value: Any, process: int, first: int) -> list[_Block]:
    if isinstance(value, np.ndarray):
        return [_whole(value, process, first)]
    if value.is_fully_addressable:
        array = np.empty(value.shape, value.dtype)
        for shard in _first_copies(value):
            array[shard.index] = shard.data
        return [_whole(array, process, first)]
    blocks = []
    for shard in value.global_shards:
        if shard.replica_id == 0:
            bounds = [i.indices(n)[:2] for i, n in zip(shard.index, value.shape, strict=True)]
            # Not `asarray`: training goes on to use the memory of the array.
            content = None if shard.data is None else np.array(shard.data, order="C")
            start = tuple(low for low, _ in bounds)
            shape = tuple(high - low for low, high in bounds)
            blocks.append(_Block(start, shape, shard.device.process_index, content))
    return blocks


def _whole(array: np.ndarray, process: int, first: int) -> _Block:
    """All of a variable that this process holds whole: the process `first` writes it."""
    start = (0,) * array.ndim
    return _Block(start, array.shape, first, array if process == first else None)
