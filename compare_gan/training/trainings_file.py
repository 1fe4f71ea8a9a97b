"""`trainings.json`: the processes that trained a run, their machines, and how long stages took."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import check_version

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """One process that trained a run.

    Attributes:
      began: Its start in UTC, as `2026-11-30T06:41:02Z`.
      host: Name of its machine.
      pid: Its number.
      first_step: Finished steps when it began.
      last_step: Finished steps when the entry was last written.
      engine: Name and version of the engine, such as `TensorFlow 2.21.0`.
      cpu: Name of the processor; empty if it is not known.
      cores: Number of cores that it may use.
      accelerators: Names of its GPUs or TPU cores.
      code_version: Version of the library.
      seconds: Duration of each stage: those of the start (`import`, `data`, `labels`, `trace`, …),
        then `steps` and `pictures`.
      total_seconds: Time from the start to the last writing of the entry.
      bindings: Bindings of the config as its files and the command line state them, replaced ones
        included: `parameter`, `value` as gin writes it, `place`.

    Example:
      >>> from compare_gan.training.trainings_file import Training
      >>> entry = Training(began="2026-11-30T06:41:02Z", host="a", pid=7, last_step=50)
      >>> entry.last_step, dict(entry.seconds)
      (50, {})
    """

    began: str
    host: str
    pid: int
    first_step: int = 0
    last_step: int
    engine: str = ""
    cpu: str = ""
    cores: int | None = None
    accelerators: Sequence[str] = ()
    code_version: str = ""
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    total_seconds: float | None = None
    bindings: Sequence[Mapping[str, str]] = ()

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Training":
        """The inverse of `dataclasses.asdict`; other keys are ignored.

        Raises:
          KeyError, TypeError, ValueError: An entry is missing or has another type.
        """
        total, cores = entry.get("total_seconds"), entry.get("cores")
        return cls(
            began=str(entry["began"]),
            host=str(entry["host"]),
            pid=int(entry["pid"]),
            first_step=int(entry["first_step"]),
            last_step=int(entry["last_step"]),
            engine=str(entry.get("engine", "")),
            cpu=str(entry.get("cpu", "")),
            code_version=str(entry.get("code_version", "")),
            cores=None if cores is None else int(cores),
            accelerators=tuple(map(str, entry.get("accelerators", ()))),
            seconds={str(k): float(v) for k, v in dict(entry.get("seconds", {})).items()},
            total_seconds=None if total is None else float(total),
            bindings=tuple(
                {name: str(each[name]) for name in ("parameter", "value", "place")}
                for each in entry.get("bindings", ())
            ),
        )


class TrainingsFile:
    """The file `trainings.json` of a run; runs of earlier versions have none.

    Args:
      path: Path of the file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.training.trainings_file import Training, TrainingsFile
      >>> entry = Training(began="2026-11-30T06:41:02Z", host="a", pid=7, last_step=50)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = TrainingsFile(os.path.join(folder, "trainings.json"))
      ...     file.put(entry)
      ...     file.read() == [entry]
      True
    """

    def __init__(self, path: str):
        self._path = path

    def read(self) -> list[Training]:
        """The trainings, oldest first; none if the file is missing or damaged.

        Raises:
          UserError: A newer version of this library wrote it.
        """
        try:
            return self._read()
        except DamagedFileError as error:
            damaged.warn_once(f"{error} Earlier trainings of the run are not known.")
            return []

    def put(self, training: Training) -> None:
        """Adds a training, or replaces the entry of the same process; sets a damaged file aside."""
        try:
            before = self._read()
        except DamagedFileError as error:
            damaged.set_aside(self._path, error.reason, "it is begun anew")
            before = []
        others = [each for each in before if _process(each) != _process(training)]
        entries = [dataclasses.asdict(each) for each in (*others, training)]
        files.write_json(self._path, {"version": _VERSION, "trainings": entries})

    def _read(self) -> list[Training]:
        if not os.path.exists(self._path):
            return []
        content = damaged.read_object(self._path)
        check_version(f"'{self._path}'", content, _VERSION)
        try:
            return [Training.from_json(entry) for entry in content["trainings"]]
        except damaged.FORM_ERRORS as error:
            raise DamagedFileError(self._path, "it holds no trainings") from error


def _process(training: Training) -> tuple[str, str, int]:
    return training.began, training.host, training.pid
