"""Removes files of ended runs that nothing needs any more."""

import dataclasses
import os
import shutil
from collections.abc import Sequence

from compare_gan.engine import list_checkpoints
from compare_gan.engine.checkpoint_folder import remove
from compare_gan.studies import records
from compare_gan.studies.estimates import folder_bytes
from compare_gan.studies.records import RunRecord

_PICTURES = ("samples", "tensorboard")


@dataclasses.dataclass(frozen=True)
class Prunable:
    """What can be removed.

    Attributes:
      checkpoints: Paths of checkpoints.
      folders: Paths of folders.
      size: Size of all of it, in bytes.
    """

    checkpoints: tuple[str, ...]
    folders: tuple[str, ...]
    size: int

    def remove(self) -> None:
        """Removes it."""
        for checkpoint in self.checkpoints:
            remove(checkpoint)
        for folder in self.folders:
            shutil.rmtree(folder)


def find_prunable(runs: Sequence[RunRecord], pictures: bool = False) -> Prunable:
    """What can be removed of the runs that have finished or diverged.

    Those are the checkpoints except the last one, from which images can be drawn and further
    metrics computed. Results, logs, configs and inferred labels always stay.

    Args:
      runs: Records of all runs.
      pictures: Also the sample grids of single steps, and TensorBoard's events.

    Example:
      >>> from compare_gan.studies.pruning import find_prunable
      >>> find_prunable([]).size
      0
    """
    ended = [run for run in runs if run.state in records.DONE]
    checkpoints: list[str] = []
    for run in ended:
        checkpoints += list_checkpoints(os.path.join(run.model_dir, "checkpoints"))[:-1]
    found = [os.path.join(run.model_dir, name) for run in ended for name in _PICTURES]
    folders = [folder for folder in found if pictures and os.path.isdir(folder)]
    size = sum(folder_bytes(path) for path in (*checkpoints, *folders))
    return Prunable(tuple(checkpoints), tuple(folders), size)
