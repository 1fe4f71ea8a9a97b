"""Writing checkpoints: arrays first, then the index; what is superseded is removed last."""

import contextlib
import logging
import os
import secrets
import time
from collections.abc import Callable

from compare_gan.engine import checkpoint_folder
from compare_gan.engine.checkpoint_files import (
    INDEX,
    DamagedCheckpointError,
    read_index,
    write_arrays,
    write_index,
)
from compare_gan.engine.processes import first_of_all
from compare_gan.engine.shards import Snapshot
from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_PATIENCE = 600.0  # Seconds that a process waits for the files of others.


class CheckpointWriter:
    """Writes the checkpoints of one training; each process of the training has one.

    A file with arrays gets a name that was never used before, so that a checkpoint of the same step
    stays intact until the index, which names the files, is replaced.

    Args:
      folder: The folder of the checkpoints.
      keep_max: The number of newest checkpoints to keep, without damaged ones; None = all.
    """

    def __init__(self, folder: str, keep_max: int | None):
        self._folder = folder
        self._keep_max = keep_max
        self._tidied = False
        self._is_whole: dict[str, bool] = {}

    def note_damage(self, path: str) -> None:
        """Lets a checkpoint, which was found to be damaged, not count among those to keep."""
        self._is_whole[path] = False

    def next_files(self, collective: bool) -> Callable[[int], str]:
        """The names of the files of the next checkpoint, by the number of the process.

        Args:
          collective: Whether several processes write it; each of them calls this.
        """
        token = secrets.randbits(31)
        if collective:
            token = first_of_all(token)
        return lambda process: f"arrays-{token:08x}-{process}.npz"

    def write(self, step: int, path: str, copy: Snapshot) -> None:
        """Writes the part of this process; one process completes the checkpoint.

        If this fails, the arrays are removed, unless the checkpoint may be complete already.

        Args:
          step: Number of finished steps.
          path: Path of the checkpoint.
          copy: The variables.

        Raises:
          OSError: A file cannot be written, or another process does not write its part.
        """
        try:
            if copy.completes:
                self._complete(step, path, copy)
            elif copy.arrays:
                write_arrays(os.path.join(path, copy.file), copy.arrays)
                _wait_until(path, lambda: copy.file in _named(path))
        except BaseException as error:
            if isinstance(error, OSError) and error.errno and error.filename is None:
                error.filename = path  # The system does not say which file a full disk stopped.
            _remove_unnamed(path, copy.file)
            raise

    def _complete(self, step: int, path: str, copy: Snapshot) -> None:
        if not self._tidied:
            checkpoint_folder.tidy(self._folder, except_for=path)
            self._tidied = True
        write_arrays(os.path.join(path, copy.file), copy.arrays)
        files = {part.file for entry in copy.entries.values() for part in entry.parts}
        _wait_until(path, lambda: files <= set(os.listdir(path)))
        write_index(path, step, copy.entries)
        self._is_whole[path] = True
        checkpoint_folder.remove_superseded(path)
        checkpoint_folder.remove_tensorflow(path)
        self._remove_old(path)

    def _remove_old(self, newest: str) -> None:
        if self._keep_max is None:
            return
        try:
            paths = checkpoint_folder.list_checkpoints(self._folder)
        except OSError as error:  # The newest is complete: no reason to end a training.
            reason = error.strerror or error
            _log.warning("Old checkpoints in '%s' cannot be removed: %s.", self._folder, reason)
            return
        # After an older one was restored, later ones of the abandoned course may be there.
        others = [path for path in paths if path != newest]
        if len(others) < self._keep_max:
            return
        kept = 1
        for path in reversed(others):
            if kept == self._keep_max:
                checkpoint_folder.remove(path)
            elif self._counts(path):
                kept += 1

    def _counts(self, path: str) -> bool:
        """Whether a checkpoint is not damaged; it is looked at once."""
        if path not in self._is_whole:
            damage = checkpoint_folder.damage_of(path)
            self._is_whole[path] = damage is None
            if damage is not None:
                _log.warning("%s It does not count among the checkpoints that are kept.", damage)
        return self._is_whole[path]


def _named(path: str) -> set[str]:
    """The files that the index names; none if it is not there yet."""
    try:
        return _files_in_index(path)
    except DamagedCheckpointError:
        return set()


def _files_in_index(path: str) -> set[str]:
    return {part.file for entry in read_index(path).values() for part in entry.parts}


def _remove_unnamed(path: str, file: str) -> None:
    """Removes arrays unless the index names them; if it cannot be read, they remain."""
    with contextlib.suppress(OSError, UserError):
        if INDEX not in os.listdir(path) or file not in _files_in_index(path):
            os.remove(os.path.join(path, file))
            os.rmdir(path)


def _wait_until(path: str, condition: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + _PATIENCE, 0.01
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"Checkpoint '{path}' is incomplete: another process has not written its part "
                f"within {_PATIENCE:.0f} s (is --model_dir on a disk that all processes share?)"
            )
        time.sleep(pause)
        pause = min(2 * pause, 1.0)
