"""Checkpoints of a run: saved whole, restored from the newest that can be read."""

import glob
import logging
import os
import re
from collections.abc import Mapping
from typing import Protocol

import tensorflow as tf

from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_DIRECTORY = "checkpoints"


class DamagedCheckpointError(UserError):
    """A checkpoint's files cannot be read."""


class State(Protocol):
    """What is saved.

    Attributes:
      step: Integer variable, the number of finished steps.
    """

    step: tf.Variable

    def variables(self) -> Mapping[str, tf.Variable]:
        """All variables, `step` among them, by a stable name."""


class Checkpoints:
    """The checkpoints of one model directory.

    TensorFlow writes a checkpoint to temporary names, renames it, and only then lists it in the
    file `checkpoint`: a process killed at any moment leaves the ones before it intact.
    """

    def __init__(self, state: State, model_dir: str, keep_max: int | None = None):
        self._model_dir = model_dir
        self._step = state.step
        self._current: tuple[int, str] | None = (
            None  # What the state was last saved to or read from.
        )
        self._checkpoint = tf.train.Checkpoint(variables=dict(state.variables()))
        self._manager = tf.train.CheckpointManager(
            self._checkpoint,
            os.path.join(model_dir, _DIRECTORY),
            max_to_keep=keep_max,
            checkpoint_name="step",
        )

    def save(self) -> str:
        """Saves the state under its step, unless that is done already; returns the path."""
        step = int(self._step.numpy())
        if self._current is None or self._current[0] != step:
            # A damaged checkpoint of this step, from before a restart, is written anew.
            self._current = step, self._manager.save(checkpoint_number=step)
        return self._current[1]

    def restore_newest(self) -> str | None:
        """Restores the newest checkpoint that can be read; returns its path, None if none is.

        Raises:
          UserError: There are checkpoints and not one can be read, or they are of another model.
        """
        paths = list_checkpoints(self._model_dir)
        for path in reversed(paths):
            try:
                self.restore(path)
            except DamagedCheckpointError as error:
                _log.warning("%s Falling back to the one before.", error)
                continue
            return path
        if paths:
            folder = os.path.dirname(paths[0])
            raise UserError(f"None of the {len(paths)} checkpoints in '{folder}' can be read.")
        return None

    def restore(self, path: str) -> None:
        """Restores one checkpoint.

        Raises:
          DamagedCheckpointError: Its files cannot be read.
          UserError: It belongs to a model with other variables or shapes.
        """
        try:
            status = self._checkpoint.read(path)
            # Nothing but TensorFlow's own count of saves is left unread.
            status.assert_existing_objects_matched().expect_partial()
        except (tf.errors.OpError, OSError, IndexError) as error:
            # IndexError is what TensorFlow's reader makes of a file that is too short.
            first = str(error).split("\n", 1)[0]
            raise DamagedCheckpointError(f"Checkpoint '{path}' is damaged ({first}).") from error
        except (AssertionError, ValueError) as error:
            first = str(error).strip().split("\n", 1)[0]
            raise UserError(
                f"Checkpoint '{path}' does not fit this config (start with another --model_dir, or "
                f"restore the config that made it): {first}"
            ) from error
        self._current = int(self._step.numpy()), path


def list_checkpoints(model_dir: str) -> list[str]:
    """Paths of the finished checkpoints of a model directory, oldest first."""
    # By name, not by TensorFlow's list in the file `checkpoint`, which may be lost. The index is
    # written last.
    found = glob.glob(os.path.join(glob.escape(model_dir), _DIRECTORY, "step-*.index"))
    return sorted((path.removesuffix(".index") for path in found), key=step_of)


def step_of(path: str) -> int:
    """The generator step that a checkpoint's name tells."""
    match = re.search(r"-(\d+)$", path)
    if not match:
        raise UserError(f"'{path}' is not the path of a checkpoint (…/step-<number>).")
    return int(match.group(1))
