"""`DIVERGED` marks a run whose training ended with a non-finite value."""

import os
from collections.abc import Sequence

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import check_version

_VERSION = 1  # Older files have none.


class DivergedFile:
    """The note that a run has diverged; without it, the run may go on.

    Args:
      path: Path of the file.

    Example:
      >>> from compare_gan.training.diverged_file import DivergedFile
      >>> DivergedFile("runs/new/DIVERGED").exists
      False
    """

    def __init__(self, path: str):
        self._path = path

    @property
    def exists(self) -> bool:
        """Whether the run has diverged."""
        return os.path.exists(self._path)

    def write(self, step: int, terms: Sequence[str]) -> None:
        """Notes the step, and the values that were not finite."""
        files.write_json(self._path, {"version": _VERSION, "step": step, "terms": list(terms)})

    def describe(self) -> str:
        """The step and the values, for messages, as far as the file can be read."""
        try:
            note = damaged.read_object(self._path)
            check_version(f"'{self._path}'", note, _VERSION)
            return f"step {int(note['step'])} ({', '.join(map(str, note['terms']))})"
        except (DamagedFileError, KeyError, TypeError):
            return f"a step that is not known ('{self._path}' is damaged)"
