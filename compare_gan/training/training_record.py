"""The entry of this process in `trainings.json`: its machine, and the time that stages take."""

import dataclasses
import importlib.metadata
import os
import time

import keras

from compare_gan import engine, locks
from compare_gan.config.changes import as_written
from compare_gan.startup import ENGINES, available_cores, cpu_name
from compare_gan.training.experiment import Experiment
from compare_gan.training.trainings_file import Training, TrainingsFile
from compare_gan.version import code_version


class TrainingRecord:
    """Measures one training and records it.

    Args:
      file: The file of the run.
      experiment: The experiment that is trained.
      stages: Record of how long the start takes; None = it is not known.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import config
      >>> from compare_gan.training import Experiment
      >>> from compare_gan.training.training_record import TrainingRecord
      >>> from compare_gan.training.trainings_file import TrainingsFile
      >>> config.parse(["s3gan_fashion_mnist"], ["options.z_dim = 8"])
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = TrainingsFile(os.path.join(folder, "trainings.json"))
      ...     record = TrainingRecord(file, Experiment.from_gin())
      ...     record.begin(step=0)
      ...     record.add("steps", 2.5)
      ...     record.write(step=100)
      ...     [entry] = file.read()
      >>> entry.last_step, entry.seconds, dict(entry.bindings[-1])["value"]
      (100, {'steps': 2.5, 'pictures': 0.0}, '8')
    """

    def __init__(
        self,
        file: TrainingsFile,
        experiment: Experiment,
        stages: engine.Stages | None = None,
    ):
        self._file = file
        self._stages = stages
        self._before_steps = sum(self._stage_seconds().values())
        self._seconds = {"steps": 0.0, "pictures": 0.0}
        before = 0.0 if stages is None else stages.elapsed
        self._started = time.monotonic() - before
        self._training = Training(
            began=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - before)),
            host=locks.host(),
            pid=os.getpid(),
            first_step=-1,
            last_step=-1,
            engine=_engine(),
            cpu=cpu_name(),
            cores=available_cores(),
            accelerators=tuple(engine.accelerators()),
            code_version=code_version(),
            bindings=tuple(
                {
                    "parameter": f"{each.scope}/{each.key}" if each.scope else each.key,
                    "value": as_written(each.value),
                    "place": each.place,
                }
                for each in experiment.bindings.stated
            ),
        )

    def begin(self, step: int) -> None:
        """Notes the number of finished steps; a training goes on after a rollback."""
        if self._training.first_step < 0:
            self._training = dataclasses.replace(self._training, first_step=step)

    def add(self, stage: str, seconds: float) -> None:
        """Adds seconds to a stage."""
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def _stage_seconds(self) -> dict[str, float]:
        return {} if self._stages is None else dict(self._stages.seconds)

    def write(self, step: int) -> None:
        """Writes the entry.

        Args:
          step: Number of finished steps.
        """
        seconds = self._stage_seconds()
        own = dict(self._seconds)
        # Stages that began since, such as that of compiling, are part of the steps' time.
        in_steps = sum(seconds.values()) - self._before_steps
        own["steps"] = max(0.0, own["steps"] - in_steps)
        self._training = dataclasses.replace(
            self._training,
            last_step=step,
            seconds={name: round(value, 3) for name, value in (seconds | own).items()},
            total_seconds=round(time.monotonic() - self._started, 3),
        )
        self._file.put(self._training)


def _engine() -> str:
    name = keras.backend.backend()
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # `tensorflow-cpu`, for one.
        version = ""
    return f"{ENGINES.get(name, name)} {version}".strip()
