"""The rollbacks of a run: how often it diverged and went back to a checkpoint."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import check_version

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Entry:
    """One rollback.

    Attributes:
      step: The step at which the run diverged.
      terms: Names of the values or variables that were not finite.
      checkpoint: The step of the checkpoint from which it went on.
    """

    step: int
    terms: Sequence[str]
    checkpoint: int


class RollbacksFile:
    """The file `rollbacks.json` of a run, which does not exist before the first rollback.

    Args:
      path: Path of the file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.training.rollbacks import Entry, RollbacksFile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = RollbacksFile(os.path.join(folder, "rollbacks.json"))
      ...     file.add(Entry(step=70, terms=["loss"], checkpoint=50))
      ...     len(file.read()), file.count_before(50), file.count_before(60)
      (1, 0, 1)
    """

    def __init__(self, path: str):
        self._path = path

    def read(self) -> list[Entry]:
        """The rollbacks, oldest first; none if the file is damaged.

        Raises:
          UserError: A newer version of this library wrote it.
        """
        try:
            return self._read()
        except DamagedFileError as error:
            damaged.warn_once(f"{error} Earlier rollbacks of the run are not counted.")
            return []

    def add(self, entry: Entry) -> None:
        """Adds a rollback; a damaged file is set aside."""
        try:
            before = self._read()
        except DamagedFileError as error:
            damaged.set_aside(self._path, error.reason, "it is begun anew")
            before = []
        entries = [dataclasses.asdict(each) for each in (*before, entry)]
        files.write_json(self._path, {"version": _VERSION, "rollbacks": entries})

    def _read(self) -> list[Entry]:
        if not os.path.exists(self._path):
            return []
        content = damaged.read_object(self._path)
        check_version(f"'{self._path}'", content, _VERSION)
        try:
            return [
                Entry(int(each["step"]), tuple(map(str, each["terms"])), int(each["checkpoint"]))
                for each in content["rollbacks"]
            ]
        except damaged.FORM_ERRORS as error:
            raise DamagedFileError(self._path, "it holds no rollbacks") from error

    def count_before(self, step: int) -> int:
        """The number of rollbacks on the way to the checkpoint of a step."""
        return sum(entry.checkpoint < step for entry in self.read())


def seed_after(seed: int, rollbacks: int) -> int:
    """The seed of batches and noise after a number of rollbacks; without any, the seed itself.

    Args:
      seed: Seed of the run, 64 bits.
      rollbacks: Number of rollbacks.

    Example:
      >>> from compare_gan.training.rollbacks import seed_after
      >>> seed_after(5, 0), seed_after(5, 1) != seed_after(5, 2)
      (5, True)
    """
    if not rollbacks:
        return seed
    sequence = np.random.SeedSequence([seed % 2**64, rollbacks])
    return int(sequence.generate_state(1)[0] >> 1)
