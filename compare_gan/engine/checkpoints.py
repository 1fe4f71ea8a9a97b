"""Checkpoints of a run: saved whole, restored from the newest that can be read."""

import glob
import logging
import os
import re
from collections.abc import Mapping
from typing import Any, Protocol

import keras
import tensorflow as tf

from compare_gan.errors import UserError

_log = logging.getLogger(__name__)


class DamagedCheckpointError(UserError):
    """A checkpoint's files cannot be read."""


class State(Protocol):
    """The variables of a training.

    Attributes:
      step: Integer variable, the number of finished steps.
    """

    step: Any

    def variables(self) -> Mapping[str, Any]:
        """All variables, `step` among them, by a stable name."""


class Checkpoints:
    """The checkpoints of one training.

    TensorFlow writes a checkpoint to temporary names, renames it, and only then lists it in the
    file `checkpoint`: a process killed at any moment leaves the ones before it intact.

    Args:
      state: The variables to save and restore.
      folder: The folder of the checkpoints; made when one is saved.
      keep_max: The number of newest checkpoints to keep; None = all.

    Example:
      >>> import tempfile, types, tensorflow as tf
      >>> from compare_gan import engine
      >>> step = tf.Variable(7, dtype=tf.int64)
      >>> state = types.SimpleNamespace(step=step, variables=lambda: {"step": step})
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = engine.Checkpoints(state, folder).save()
      ...     _ = step.assign(0)
      ...     restored = engine.Checkpoints(state, folder).restore_newest()
      >>> engine.step_of(restored), int(step)
      (7, 7)
    """

    def __init__(self, state: State, folder: str, keep_max: int | None = None):
        self._folder = folder
        self._step = state.step
        # The step and path that the state was last saved to or restored from.
        self._current: tuple[int, str] | None = None
        self._newest = -1  # The newest step in the folder at that time.
        variables = state.variables()
        # Integers of the host, for which TensorFlow needs variables.
        self._host = {
            name: (v, tf.Variable(v.numpy(), trainable=False))
            for name, v in variables.items()
            if not isinstance(v, (tf.Variable, keras.Variable))
        }
        tensors = {
            name: v.value if isinstance(v, keras.Variable) else v for name, v in variables.items()
        }
        tensors |= {name: copy for name, (_, copy) in self._host.items()}
        self._checkpoint = tf.train.Checkpoint(variables=tensors)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, folder, max_to_keep=keep_max, checkpoint_name="step"
        )

    @property
    def step(self) -> int:
        """The number of finished steps of the state."""
        return int(self._step.numpy())

    def save(self) -> str:
        """Saves the state under its step, unless that is done already; returns the path."""
        step = self.step
        if self._current is None or self._current[0] != step:
            # A damaged checkpoint of this step, from before a restart, is written anew.
            for original, copy in self._host.values():
                copy.assign(original.numpy())
            self._current = step, self._manager.save(checkpoint_number=step)
            self._newest = self._newest_step()
        return self._current[1]

    def resume(self) -> None:
        """Restores the newest checkpoint that can be read, unless one was saved or restored before.

        It is restored nevertheless if another process has saved a newer one since.

        Raises:
          UserError: See `restore_newest`.
        """
        if self._current is None or self._newest_step() > self._newest:
            restored = self.restore_newest()
            if restored:
                _log.info("Resuming from %s.", restored)

    def restore_newest(self) -> str | None:
        """Restores the newest checkpoint that can be read; returns its path, None without any.

        Raises:
          UserError: There are checkpoints and none can be read, or they are of another model.
        """
        paths = list_checkpoints(self._folder)
        for path in reversed(paths):
            try:
                self.restore(path)
            except DamagedCheckpointError as error:
                _log.warning("%s Falling back to the one before.", error)
                continue
            return path
        if paths:
            raise UserError(
                f"None of the {len(paths)} checkpoints in '{self._folder}' can be read."
            )
        return None

    def restore(self, path: str) -> None:
        """Restores one checkpoint.

        Raises:
          DamagedCheckpointError: Its files cannot be read.
          UserError: It belongs to a model with other variables or shapes.
        """
        newest = self._newest_step()
        try:
            status = self._checkpoint.read(path)
            # Only TensorFlow's own count of saves is left unread.
            status.assert_existing_objects_matched().expect_partial()
        except (tf.errors.OpError, OSError, IndexError) as error:
            # TensorFlow's reader raises IndexError for a file that is too short.
            first = str(error).split("\n", 1)[0]
            raise DamagedCheckpointError(f"Checkpoint '{path}' is damaged ({first}).") from error
        except (AssertionError, ValueError) as error:
            first = str(error).strip().split("\n", 1)[0]
            raise UserError(
                f"Checkpoint '{path}' does not fit this config (start with another --model_dir, or "
                f"restore the config that made it): {first}"
            ) from error
        for original, copy in self._host.values():
            original.assign(copy.numpy())
        self._current, self._newest = (self.step, path), newest

    def _newest_step(self) -> int:
        return max(map(step_of, list_checkpoints(self._folder)), default=-1)


def list_checkpoints(folder: str) -> list[str]:
    """Paths of the finished checkpoints in a folder, oldest first.

    Example:
      >>> from compare_gan import engine
      >>> engine.list_checkpoints("runs/new/checkpoints")
      []
    """
    # By name, not by TensorFlow's list in the file `checkpoint`, which may be lost. The index is
    # written last.
    found = glob.glob(os.path.join(glob.escape(folder), "step-*.index"))
    return sorted((path.removesuffix(".index") for path in found), key=step_of)


def step_of(path: str) -> int:
    """The number of finished steps in a checkpoint's name.

    Example:
      >>> from compare_gan import engine
      >>> engine.step_of("runs/s3gan/checkpoints/step-00000500")
      500
    """
    match = re.search(r"-(\d+)$", path)
    if not match:
        raise UserError(f"'{path}' is not the path of a checkpoint (…/step-<number>).")
    return int(match.group(1))
