"""The directory of a run: its files, and how they are written and read.

config.gin             every binding of the run, as parsed
configs/               <step>.gin: every config that the run ever had, see config_history.py
modules/               <step>/: copies of the user's own modules, see module_history.py
operative_config.gin   the bindings that were used, defaults included
model.json             image shape, classes, data set: all that sampling needs of the data
checkpoints/           step-<n>: networks, optimizers, averaged weights, step, seed
labels/                inferred labels, if the config asks for them (see labels/files.py)
training_labels.json   description of the inferred labels of the run, see labels/files.py, or null
training_images.json   the images that dataset.densest_fraction chose, see images_file.py
convolutions.json      the forms that run_config.autotune chose, see forms_file.py
samples/, samples.png  grids with fixed latents; real.png
metrics/               pictures of metrics, if evaluation.pictures asks for them
monitors.jsonl         a line for each sample grid: values of monitors, and early warnings
log.jsonl              a line per run_config.iterations_per_loop steps: step, values by name
tensorboard/, losses.png       tensorboard/evaluation/ has the scores
results.jsonl          scores with their provenance (see evaluation/results.py); scores.csv
report.html            the page that `compare_gan report` writes
averages.jsonl         scores of a scan over averages (see average_scan.py); averages.csv
average.json           present if `compare_gan ema` wrote the run: the average in its checkpoint
DIVERGED               present if training ended in a value that was not finite
trackers.json          the run in trackers, if run_config.trackers names some (see trackers/)
rollbacks.json         present if training went back to a checkpoint after such a value
trainings.json         the processes that trained: machine, stages, places of bindings
training.lock          present, and locked, while a process trains here (see run_lock.py)
.results.lock          locked while a process adds scores; empty, and remains
"""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence

from compare_gan import config, damaged, engine, files, paths
from compare_gan.config.module_sources import ModuleSources, find_sources
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import UserError
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.layers import moving_statistics
from compare_gan.training import restored
from compare_gan.training.average_file import AverageFile
from compare_gan.training.checkpoint_choice import find_checkpoint
from compare_gan.training.config_history import NEWEST, ConfigHistory
from compare_gan.training.diverged_file import DivergedFile
from compare_gan.training.forms_file import FormsFile
from compare_gan.training.images_file import ImagesFile
from compare_gan.training.labels_file import LabelsFile
from compare_gan.training.model_file import DataProperties, ModelFile, as_list, is_sorted_anew
from compare_gan.training.module_history import ModuleHistory
from compare_gan.training.rollbacks import RollbacksFile
from compare_gan.training.run_lock import RunLock
from compare_gan.training.trackers.run_trackers import RunTrackers
from compare_gan.training.trainings_file import TrainingsFile

_log = logging.getLogger(__name__)

_OPERATIVE, _LABELS, _DIVERGED = "operative_config.gin", "training_labels.json", "DIVERGED"


class RunDir:
    """The directory of a run, which `--model_dir` names. It may not exist yet.

    Args:
      path: The directory.

    Attributes:
      path: The directory.
      lock: Context manager that the training process holds; see `RunLock`.
      configs: All configs that the run ever had.
      modules: Copies of all modules of the user's own that the run ever had.
      checkpoints: Folder of the checkpoints.
      labels: Folder of inferred labels, unless the config names another one.
      samples: Folder of the sample grids.
      pictures: Folder of the pictures of metrics.
      tensorboard: Folder of the TensorBoard events.
      tensorboard_scores: Folder of the events with scores, in that of all events.
      log: The file `log.jsonl`.
      training_images: The images that `dataset.densest_fraction` has chosen.
      convolutions: The forms of convolutions that `run_config.autotune` has chosen.
      rollbacks: The rollbacks of the run.
      trainings: The processes that trained the run.
      average: The average in a checkpoint that `compare_gan ema` wrote.
      trackers: The trackers of the run, to be opened by the process that trains or evaluates it.

    Example:
      >>> from compare_gan.training import RunDir
      >>> run = RunDir("runs/s3gan")
      >>> run.file("grid.png"), run.list_checkpoints(), run.results().read()
      ('runs/s3gan/grid.png', [], [])
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = os.fspath(path)
        if "://" in self.path:
            raise UserError(
                f"'{path}' is not on a disk: choose a local --model_dir, or mount the bucket."
            )
        self.lock = RunLock(self.file("training.lock"))
        self.configs = ConfigHistory(self.path)
        self.modules = ModuleHistory(self.path)
        self.checkpoints = self.file("checkpoints")
        self.labels = self.file("labels")
        self.samples = self.file("samples")
        self.pictures = self.file("metrics")
        self.tensorboard = self.file("tensorboard")
        self.tensorboard_scores = os.path.join(self.tensorboard, "evaluation")
        self.log = self.file("log.jsonl")
        self._model = ModelFile(self.file("model.json"))
        self._note = DivergedFile(self.file(_DIVERGED))
        self.training_images = ImagesFile(self.file("training_images.json"))
        self.convolutions = FormsFile(self.file("convolutions.json"))
        self.rollbacks = RollbacksFile(self.file("rollbacks.json"))
        self.trainings = TrainingsFile(self.file("trainings.json"))
        self.average = AverageFile(self.file("average.json"))
        self.trackers = RunTrackers(self.path, self.results())

    def __str__(self) -> str:
        return self.path

    def file(self, name: str) -> str:
        """The path of a file of this name."""
        return os.path.join(self.path, name)

    def results(self, table: str = "scores.csv") -> ResultsFile:
        """The scores; `table` is the name of their CSV file."""
        return ResultsFile(self.file("results.jsonl"), self.file(table))

    def refuse_unsuitable(self, config_text: str, allow_config_change: bool = False) -> None:
        """Raises UserError if a run can be neither started nor resumed here.

        The path may be a file, the run may have diverged, a newer version of this library may have
        recorded its forms of convolutions, or the config may differ from the run's in something
        that a run does not go through (see `config.changes`).

        Args:
          config_text: All bindings of the config, see `config.config_text`.
          allow_config_change: Whether the config may differ in anything.
        """
        if os.path.exists(self.path) and not os.path.isdir(self.path):
            raise UserError(f"--model_dir '{self}' is a file, not a directory.")
        paths.check_place(self.path)
        if self.diverged:
            raise UserError(
                f"The run in '{self}' diverged at {self._note.describe()}; delete the file "
                f"{_DIVERGED} there to resume from its last checkpoint anyway."
            )
        self.convolutions.read()  # Refuses the file of a newer version.
        if not allow_config_change:
            found = [change for change in self.configs.changes(config_text) if not change.is_free]
            self._refuse("another config", found)

    def refuse_other_data(self, dataset: DataProperties, allow_config_change: bool = False) -> None:
        """Raises UserError if the run was trained on another data set; see `refuse_unsuitable`.

        Options of the command line, files, and folders of classes may make a difference that the
        config does not show.

        Args:
          dataset: The data set.
          allow_config_change: Whether it may be another one.
        """
        changes = self._model.differences(dataset)  # Refuses the file of a newer version.
        if not allow_config_change:
            self._refuse("other data", changes)
            self._refuse_unknown_order(dataset.class_names)

    @property
    def class_order(self) -> tuple[str, ...] | None:
        """The names of the classes in the order of the run's labels; None if it has recorded none.

        Earlier versions sorted numbers in the names of folders as text, 10 before 2.

        Raises:
          UserError: A newer version of this library wrote `model.json`.
        """
        description = self._model.written()
        names = None if description is None else description.class_names
        return None if names is None else tuple(names)

    def _refuse(self, other: str, changes: Sequence[object]) -> None:
        if changes:
            raise UserError(
                f"The run in '{self}' was trained with {other} ({'; '.join(map(str, changes))}): "
                "choose another --model_dir, or add --allow_config_change to continue with the new "
                "one."
            )

    def _refuse_unknown_order(self, names: Sequence[str] | None) -> None:
        if (
            names is not None
            and is_sorted_anew(names)
            and self._model.written() is None
            and self.list_checkpoints()
        ):
            raise UserError(
                f"The order of classes in the run in '{self}' is not known, because its model.json "
                f"is missing or damaged: it may be {as_list(sorted(names))}, as in earlier "
                f"versions, or {as_list(names)}: choose another --model_dir, or add "
                "--allow_config_change to continue with the latter."
            )

    @property
    def diverged(self) -> bool:
        """Whether training ended in a value that was not finite."""
        return self._note.exists

    @property
    def divergence(self) -> str | None:
        """The step at which training diverged and the values, in words; None if it has not."""
        return self._note.describe() if self._note.exists else None

    @property
    def description(self) -> restored.Description | None:
        """Image shape, classes and data set; None if `model.json` is missing or damaged.

        Raises:
          UserError: A newer version of this library wrote the file.
        """
        return self._model.written()

    def mark_diverged(self, step: int, terms: Sequence[str]) -> None:
        """Notes that training ended at a step in these values, which were not finite."""
        self._note.write(step, terms)

    @property
    def config(self) -> str:
        """The file with the config of the run; if it is damaged, one that it can be taken from.

        Raises:
          UserError: There is none that can be read.
        """
        if not os.path.isdir(self.path):
            paths.check_place(self.path)
            raise UserError(f"There is no directory '{self}'.")
        path = self.configs.path
        if path is None:
            if not os.path.isfile(self.file(NEWEST)):
                raise UserError(f"'{self}' is not a run directory: it has no {NEWEST}.")
            path = self.file(_OPERATIVE)
            if not damaged.read_text(path):
                raise DamagedFileError(self.file(NEWEST), self.configs.damage)
            damaged.warn_once(
                f"'{self.file(NEWEST)}' is damaged: {self.configs.damage}. The bindings are taken "
                f"from '{path}'."
            )
        return path

    def config_of(self, checkpoint: str | int | None = None) -> str:
        """The file with the config from which the networks of a checkpoint are rebuilt.

        Args:
          checkpoint: A step, a path, or None for the newest.

        Raises:
          UserError: There is none, or no such checkpoint.
        """
        newest = self.config
        return self.configs.path_for(self._step_of(checkpoint)) or newest

    def copies_of(self, checkpoint: str | int | None = None) -> str | None:
        """The folder with copies of the modules that a checkpoint comes from; None without any.

        Args:
          checkpoint: A step, a path, or None for the newest.

        Raises:
          UserError: There is no such checkpoint.
        """
        return self.modules.folder_of(self._step_of(checkpoint))

    def warn_of_other_modules(self, checkpoint: str | int | None = None) -> None:
        """Logs a warning if modules that gin has imported are not those of a checkpoint."""
        self.modules.warn_of_changes(config.config_text(), self._step_of(checkpoint))

    def _step_of(self, checkpoint: str | int | None) -> int:
        return engine.step_of(self.find_checkpoint(checkpoint))

    def write_description(
        self,
        dataset: DataProperties,
        config_text: str,
        step: int = 0,
        modules: ModuleSources | None = None,
    ) -> None:
        """Saves the config, the user's own modules, and the properties of the data set.

        The log lists the differences from the config before.

        Args:
          dataset: The data set.
          config_text: All bindings of the config, see `config.config_text`.
          step: The finished steps, from which the run goes on with this config.
          modules: Sources of the modules that the config needs; None = as they are now.
        """
        for change in self.configs.changes(config_text):
            level = logging.INFO if change.is_free else logging.WARNING
            _log.log(level, "The config of this run changes at step %d: %s.", step, change)
        self.configs.record(config_text, step)
        self.modules.record(find_sources(config_text) if modules is None else modules, step)
        self._model.write(dataset)

    def complete_description(self, dataset: DataProperties, config_text: str) -> None:
        """Writes what is missing or damaged of the description of a run that is finished.

        Args:
          dataset: The data set.
          config_text: All bindings of the config.
        """
        if self.configs.damage:
            self.configs.complete(config_text)
        if self._model.written() is None:
            self._model.write(dataset)

    def write_operative_config(self) -> None:
        """Saves the bindings that have been used until now, defaults included."""
        files.write_text(self.file(_OPERATIVE), config.operative_text())

    def check_training_labels(self, description: Mapping[str, object] | None) -> None:
        """Raises UserError if the run has been trained on other inferred labels, or on given ones.

        Args:
          description: `InferredLabels.description` of its data set, whose labels may be pending;
            None without inferred labels.
        """
        LabelsFile(self.file(_LABELS)).check(description, self.path)

    def write_training_labels(self, description: Mapping[str, object] | None) -> None:
        """Saves the description of the inferred labels that the run is trained on, or None."""
        LabelsFile(self.file(_LABELS)).write(description)

    def training_labels(self) -> dict[str, object] | None:
        """The description of the inferred labels that the run is trained on; None without any.

        If the file is damaged, the method is `NOT_RECORDED`.
        """
        return LabelsFile(self.file(_LABELS)).read()

    def remove_leftovers(self) -> None:
        """Removes temporary files that dead processes have left, in all folders of the run."""
        for folder, _, _ in os.walk(self.path):
            files.remove_leftovers(folder)

    def list_checkpoints(self) -> list[str]:
        """Paths of the finished checkpoints, oldest first."""
        return engine.list_checkpoints(self.checkpoints)

    def find_checkpoint(self, checkpoint: str | int | None = None) -> str:
        """The path of a checkpoint that is given by its step or its path; None is the newest.

        Raises:
          UserError: There is none; the message lists the steps that there are.
        """
        paths = self._any_checkpoints()
        return paths[-1] if checkpoint is None else find_checkpoint(paths, checkpoint, self.path)

    def load(
        self,
        checkpoint: str | int | None = None,
        use_ema: bool = True,
        allow_imports: Sequence[str] = (),
    ) -> restored.RestoredModel:
        """Rebuilds the trained model from this directory alone; reads no training data.

        Args:
          checkpoint: A step, a path, or None for the newest.
          use_ema: Use the averaged generator weights if the run has them.
          allow_imports: Modules that the config of the run may import though they are not
            installed, or folders `modules/<step>` of a run with copies that it may import; modules
            that have been imported before may always be named.

        Raises:
          UserError: The directory or the checkpoint is missing, they do not match, or the config
            imports a module that is not allowed.
        """
        with config.bindings_kept():
            config.parse(
                [self.config_of(checkpoint)],
                allow_imports=allow_imports,
                copies=self.copies_of(checkpoint),
            )
            self.warn_of_other_modules(checkpoint)
            return self.restore(restored.ModelOptions.from_gin(), checkpoint, use_ema)

    def restore(
        self,
        model: restored.ModelOptions,
        checkpoint: str | int | None = None,
        use_ema: bool = True,
    ) -> restored.RestoredModel:
        """As `load`, with the options of the caller and under the bindings that gin holds."""
        description = self._model.read()
        self._any_checkpoints()
        path = None if checkpoint is None else self.find_checkpoint(checkpoint)
        found = restored.restore(model, description, self.checkpoints, path, use_ema)
        weights = self.average.read(found.step)
        if weights is None:
            return found
        if not found.averaged and moving_statistics(found.sampler.network):
            raise UserError(
                f"'{self}' holds {weights}, with its own statistics of batch norms: load the raw "
                "weights from the run that it was made from."
            )
        return dataclasses.replace(found, weights=weights) if found.averaged else found

    def _any_checkpoints(self) -> list[str]:
        paths = self.list_checkpoints()
        if not paths:
            raise UserError(f"'{self}' contains no checkpoint.")
        return paths
