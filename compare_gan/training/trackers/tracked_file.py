"""The file `trackers.json`: how a run is known to its trackers, and what they have of it."""

import dataclasses
import os
from collections.abc import Mapping

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import check_version

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Tracked:
    """What a tracker has of a run.

    Attributes:
      id: The id of the run there.
      steps: For each series, by name, the last step that it has.
      rows: The number of result rows that it has.
      is_open: Whether records are being handed over; also after a kill, until the next start.
    """

    id: str
    steps: Mapping[str, int] = dataclasses.field(default_factory=dict)
    rows: int = 0
    is_open: bool = False


class TrackedFile:
    """The file `trackers.json` of a run, which does not exist without trackers.

    Args:
      path: Path of the file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.training.trackers.tracked_file import Tracked, TrackedFile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = TrackedFile(os.path.join(folder, "trackers.json"))
      ...     file.write({"mlflow": Tracked("1f3a", {"values": 100})})
      ...     file.read()["mlflow"].id
      '1f3a'
    """

    def __init__(self, path: str):
        self._path = path

    def read(self) -> dict[str, Tracked]:
        """What each tracker has, by name; none if the file is damaged, which is set aside.

        Raises:
          UserError: A newer version of this library wrote it.
        """
        if not os.path.exists(self._path):
            return {}
        try:
            return self._read()
        except DamagedFileError as error:
            damaged.set_aside(self._path, error.reason, "trackers show the run as a new one")
            return {}

    def _read(self) -> dict[str, Tracked]:
        content = damaged.read_object(self._path)
        check_version(f"'{self._path}'", content, _VERSION)
        try:
            return {
                name: Tracked(
                    str(each["id"]),
                    {str(series): int(step) for series, step in each["steps"].items()},
                    int(each["rows"]),
                    bool(each["is_open"]),
                )
                for name, each in content["trackers"].items()
            }
        except damaged.FORM_ERRORS as error:
            raise DamagedFileError(self._path, "it holds no trackers") from error

    def write(self, tracked: Mapping[str, Tracked]) -> None:
        """Writes what each tracker has, by name."""
        trackers = {name: dataclasses.asdict(each) for name, each in tracked.items()}
        files.write_json(self._path, {"version": _VERSION, "trackers": trackers})
