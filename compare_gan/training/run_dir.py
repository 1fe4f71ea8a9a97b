"""The directory of a run: its files, and how they are written and read.

config.gin             every binding of the run, as parsed
operative_config.gin   the bindings that were used, defaults included
model.json             image shape, classes, data set: all that sampling needs of the data
checkpoints/           step-<n>: networks, optimizers, averaged weights, step, seed
labels/                inferred labels, if the config asks for them (see labels/files.py)
training_labels.json   description of the inferred labels of the run, see labels/files.py, or null
samples/, samples.png  grids with fixed latents; real.png
metrics/               pictures of metrics, if evaluation.pictures asks for them
log.jsonl              a line for each call of the compiled loop: step and values by name
tensorboard/, losses.png
results.jsonl          scores with their provenance (see evaluation/results.py); scores.csv
DIVERGED               present if training ended in a value that was not finite
training.lock          present, and locked, while a process trains here (see run_lock.py)
.results.lock          locked while a process adds scores; empty, and remains
"""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from compare_gan import config, damaged, engine, files, paths
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import UserError, check_version
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.training import restored
from compare_gan.training.experiment import Experiment
from compare_gan.training.labels_file import LabelsFile
from compare_gan.training.run_lock import RunLock

_log = logging.getLogger(__name__)

_CONFIG, _OPERATIVE, _MODEL = "config.gin", "operative_config.gin", "model.json"
_LABELS, _DIVERGED = "training_labels.json", "DIVERGED"
_VERSION = 1  # Version of the JSON files; older files have none.


class DataProperties(Protocol):
    """The properties of a data set that sampling needs."""

    @property
    def name(self) -> str | None: ...
    @property
    def image_shape(self) -> tuple[int, int, int]: ...
    @property
    def num_classes(self) -> int | None: ...
    @property
    def class_names(self) -> Sequence[str] | None: ...


class RunDir:
    """The directory of a run, which `--model_dir` names. It may not exist yet.

    Args:
      path: The directory.

    Attributes:
      path: The directory.
      lock: Context manager that the training process holds; see `RunLock`.
      checkpoints: Folder of the checkpoints.
      labels: Folder of inferred labels, unless the config names another one.
      samples: Folder of the sample grids.
      pictures: Folder of the pictures of metrics.
      tensorboard: Folder of the TensorBoard events.
      log: The file `log.jsonl`.

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
        self.checkpoints = self.file("checkpoints")
        self.labels = self.file("labels")
        self.samples = self.file("samples")
        self.pictures = self.file("metrics")
        self.tensorboard = self.file("tensorboard")
        self.log = self.file("log.jsonl")

    def __str__(self) -> str:
        return self.path

    def file(self, name: str) -> str:
        """The path of a file of this name."""
        return os.path.join(self.path, name)

    def results(self, table: str = "scores.csv") -> ResultsFile:
        """The scores; `table` is the name of their CSV file."""
        return ResultsFile(self.file("results.jsonl"), self.file(table))

    def refuse_unsuitable(self, config_text: str) -> None:
        """Raises UserError if a run can be neither started nor resumed here.

        The path may be a file, or the run may have diverged or have other networks than the config.

        Args:
          config_text: All bindings of the config, see `config.config_text`.
        """
        if os.path.exists(self.path) and not os.path.isdir(self.path):
            raise UserError(f"--model_dir '{self}' is a file, not a directory.")
        paths.check_place(self.path)
        if self.diverged:
            raise UserError(
                f"The run in '{self}' diverged at {self._describe_divergence()}; delete the file "
                f"{_DIVERGED} there to resume from its last checkpoint anyway."
            )
        try:
            before = _values(damaged.read_text(self.file(_CONFIG)))
        except DamagedFileError as error:
            damaged.warn_once(f"{error} The config of the run is not compared with this one.")
            return
        now = _values(config_text)
        for key in ("options.gan_class", "options.architecture", "options.z_dim"):
            if key in before and key in now and before[key] != now[key]:
                raise UserError(
                    f"{key} is {now[key]}, but the run in '{self}' has {before[key]}: choose "
                    "another --model_dir."
                )

    @property
    def diverged(self) -> bool:
        """Whether training ended in a value that was not finite."""
        return os.path.exists(self.file(_DIVERGED))

    def mark_diverged(self, step: int, terms: Sequence[str]) -> None:
        """Notes that training ended at a step in these values, which were not finite."""
        note = {"version": _VERSION, "step": step, "terms": list(terms)}
        files.write_json(self.file(_DIVERGED), note)

    def _describe_divergence(self) -> str:
        try:
            note = self._read_json(_DIVERGED)
            return f"step {int(note['step'])} ({', '.join(map(str, note['terms']))})"
        except (DamagedFileError, KeyError, TypeError):
            return f"a step that is not known ('{self.file(_DIVERGED)}' is damaged)"

    @property
    def config(self) -> str:
        """The file with the config of the run; the operative config if that is damaged.

        Raises:
          UserError: There is none that can be read.
        """
        path = self.file(_CONFIG)
        if not os.path.isdir(self.path):
            paths.check_place(self.path)
            raise UserError(f"There is no directory '{self}'.")
        if not os.path.isfile(path):
            raise UserError(f"'{self}' is not a run directory: it has no {_CONFIG}.")
        try:
            damaged.read_text(path)
        except DamagedFileError as error:
            path = self.file(_OPERATIVE)
            if not damaged.read_text(path):
                raise
            damaged.warn_once(f"{error} The bindings are taken from '{path}'.")
        return path

    def write_description(self, dataset: DataProperties, config_text: str) -> None:
        """Saves the config and the properties of the data set that sampling needs.

        Warns if a run is resumed with another config.

        Args:
          dataset: The data set.
          config_text: All bindings of the config, see `config.config_text`.
        """
        before = ""
        try:
            before = damaged.read_text(self.file(_CONFIG))
        except DamagedFileError as error:
            damaged.set_aside(self.file(_CONFIG), error.reason, "it is written anew")
        changed = [
            line
            for line in sorted(_lines(before) ^ _lines(config_text))
            if before and "training_steps" not in line
        ]
        if changed:
            _log.warning("This run was begun with another config: %s.", "; ".join(changed))
        files.write_text(self.file(_CONFIG), config_text)
        values = {"version": _VERSION, **dataclasses.asdict(_describe(dataset))}
        files.write_json(self.file(_MODEL), values)

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

    def find_checkpoint(self, checkpoint: str | int) -> str:
        """The path of a checkpoint that is given by its step or its path.

        Raises:
          UserError: There is none; the message lists the steps that there are.
        """
        paths = self._any_checkpoints()
        for path in paths:
            if str(checkpoint) == str(engine.step_of(path)):
                return path
            if os.path.abspath(str(checkpoint)) == os.path.abspath(path):
                return path
        steps = [engine.step_of(path) for path in paths]
        raise UserError(
            f"'{self}' has no checkpoint {checkpoint}; its steps are {_listed(steps, checkpoint)}."
        )

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
            installed; modules that have been imported before may always be named.

        Raises:
          UserError: The directory or the checkpoint is missing, they do not match, or the config
            imports a module that is not allowed.
        """
        with config.bindings_kept():
            config.parse([self.config], allow_imports=allow_imports)
            return self.restore(restored.ModelOptions.from_gin(), checkpoint, use_ema)

    def restore(
        self,
        model: restored.ModelOptions,
        checkpoint: str | int | None = None,
        use_ema: bool = True,
    ) -> restored.RestoredModel:
        """As `load`, with the options of the caller and under the bindings that gin holds."""
        description = self._read_description()
        self._any_checkpoints()
        path = None if checkpoint is None else self.find_checkpoint(checkpoint)
        return restored.restore(model, description, self.checkpoints, path, use_ema)

    def _read_description(self) -> restored.Description:
        """The content of model.json; if it is damaged or missing, the data set is read."""
        path, reason = self.file(_MODEL), "it is missing"
        try:
            return restored.Description.from_json(self._read_json(_MODEL))
        except FileNotFoundError:
            pass
        except DamagedFileError as error:
            reason = error.reason
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            reason = "it lacks an entry or has one of another type"
        try:
            description = _describe(Experiment.from_gin().dataset)
        except UserError as error:
            reason += f", and its data set cannot be read instead ({str(error).rstrip('.')})"
            raise DamagedFileError(path, reason) from error
        damaged.warn_once(f"'{path}' is not used ({reason}): its data set has been read instead.")
        return description

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.file(name)
        content = damaged.read_object(path)
        check_version(f"'{path}'", content, _VERSION)
        return content

    def _any_checkpoints(self) -> list[str]:
        paths = self.list_checkpoints()
        if not paths:
            raise UserError(f"'{self}' contains no checkpoint.")
        return paths


def _listed(steps: list[int], wanted: str | int) -> str:
    """All steps; of more than ten the first, the nearest to `wanted`, and the last."""
    if len(steps) <= 10:
        return ", ".join(map(str, steps))
    shown = {steps[0], steps[-1]}
    if str(wanted).isdecimal():
        shown.add(min(steps, key=lambda step: abs(step - int(wanted))))
    return ", …, ".join(map(str, sorted(shown)))


def _describe(dataset: DataProperties) -> restored.Description:
    height, width, channels = dataset.image_shape
    names = dataset.class_names
    return restored.Description(
        dataset.name,
        (int(height), int(width), int(channels)),
        None if dataset.num_classes is None else int(dataset.num_classes),
        None if names is None else [str(name) for name in names],
    )


def _lines(bindings: str) -> set[str]:
    return {line for line in bindings.splitlines() if line and not line.startswith("#")}


def _values(bindings: str) -> dict[str, str]:
    return dict(line.split(" = ", 1) for line in _lines(bindings) if " = " in line)
