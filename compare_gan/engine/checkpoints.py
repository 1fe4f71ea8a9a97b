"""Checkpoints of a run: saved whole, restored from the newest that can be read."""

import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from compare_gan.engine.background import Background
from compare_gan.engine.checkpoint_files import (
    CheckpointReader,
    DamagedCheckpointError,
    Reader,
    dtype_of,
)
from compare_gan.engine.checkpoint_folder import is_complete, list_checkpoints, step_of, tidy
from compare_gan.engine.checkpoint_writer import CheckpointWriter
from compare_gan.engine.processes import process_index
from compare_gan.engine.progress import announced
from compare_gan.engine.shards import Snapshot, is_divided, load, names_not_finite, snapshot
from compare_gan.errors import UserError

if TYPE_CHECKING:
    from compare_gan.engine.tensorflow_checkpoints import TensorFlowReader

_log = logging.getLogger(__name__)


class State(Protocol):
    """The variables of a training.

    Attributes:
      step: Integer variable, the number of finished steps.
    """

    step: Any

    def variables(self) -> Mapping[str, Any]:
        """All variables, `step` among them, by a stable name.

        Keras variables, or other objects with `shape`, `dtype`, `numpy` and `assign`.
        """


@dataclasses.dataclass(frozen=True)
class StateCopy:
    """A copy of a state for one checkpoint.

    Attributes:
      step: Number of finished steps.
      arrays: The variables, as far as this process writes them; None if the step is saved already.
    """

    step: int
    arrays: Snapshot | None

    @property
    def not_finite(self) -> list[str]:
        """The names of the variables that are not finite, among those that this process writes."""
        return [] if self.arrays is None else names_not_finite(self.arrays)


class Checkpoints:
    """The checkpoints of one training.

    `save` copies the variables, and a thread writes them while training goes on: first the arrays,
    to a new file, then the index, which completes the checkpoint. Both are flushed to disk and then
    renamed: a process killed at any moment leaves the checkpoints before intact. An error of the
    thread is raised by the next call of a method.

    Where JAX arrays are divided among several processes, which must see the same folder, each calls
    `save` and writes the blocks that it holds; the first one writes the index when all are there.
    Where a process holds everything, the one that calls `save` writes alone, whatever its number.

    Args:
      state: The variables to save and restore.
      folder: The folder of the checkpoints; made when one is saved. One training at a time may
        save there.
      keep_max: The number of newest checkpoints to keep, without damaged ones; None = all.
      before_saving: Called before anything is written; an error that it raises prevents that.
      on_missing: Called with the names of the variables that a restored checkpoint lacks, which
        keep their values; None = a checkpoint must not lack any.

    Example:
      >>> import keras, tempfile, types
      >>> from compare_gan import engine
      >>> step = keras.Variable(7, dtype="int32")
      >>> state = types.SimpleNamespace(step=step, variables=lambda: {"step": step})
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     checkpoints = engine.Checkpoints(state, folder)
      ...     path = checkpoints.save()
      ...     checkpoints.wait()
      ...     _ = step.assign(0)
      ...     restored = engine.Checkpoints(state, folder).restore_newest()
      >>> engine.step_of(restored), int(step)
      (7, 7)
    """

    def __init__(
        self,
        state: State,
        folder: str,
        keep_max: int | None = None,
        before_saving: Callable[[], None] = lambda: None,
        on_missing: Callable[[Sequence[str]], None] | None = None,
    ):
        self._on_missing = on_missing
        self._folder = folder
        self._before_saving = before_saving
        self._step = state.step
        self._variables = dict(state.variables())
        # The step and path that the state was last saved to or restored from.
        self._current: tuple[int, str] | None = None
        self._before_save: tuple[int, str] | None = None
        self._newest = -1  # The newest step in the folder at that time.
        self._background = Background("checkpoint")
        self._writer = CheckpointWriter(folder, keep_max)

    @property
    def step(self) -> int:
        """The number of finished steps of the state."""
        return int(self._step.numpy())

    @property
    def newest_step(self) -> int:
        """The step of the newest complete checkpoint in the folder; -1 without any."""
        return max(map(step_of, list_checkpoints(self._folder)), default=-1)

    @property
    def collective(self) -> bool:
        """Whether every process has to call `save`, and the one that writes files is not enough."""
        return is_divided(self._variables)

    def copy(self) -> StateCopy:
        """Copies the state to save it, unless its step is saved already.

        Raises:
          OSError: The save before could not be written.
        """
        self.wait()
        self._before_saving()
        step = self.step
        if self._current is not None and self._current[0] == step:
            return StateCopy(step, None)
        names = self._writer.next_files(self.collective)
        return StateCopy(step, snapshot(self._variables, process_index(), names))

    def save(self, copy: StateCopy | None = None) -> str:
        """Saves the state under its step, unless that is done already; returns the path.

        The files are written in the background, see `wait`.

        Args:
          copy: Result of `copy`; None = a new one.

        Raises:
          OSError: The save before could not be written.
        """
        copy = copy or self.copy()
        if copy.arrays is None:
            assert self._current is not None
            return self._current[1]
        # A damaged checkpoint of this step, from before a restart, is written anew.
        step, path = copy.step, os.path.join(self._folder, f"step-{copy.step}")
        self._background.start(functools.partial(self._writer.write, step, path, copy.arrays))
        self._before_save, self._current = self._current, (step, path)
        self._newest = max(self.newest_step, step)
        return path

    def wait(self) -> None:
        """Waits until the checkpoint that is being saved is complete, in all processes.

        Raises:
          OSError: It could not be written.
        """
        try:
            with announced("Waiting until the last checkpoint is on disk"):
                self._background.wait()
        except Exception:
            self._current = self._before_save
            raise

    def resume(self) -> None:
        """Restores the newest checkpoint that can be read, unless one was saved or restored before.

        It is restored nevertheless if another process has saved a newer one since.

        Raises:
          UserError: See `restore_newest`.
        """
        self.wait()
        if self._current is None or self.newest_step > self._newest:
            restored = self.restore_newest()
            if restored:
                _log.info("Resuming from %s.", restored)

    def tidy(self) -> None:
        """Removes what processes that died while saving have left.

        Only the process that trains may call this; `save` does it too.
        """
        # Of a training of several processes, another one may be saving the step already.
        tidy(self._folder, except_for=os.path.join(self._folder, f"step-{self.step}"))

    def restore_newest(self) -> str | None:
        """Restores the newest checkpoint that can be read; returns its path, None without any.

        Raises:
          UserError: There are checkpoints and none can be read, or they are of another model.
        """
        self.wait()
        damaged: set[str] = set()
        while paths := [p for p in list_checkpoints(self._folder) if p not in damaged]:
            try:
                self.restore(paths[-1])
            except DamagedCheckpointError as error:
                # A training may have removed it meanwhile, after saving a newer one.
                if paths[-1] in list_checkpoints(self._folder):
                    _log.warning("%s Falling back to the one before.", error)
                    damaged.add(paths[-1])
                    self._writer.note_damage(paths[-1])
                continue
            return paths[-1]
        if damaged:
            raise UserError(
                f"None of the {len(damaged)} checkpoints in '{self._folder}' can be read."
            )
        return None

    def restore(self, path: str) -> None:
        """Restores one checkpoint: all variables, or none if it raises an error.

        Integers of another size are converted: engines count steps in different ones.

        Raises:
          DamagedCheckpointError: Its files cannot be read.
          UserError: It belongs to a model with other variables or shapes.
        """
        self.wait()
        newest = self.newest_step
        with _open(path) as reader:
            restored, missing = dict(self._variables), []
            if self._on_missing is not None:
                missing = [name for name in restored if name not in reader.variables]
                restored = {name: v for name, v in restored.items() if name not in missing}
            for name, variable in restored.items():
                _check(path, reader, name, variable)
            values = {}
            for name, variable in restored.items():
                convert = functools.partial(_converted, path, name, _dtype(variable))
                values[name] = load(reader, name, variable, convert)
        for name, variable in restored.items():
            variable.assign(values.pop(name))
        if missing and self._on_missing is not None:
            _log.warning(
                "Checkpoint '%s' lacks %d variables, which start from their initial values: %s.",
                path,
                len(missing),
                ", ".join(missing[:3]) + (", …" if len(missing) > 3 else ""),
            )
            self._on_missing(missing)
        self._current, self._newest = (self.step, path), newest


def read_checkpoint(path: str) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint by the names of the variables.

    Args:
      path: A path from `list_checkpoints`.

    Raises:
      DamagedCheckpointError: Its files cannot be read.
      UserError: It needs TensorFlow, which is not installed, or a newer version of this library.

    Example:
      >>> import keras, tempfile, types
      >>> from compare_gan import engine
      >>> step = keras.Variable(7, dtype="int32")
      >>> state = types.SimpleNamespace(step=step, variables=lambda: {"step": step})
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     checkpoints = engine.Checkpoints(state, folder)
      ...     path = checkpoints.save()
      ...     checkpoints.wait()
      ...     engine.read_checkpoint(path)
      {'step': array(7, dtype=int32)}
    """
    with _open(path) as reader:
        return {name: reader.read(name) for name in reader.variables}


def _open(path: str) -> "CheckpointReader | TensorFlowReader":
    if not is_complete(path) and os.path.isfile(f"{path}.index"):
        from compare_gan.engine.tensorflow_checkpoints import TensorFlowReader

        return TensorFlowReader(path)
    return CheckpointReader(path)


def _check(path: str, reader: Reader, name: str, variable: Any) -> None:
    """Raises UserError unless the checkpoint has a value for the variable."""
    saved, shape = reader.variables.get(name), tuple(variable.shape)
    if saved is None:
        reason = f"it has no variable '{name}'"
    elif saved.shape != shape:
        reason = f"'{name}' has the shape {saved.shape} there and {shape} here"
    elif not _convertible(dtype_of(saved.dtype), _dtype(variable)):
        reason = f"'{name}' is {saved.dtype} there and {_dtype(variable)} here"
    else:
        return
    raise _misfit(path, reason)


def _dtype(variable: Any) -> np.dtype:
    # TensorFlow's own variables have a dtype with a name.
    return dtype_of(getattr(variable.dtype, "name", variable.dtype))


def _convertible(saved: np.dtype, dtype: np.dtype) -> bool:
    """Whether values may be converted: integers, which engines hold in different sizes."""
    return saved == dtype or (saved.kind in "iu" and dtype.kind in "iu")


def _converted(path: str, name: str, dtype: np.dtype, value: np.ndarray) -> np.ndarray:
    if value.dtype == dtype:
        return value
    limits = np.iinfo(dtype)
    if value.size and not limits.min <= value.min() <= value.max() <= limits.max:
        raise _misfit(path, f"'{name}' has values that {dtype} cannot hold")
    return value.astype(dtype)


def _misfit(path: str, reason: str) -> UserError:
    return UserError(
        f"Checkpoint '{path}' does not fit this config (start with another --model_dir, or restore "
        f"the config that made it): {reason}."
    )
